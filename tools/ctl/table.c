#include "ctl/table.h"

#define GAP 2 /* between columns */

int table_width(const char *text)
{
	int n = 0;

	for (; *text; text++)
		n += ((unsigned char)*text & 0xc0) != 0x80; /* continuation bytes of UTF-8 take no place */
	return n;
}

void table_column(struct table *t, const char *title, bool right, int least, int weight)
{
	if (t->ncolumns < TABLE_MAX_COLUMNS)
		t->columns[t->ncolumns++] = (struct table_column){.title = title,
			.right = right,
			.least = least,
			.weight = weight,
			.width = table_width(title)};
}

void table_cell(struct table *t, enum mood mood, const char *text)
{
	struct table_column *col = &t->columns[t->cells++ % t->ncolumns];
	size_t at = t->text.len;
	char byte = (char)mood;

	if (buf_append(&t->text, text, strlen(text) + 1) || buf_append(&t->moods, &byte, 1)) {
		t->failed = true;
		return;
	}
	/* Nothing that a client or an upstream wrote may steer the terminal. */
	for (char *p = t->text.data + at; *p; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			*p = '?';
	col->width = MAX(col->width, table_width(text));
}

static int total(const struct table *t)
{
	int n = 0;

	for (size_t i = 0; i < t->ncolumns; i++)
		n += t->columns[i].printed ? t->columns[i].printed + (n ? GAP : 0) : 0;
	return n;
}

/* The widest that may still shrink, or NULL. */
static struct table_column *shrinkable(struct table *t)
{
	struct table_column *best = NULL;

	for (size_t i = 0; i < t->ncolumns; i++) {
		struct table_column *c = &t->columns[i];

		if (c->least && c->printed > c->least && (!best || c->printed > best->printed))
			best = c;
	}
	return best;
}

static struct table_column *lightest(struct table *t)
{
	struct table_column *best = NULL;

	for (size_t i = 0; i < t->ncolumns; i++) {
		struct table_column *c = &t->columns[i];

		if (c->printed && c->weight && (!best || c->weight <= best->weight))
			best = c;
	}
	return best;
}

/* What is left over goes to the columns that were cut, from the left. */
static void widen(struct table *t, int width)
{
	for (size_t i = 0; i < t->ncolumns; i++) {
		struct table_column *c = &t->columns[i];

		if (c->printed)
			c->printed += MIN(c->width - c->printed, MAX(width - total(t), 0));
	}
}

void table_fit(struct table *t, int width)
{
	struct table_column *c;

	for (size_t i = 0; i < t->ncolumns; i++)
		t->columns[i].printed = MAX(t->columns[i].width, 1);
	if (!width)
		return;
	while (total(t) > width && (c = shrinkable(t)))
		c->printed--;
	while (total(t) > width && (c = lightest(t)))
		c->printed = 0;
	widen(t, width);
}

/* The first `n` characters of `text`, in bytes. */
static int bytes_of(const char *text, int n)
{
	const char *p = text;

	while (*p && (n || ((unsigned char)*p & 0xc0) == 0x80)) {
		n -= ((unsigned char)*p & 0xc0) != 0x80;
		p++;
	}
	return (int)(p - text);
}

static void pad(const struct table_out *out, int n)
{
	static const char spaces[] = "                                ";

	for (; n > 0; n -= (int)sizeof(spaces) - 1)
		out->text(out->arg, MOOD_PLAIN, spaces, MIN(n, (int)sizeof(spaces) - 1));
}

static void write_cell(const struct table_out *out, const struct table_column *c, enum mood mood,
	const char *text, bool last)
{
	int wide = table_width(text), room = MAX(c->printed - wide, 0);
	bool cut = wide > c->printed;

	if (c->right)
		pad(out, room);
	out->text(out->arg, mood, text, bytes_of(text, cut ? c->printed - 1 : wide));
	if (cut)
		out->text(out->arg, mood, "…", (int)strlen("…"));
	if (last)
		out->line_end(out->arg);
	else
		pad(out, GAP + (c->right ? 0 : room));
}

void table_write(const struct table *t, const struct table_out *out)
{
	const char *text = t->text.data;
	size_t last = 0;

	for (size_t i = 0; i < t->ncolumns; i++)
		if (t->columns[i].printed)
			last = i;
	for (size_t i = 0; i < t->ncolumns; i++)
		if (t->columns[i].printed)
			write_cell(out, &t->columns[i], MOOD_TITLE, t->columns[i].title, i == last);
	for (size_t i = 0; i < t->cells; i++, text += strlen(text) + 1) {
		const struct table_column *c = &t->columns[i % t->ncolumns];

		if (c->printed)
			write_cell(out, c, (enum mood)t->moods.data[i], text, i % t->ncolumns == last);
	}
}

struct printer {
	const struct term *term;
	FILE *to;
};

static void print_text(void *arg, enum mood mood, const char *text, int bytes)
{
	const struct printer *p = arg;

	fprintf(p->to, "%s%.*s%s", term_on(p->term, mood), bytes, text, term_off(p->term, mood));
}

static void print_line_end(void *arg)
{
	fputc('\n', ((const struct printer *)arg)->to);
}

int table_print(struct table *t, const struct term *term, FILE *to)
{
	struct printer p = {term, to};
	struct table_out out = {print_text, print_line_end, &p};

	if (t->failed)
		return -ENOMEM;
	table_fit(t, term->width);
	table_write(t, &out);
	return 0;
}

void table_done(struct table *t)
{
	buf_reset(&t->text);
	buf_reset(&t->moods);
	*t = (struct table){0};
}
