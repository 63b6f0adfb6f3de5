#include "exporter/text.h"
#include "base/clock.h"
#include <stdio.h>

static void put(struct text *t, const char *fmt, ...) printf_like(2, 3);

static void put(struct text *t, const char *fmt, ...)
{
	char line[512];
	va_list ap;
	int n;

	if (t->err)
		return;
	va_start(ap, fmt);
	n = vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	t->err = n < 0 || (size_t)n >= sizeof(line) ? -E2BIG : buf_append(&t->out, line, (size_t)n);
}

static void put_text(struct text *t, const char *p, size_t n)
{
	if (!t->err)
		t->err = buf_append(&t->out, p, n);
}

/* ---- what is asked for */

const char *text_content_type(enum text_format f)
{
	return f == TEXT_OPENMETRICS ? "application/openmetrics-text; version=1.0.0; charset=utf-8"
				     : "text/plain; version=0.0.4; charset=utf-8";
}

/* The quality of one member of Accept, in thousandths; 1000 without one. */
static int quality(const char *p, const char *end)
{
	while ((p = memchr(p, ';', (size_t)(end - p)))) {
		int q = 0, scale = 100;

		for (p++; p < end && (*p == ' ' || *p == '\t'); p++)
			;
		if (end - p < 3 || (*p | 0x20) != 'q' || p[1] != '=')
			continue;
		q = p[2] == '1' ? 1000 : 0;
		if (p[2] != '0' || end - p < 4 || p[3] != '.')
			return q;
		for (p += 4; p < end && *p >= '0' && *p <= '9' && scale; p++, scale /= 10)
			q += (*p - '0') * scale;
		return q;
	}
	return 1000;
}

static bool is_type(const char *p, const char *end, const char *type)
{
	size_t n = strlen(type);

	return (size_t)(end - p) >= n && strncasecmp(p, type, n) == 0 &&
	       (p + n == end || p[n] == ';' || p[n] == ' ' || p[n] == '\t');
}

enum text_format text_negotiate(const char *accept)
{
	int open = 0, plain = -1, any = -1;

	while (accept && *accept) {
		const char *end = accept + strcspn(accept, ",");

		accept += strspn(accept, " \t");
		if (accept < end && is_type(accept, end, "application/openmetrics-text"))
			open = MAX(open, quality(accept, end));
		else if (accept < end &&
			 (is_type(accept, end, "text/plain") || is_type(accept, end, "text/*")))
			plain = MAX(plain, quality(accept, end));
		else if (accept < end && is_type(accept, end, "*/*"))
			any = quality(accept, end);
		accept = *end ? end + 1 : end;
	}
	if (plain < 0)
		plain = MAX(any, 0);
	return open && open >= plain ? TEXT_OPENMETRICS : TEXT_PROMETHEUS;
}

/* ---- numbers and labels */

/* The bytes of the UTF-8 character at `p`; 0: none, or one that nobody should print. RFC 3629. */
static size_t utf8_length(const unsigned char *p)
{
	static const unsigned least[] = {0, 0, 0x80, 0x800, 0x10000};
	size_t n = *p < 0x80 ? 1 : *p >> 5 == 6 ? 2 : *p >> 4 == 14 ? 3 : *p >> 3 == 30 ? 4 : 0;
	unsigned c = n > 1 ? *p & (0x7f >> n) : *p;

	for (size_t i = 1; i < n; i++) {
		if (p[i] >> 6 != 2)
			return 0;
		c = c << 6 | (p[i] & 0x3f);
	}
	if (!n || c < least[n] || c > 0x10ffff || (c >= 0xd800 && c < 0xe000))
		return 0;
	return c < 0x20 || (c >= 0x7f && c < 0xa0) ? 0 : n;
}

void text_escape(struct text *t, const char *value)
{
	const unsigned char *p = (const unsigned char *)value;

	while (*p) {
		size_t n = utf8_length(p);

		if (*p == '"' || *p == '\\')
			put(t, "\\%c", *p);
		else if (*p == '\n')
			put_text(t, "\\n", 2);
		else if (n)
			put_text(t, (const char *)p, n);
		else
			put(t, "\\\\x%02x", *p);
		p += MAX(n, (size_t)1);
	}
}

/* HELP knows \\ and \n, and in OpenMetrics \". */
static void put_help(struct text *t, const char *help)
{
	for (; *help; help++) {
		if (*help == '\\' || (*help == '"' && t->format == TEXT_OPENMETRICS))
			put(t, "\\%c", *help);
		else
			put_text(t, help, 1);
	}
}

static void put_value(struct text *t, double value)
{
	if (value >= 0 && value < 1e15 && value == (double)(uint64_t)value)
		put(t, " %llu\n", (unsigned long long)value);
	else
		put(t, " %.15g\n", value);
}

/* A bound as the format writes it: OpenMetrics wants floats. */
static void put_bound(struct text *t, double bound)
{
	char text[32];

	snprintf(text, sizeof(text), "%.10g", bound);
	put(t, "%s%s", text, t->format == TEXT_OPENMETRICS && !strpbrk(text, ".e") ? ".0" : "");
}

/* ---- families and samples */

static size_t base_length(const struct text *t, const char *name, enum text_type type)
{
	size_t n = strlen(name);

	if (t->format != TEXT_OPENMETRICS)
		return n;
	return type == TEXT_COUNTER ? n - strlen("_total") : type == TEXT_INFO ? n - strlen("_info") : n;
}

void text_family(struct text *t, const char *name, enum text_type type, const char *help)
{
	static const char *const open[] = {"counter", "gauge", "histogram", "info"};
	static const char *const plain[] = {"counter", "gauge", "histogram", "gauge"};
	int n = (int)base_length(t, name, type);

	put(t, "# HELP %.*s ", n, name);
	put_help(t, help);
	put(t, "\n# TYPE %.*s %s\n", n, name, t->format == TEXT_OPENMETRICS ? open[type] : plain[type]);
}

void text_sample(struct text *t, const char *name, const struct text_label *labels, size_t n, double value)
{
	put(t, "%s", name);
	for (size_t i = 0; i < n; i++) {
		put(t, "%c%s=\"", i ? ',' : '{', labels[i].name);
		text_escape(t, labels[i].value);
		put_text(t, "\"", 1);
	}
	if (n)
		put_text(t, "}", 1);
	put_value(t, value);
}

void text_count(struct text *t, const char *name, const char *labels, uint64_t value)
{
	put(t, "%s%s%s%s %llu\n", name, *labels ? "{" : "", labels, *labels ? "}" : "",
		(unsigned long long)value);
}

void text_histogram(
	struct text *t, const char *name, const struct sluice_histogram *h, const struct histogram_bounds *b)
{
	double unit = b->seconds ? (double)NS_PER_S : 1;
	unsigned long long count = 0;

	for (unsigned i = 0; i <= b->count; i++) {
		count += h->bucket[i];
		put(t, "%s_bucket{le=\"", name);
		if (i < b->count)
			put_bound(t, (double)b->values[i] / unit);
		else
			put(t, "+Inf");
		put(t, "\"} %llu\n", count);
	}
	put(t, "%s_sum", name);
	put_value(t, (double)h->sum / unit);
	put(t, "%s_count %llu\n", name, count);
}

int text_end(struct text *t)
{
	if (t->format == TEXT_OPENMETRICS)
		put(t, "# EOF\n");
	return t->err;
}
