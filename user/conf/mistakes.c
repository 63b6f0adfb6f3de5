#include "conf/mistakes.h"
#include <stdarg.h>
#include <stdio.h>

struct mistake {
	size_t line, order;
	char *text;
};

void mistakes_done(struct mistakes *m)
{
	for (size_t i = 0; i < m->n; i++)
		free(m->list[i].text);
	free(m->list);
	m->list = NULL;
	m->n = m->cap = 0;
}

static struct mistake *next(struct mistakes *m)
{
	size_t cap = m->cap ? m->cap * 2 : 16;
	struct mistake *list;

	if (m->n < m->cap)
		return &m->list[m->n];
	list = reallocarray(m->list, cap, sizeof(*list));
	if (!list)
		return NULL;
	m->list = list;
	m->cap = cap;
	return &m->list[m->n];
}

void mistake_add(struct mistakes *m, size_t line, const char *where, const char *fmt, ...)
{
	struct mistake *mistake;
	char *what, *text;
	va_list args;
	int n;

	if (m->n == MISTAKES_MAX) {
		m->more++;
		return;
	}
	mistake = next(m);
	va_start(args, fmt);
	n = mistake ? vasprintf(&what, fmt, args) : -1;
	va_end(args);
	if (n < 0) {
		m->err = -ENOMEM;
		return;
	}
	if (!m->file)
		n = asprintf(&text, "%s: %s", where, what);
	else
		n = asprintf(&text, "%s:%zu: %s: %s", m->file, line, where, what);
	free(what);
	if (n < 0) {
		m->err = -ENOMEM;
		return;
	}
	*mistake = (struct mistake){line, m->n, text};
	m->n++;
}

void mistake_value(struct mistakes *m, size_t line, const char *where, const struct key *k,
	struct slice found, const char *hint)
{
	_cleanup_buf_ struct buf allowed = {0};
	char text[QUOTED_MAX];

	if (value_allowed(k, &allowed) < 0) {
		m->err = -ENOMEM;
		return;
	}
	mistake_add(m, line, where, "%.*s, found %s%s%s%s", SLICE_FMT(buf_slice(&allowed)),
		quoted(found, text), hint ? " (" : "", hint ? hint : "", hint ? ")" : "");
}

static int by_line(const void *a, const void *b)
{
	const struct mistake *x = a, *y = b;

	if (x->line != y->line)
		return x->line < y->line ? -1 : 1;
	return x->order < y->order ? -1 : x->order > y->order;
}

int mistakes_tell(struct mistakes *m, struct buf *errors)
{
	int err = m->err;

	if (m->n)
		qsort(m->list, m->n, sizeof(*m->list), by_line);
	for (size_t i = 0; i < m->n && !err; i++)
		err = buf_printf(errors, "%s\n", m->list[i].text);
	if (!err && m->more)
		err = buf_printf(errors, "%s: and %zu more\n", m->file, m->more);
	if (err)
		return err;
	return m->n ? -EINVAL : 0;
}

const char *quoted(struct slice text, char out[QUOTED_MAX])
{
	static const char end[] = "…\"";
	size_t at = 0;

	out[at++] = '"';
	for (size_t i = 0; i < text.n; i++) {
		unsigned char c = (unsigned char)text.p[i];

		if (at > QUOTED_MAX - 4 - sizeof(end)) {
			memcpy(out + at, end, sizeof(end));
			return out;
		}
		if (c < ' ' || c >= 0x7f || c == '"' || c == '\\')
			at += (size_t)snprintf(out + at, 5, "\\x%02x", c);
		else
			out[at++] = (char)c;
	}
	memcpy(out + at, "\"", 2);
	return out;
}
