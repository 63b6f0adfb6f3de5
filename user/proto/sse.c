#include "proto/sse.h"

#define NOT_DATA 0xff

static const char bom[3] = {'\xef', '\xbb', '\xbf'};

void sse_init(struct sse_scan *s)
{
	*s = (struct sse_scan){.place = SSE_START};
}

static void line_begin(struct sse_scan *s)
{
	s->place = SSE_IN_LINE;
	s->name = 0;
}

/* A byte in a line, up to where it is clear whether its field is `data`. */
static void name_byte(struct sse_scan *s, char c)
{
	if (s->name < 4) {
		s->name = c == "data"[s->name] ? s->name + 1 : NOT_DATA;
	} else {
		if (c == ':')
			s->has_data = true;
		s->name = NOT_DATA;
	}
}

static void line_end(struct sse_scan *s, char c)
{
	if (s->name == 4) /* the whole line is "data": a field with an empty value */
		s->has_data = true;
	s->place = c == '\r' ? SSE_CR_LINE : SSE_LINE_START;
}

static void blank_line(struct sse_scan *s, char c)
{
	if (s->has_data)
		s->events++;
	s->has_data = false;
	s->place = c == '\r' ? SSE_CR_BOUNDARY : SSE_BOUNDARY;
}

static void bom_byte(struct sse_scan *s, char c)
{
	if (c == bom[s->bom]) {
		s->place = ++s->bom == sizeof(bom) ? SSE_BOUNDARY : SSE_BOM;
		return;
	}
	/* What came was the start of a line; no field that counts begins with 0xef. */
	s->place = SSE_IN_LINE;
	s->name = NOT_DATA;
	if (c == '\r' || c == '\n')
		line_end(s, c);
}

/* One byte anywhere but deep in a line. */
static void step(struct sse_scan *s, char c)
{
	switch ((enum sse_place)s->place) {
	case SSE_BOM:
		bom_byte(s, c);
		return;
	case SSE_START:
		if (c == bom[0]) {
			bom_byte(s, c);
			return;
		}
		break;
	case SSE_IN_LINE:
		if (c == '\r' || c == '\n')
			line_end(s, c);
		else
			name_byte(s, c);
		return;
	case SSE_CR_LINE:
	case SSE_CR_BOUNDARY:
		if (c == '\n') {
			s->place = s->place == SSE_CR_LINE ? SSE_LINE_START : SSE_BOUNDARY;
			return;
		}
		break;
	case SSE_LINE_START:
	case SSE_BOUNDARY:
		break;
	}
	if (c == '\r' || c == '\n') {
		blank_line(s, c);
	} else {
		line_begin(s);
		name_byte(s, c);
	}
}

/* The next CR and the next LF, each looked for once: a body with only one of the two costs one pass, not one
 * per line. */
struct line_ends {
	size_t cr, lf;
};

static size_t find(const char *p, size_t at, size_t n, char c)
{
	const char *hit = memchr(p + at, c, n - at);

	return hit ? (size_t)(hit - p) : n;
}

static size_t next_line_end(struct line_ends *ends, const char *p, size_t at, size_t n)
{
	if (ends->lf < at || ends->lf == SIZE_MAX)
		ends->lf = find(p, at, n, '\n');
	if (ends->cr < at || ends->cr == SIZE_MAX)
		ends->cr = find(p, at, n, '\r');
	return MIN(ends->cr, ends->lf);
}

static bool at_boundary(const struct sse_scan *s)
{
	return s->place == SSE_BOUNDARY || s->place == SSE_CR_BOUNDARY;
}

/* Feeds up to n bytes. With `ret_last`, notes where the last blank line ended; with `ret_end`, stops behind
 * the first one that ends a block. Returns the bytes fed. */
static inline size_t feed(struct sse_scan *s, const char *p, size_t n, size_t *ret_last, bool *ret_end)
{
	struct line_ends ends = {SIZE_MAX, SIZE_MAX};
	size_t i = 0;

	while (i < n) {
		bool in_block, ended;

		if (s->place == SSE_IN_LINE && s->name == NOT_DATA) {
			i = next_line_end(&ends, p, i, n);
			if (i == n)
				break;
			line_end(s, p[i++]);
			continue;
		}
		if ((s->place == SSE_LINE_START || s->place == SSE_BOUNDARY) && n - i > 5 &&
			memcmp(p + i, "data:", 5) == 0) { /* the usual line, in one step */
			s->place = SSE_IN_LINE;
			s->name = NOT_DATA;
			s->has_data = true;
			i += 5;
			continue;
		}
		in_block = s->place == SSE_LINE_START || s->place == SSE_CR_LINE;
		step(s, p[i]);
		ended = at_boundary(s) && (p[i] == '\n' || p[i] == '\r'); /* not by the end of a BOM */
		i++;
		if (!ended)
			continue;
		if (ret_last)
			*ret_last = i;
		if (ret_end && in_block) {
			*ret_end = true;
			if (s->place == SSE_CR_BOUNDARY && i < n && p[i] == '\n')
				step(s, p[i++]);
			break;
		}
	}
	return i;
}

void sse_feed(struct sse_scan *s, const char *p, size_t n)
{
	feed(s, p, n, NULL, NULL);
}

size_t sse_feed_last_end(struct sse_scan *s, const char *p, size_t n)
{
	size_t last = 0;

	feed(s, p, n, &last, NULL);
	return last;
}

size_t sse_feed_until_end(struct sse_scan *s, const char *p, size_t n, bool *ret_end)
{
	*ret_end = false;
	return feed(s, p, n, NULL, ret_end);
}

struct slice sse_heartbeat(const struct sse_scan *s)
{
	switch ((enum sse_place)s->place) {
	case SSE_BOUNDARY:
		return SLICE(": heartbeat\n\n");
	case SSE_LINE_START:
		return SLICE(":\n");
	default:
		return (struct slice){0};
	}
}
