/* The picture: one line per look, time from left to right, a sign for what came in each column's time. */
#include "doctor/doctor.h"

#define LABEL 9 /* columns in front */

struct signs {
	const char *one, *few, *many, *comment, *bytes, *head, *wait, *end, *cut, *idle;
};

static const struct signs fine = {"•", "▄", "█", "·", "-", "H", " ", "│", "✗", " "};
static const struct signs plain = {".", "o", "#", ":", "-", "H", " ", "|", "X", " "};

static const char *sign_of(const struct observation *o, const struct signs *s, int64_t from, int64_t to)
{
	uint64_t events = 0, comments = 0, bytes = 0;

	for (size_t i = 0; i < o->nbursts; i++) {
		const struct observe_burst *b = &o->bursts[i];
		int64_t first = MAX(b->at_ms, from), last = MIN(b->last_ms, to - 1);

		if (b->at_ms >= to)
			break;
		if (first > last)
			continue;
		/* A long burst's events are spread over its time. */
		events += MAX(b->events ? 1u : 0u, (uint64_t)b->events * (uint64_t)(last - first + 1) /
							   (uint64_t)(b->last_ms - b->at_ms + 1));
		comments += b->comments;
		bytes += b->bytes;
	}
	/* An end is shown in the column behind the last bytes, or instead of nothing. */
	if (!bytes && o->end_ms >= from && o->end_ms < to)
		return o->end == OBSERVE_CUT ? s->cut : o->end == OBSERVE_CLEAN ? s->end : s->idle;
	if (events)
		return events == 1 ? s->one : events < 5 ? s->few : s->many;
	return comments ? s->comment : bytes ? s->bytes : s->idle;
}

/* The head's column, or the one in front where its own has bytes to show as well. */
static unsigned head_column(const struct observation *o, unsigned columns, int64_t span)
{
	unsigned c = (unsigned)(o->head_ms * columns / span);

	return c && o->body_ms != OBSERVE_NEVER && (unsigned)(o->body_ms * columns / span) == c ? c - 1 : c;
}

static void draw_line(FILE *to, const char *label, const struct observation *o, const struct signs *s,
	unsigned columns, int64_t span)
{
	fprintf(to, "  %-*s ", LABEL - 3, label);
	for (unsigned c = 0; c < columns; c++) {
		int64_t from = span * c / columns, until = span * (c + 1) / columns;

		if (from > o->end_ms)
			break;
		if (o->head_ms != OBSERVE_NEVER && c == head_column(o, columns, span))
			fputs(s->head, to);
		else
			fputs(sign_of(o, s, from, MAX(until, from + 1)), to);
	}
	fputc('\n', to);
}

/* 1, 2 or 5 times a power of ten seconds: about six marks. */
static int64_t step_of(int64_t span)
{
	static const int64_t factors[] = {1, 2, 5};
	int64_t unit = 100;

	for (;; unit *= 10)
		for (size_t i = 0; i < ARRAY_LEN(factors); i++)
			if (unit * factors[i] * 6 >= span)
				return unit * factors[i];
}

static void draw_axis(FILE *to, unsigned columns, int64_t span)
{
	int64_t step = step_of(span);
	unsigned at = 0;

	fprintf(to, "  %-*s ", LABEL - 3, "");
	for (int64_t t = 0; t <= span; t += step) {
		unsigned c = (unsigned)(t * columns / span);

		if (c < at)
			continue;
		at = c +
		     (unsigned)fprintf(to, step < 1000 ? "%*s|%.1f s" : "%*s|%.0f s", (int)(c - at), "",
			     (double)t / 1000) -
		     (c - at);
		at = MAX(at, c);
	}
	fputc('\n', to);
}

void picture_draw(FILE *to, const struct looks *l, unsigned width, bool utf8)
{
	const struct {
		const char *label;
		const struct observation *o;
	} lines[] = {
		{l->direct ? "chain" : "stream", l->chain},
		{"  again", l->chain_again},
		{"  again", l->chain_third},
		{"origin", l->direct},
		{"  again", l->direct_again},
		{"  again", l->direct_third},
	};
	const struct signs *s = utf8 ? &fine : &plain;
	unsigned columns = MIN(MAX(width, 40u), 120u) - LABEL - 6;
	int64_t span = 1;

	for (size_t i = 0; i < ARRAY_LEN(lines); i++)
		span = lines[i].o ? MAX(span, lines[i].o->end_ms) : span;
	for (size_t i = 0; i < ARRAY_LEN(lines); i++)
		if (lines[i].o)
			draw_line(to, lines[i].label, lines[i].o, s, columns, span);
	draw_axis(to, columns, span);
	fprintf(to, "  %-*s%s head  %s event  %s some  %s many  %s heartbeat  %s end  %s broken off\n",
		LABEL - 2, "", s->head, s->one, s->few, s->many, s->comment, s->end, s->cut);
}
