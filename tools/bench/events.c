#include "events.h"

/* Digits at `p`, as a number; stops at the first other byte. */
static uint64_t number_at(const char *p, const char *end)
{
	uint64_t v = 0;

	for (; p < end && *p >= '0' && *p <= '9'; p++)
		v = v * 10 + (uint64_t)(*p - '0');
	return v;
}

/* The number behind `key` in a data line; 0 when it is not there. */
static uint64_t number_behind(struct slice line, struct slice key)
{
	const char *at = line.n ? memmem(line.p, line.n, key.p, key.n) : NULL;

	return at ? number_at(at + key.n, line.p + line.n) : 0;
}

/* The value of field `name`, or p == NULL when the line is another field. */
static struct slice value_of(struct slice line, struct slice name)
{
	if (!slice_starts(line, name) || (line.n > name.n && line.p[name.n] != ':'))
		return (struct slice){NULL, 0};
	line.p += MIN(line.n, name.n + 1);
	line.n -= MIN(line.n, name.n + 1);
	if (line.n && line.p[0] == ' ')
		line.p++, line.n--;
	return line;
}

static void on_data(struct events *e, struct slice value)
{
	struct event *ev = &e->now;

	ev->seq = number_behind(value, SLICE("\"seq\":"));
	ev->t_ns = number_behind(value, SLICE("\"t\":"));
	ev->has_data = true;
	ev->whole = e->last == '}';
	ev->data_cut = e->cut;
	ev->data_len = (uint8_t)value.n;
	memcpy(ev->data, value.p, value.n);
}

/* One line, without its end. True when it ended an event. */
static bool on_line(struct events *e)
{
	struct slice line = {e->line, e->kept}, value;

	if (!line.n)
		return e->now.has_data;
	if (line.p[0] == ':')
		e->comments++;
	else if ((value = value_of(line, SLICE("data"))).p)
		on_data(e, value);
	else if ((value = value_of(line, SLICE("id"))).p)
		e->now.id = number_at(value.p, value.p + value.n);
	else if ((value = value_of(line, SLICE("retry"))).p)
		e->retry_ms = number_at(value.p, value.p + value.n);
	return false;
}

static void keep(struct events *e, const char *p, size_t n)
{
	size_t room = sizeof(e->line) - e->kept;

	if (!n)
		return;
	/* A CR may be the first half of a line's end, so what it follows stays the last byte. */
	if (p[n - 1] != '\r')
		e->last = p[n - 1];
	else if (n > 1)
		e->last = p[n - 2];
	if (n > room)
		e->cut = true;
	memcpy(e->line + e->kept, p, MIN(n, room));
	e->kept = (uint8_t)(e->kept + MIN(n, room));
}

size_t events_next(struct events *e, const char *p, size_t n, bool *ret_done)
{
	const char *lf = n ? memchr(p, '\n', n) : NULL;
	size_t used = lf ? (size_t)(lf - p) + 1 : n;
	size_t text = lf ? used - 1 : n;
	bool blank;

	if (!e->begun) {
		e->now = (struct event){0};
		e->begun = true;
	}
	e->now.bytes += used;
	*ret_done = false;
	if (lf && text && p[text - 1] == '\r')
		text--; /* of a CRLF; one that is split between two reads is dropped below */
	keep(e, p, text);
	if (!lf)
		return used;
	if (e->kept && !e->cut && e->line[e->kept - 1] == '\r')
		e->kept--;
	blank = e->kept == 0;
	*ret_done = on_line(e);
	e->begun = !blank;
	e->kept = 0;
	e->cut = false;
	return used;
}

void sequence_see(struct sequence *s, uint64_t seq)
{
	if (s->next && seq < s->next) {
		s->repeated++;
		return;
	}
	if (s->next)
		s->lost += seq - s->next;
	s->next = seq + 1;
}
