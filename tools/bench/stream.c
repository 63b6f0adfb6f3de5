#include "origin.h"
#include "base/clock.h"
#include "base/rng.h"
#include "cli.h"
#include "event_make.h"
#include <stdio.h>

/* An origin that was stopped for longer does not send all that it missed in one burst. */
#define LATE_MAX_NS NS_PER_S

static void query_number(struct slice query, struct slice name, double max, double *to)
{
	struct slice value;
	char text[24];

	if (!request_query(query, name, &value) || value.n >= sizeof(text))
		return;
	memcpy(text, value.p, value.n);
	text[value.n] = 0;
	if (cli_number(text, 0, max, to))
		return; /* what is not a number leaves the setting as it was */
}

static void query_count(struct slice query, struct slice name, double max, uint64_t *to)
{
	double v = (double)*to;

	query_number(query, name, max, &v);
	*to = (uint64_t)v;
}

static void query_flag(struct slice query, struct slice name, bool *to)
{
	uint64_t v = *to;

	query_count(query, name, 1, &v);
	*to = v != 0;
}

static void settings_from_query(struct stream_settings *s, struct slice query)
{
	query_number(query, SLICE("rate"), 100000, &s->rate);
	query_count(query, SLICE("size"), 1024 * 1024, &s->size);
	query_count(query, SLICE("n"), 1e15, &s->events);
	query_count(query, SLICE("burst"), 1000, &s->burst);
	query_count(query, SLICE("retry"), 1e9, &s->retry_ms);
	query_number(query, SLICE("silent"), 1e9, &s->silent_s);
	query_flag(query, SLICE("jitter"), &s->jitter);
	query_flag(query, SLICE("hello"), &s->hello);
	query_flag(query, SLICE("chunked"), &s->chunked);
	s->burst = MAX(s->burst, 1ULL);
}

static void stream_end(struct conn *c)
{
	bool chunked = c->stream.set.chunked;

	stream_stop(c);
	if (!chunked) {
		conn_finish(c);
		return;
	}
	conn_send(c, "0\r\n\r\n", 5);
	conn_answered(c);
}

/* Makes the events of one tick and sends them with one call. */
static void send_events(struct conn *c)
{
	struct stream *s = &c->stream;
	struct origin *o = c->origin;
	uint64_t n = s->set.burst;

	if (s->set.events)
		n = MIN(n, s->set.events - s->sent);
	o->out.len = 0;
	for (uint64_t i = 0; i < n; i++) {
		struct event_spec spec = {
			s->seq, clock_mono_ns(), s->set.size, s->sent ? 0 : s->set.retry_ms, s->set.chunked};

		if (event_make(&o->out, &spec))
			break;
		hist_add(&o->stats->late, spec.t_ns > s->tick.due_ns ? spec.t_ns - s->tick.due_ns : 0);
		s->seq++;
		s->sent++;
		o->stats->events++;
	}
	conn_send(c, o->out.data, o->out.len);
}

static void set_next(struct conn *c)
{
	struct stream *s = &c->stream;
	uint64_t due = s->grid_ns + (s->set.jitter ? rng_below(s->interval_ns) : 0);

	if (ticks_set(&c->origin->ticks, &s->tick, due))
		conn_close(c);
}

static void on_due(struct tick *t, uint64_t now_ns)
{
	struct stream *s = container_of(t, struct stream, tick);
	struct conn *c = container_of(s, struct conn, stream);

	if (now_ns - t->due_ns > LATE_MAX_NS) {
		uint64_t missed = (now_ns - t->due_ns) / s->interval_ns;

		c->origin->stats->skipped += missed * s->set.burst;
		s->grid_ns += missed * s->interval_ns;
	}
	if (c->out.len > ORIGIN_PENDING_MAX)
		c->origin->stats->skipped += s->set.burst;
	else
		send_events(c);
	if (!s->on)
		return; /* the client went away during the send */
	if (s->set.events && s->sent >= s->set.events) {
		stream_end(c);
		return;
	}
	s->grid_ns += s->interval_ns;
	set_next(c);
}

static void send_head(struct conn *c, bool body)
{
	const struct stream_settings *set = &c->stream.set;
	const char *hello = !set->hello || !body ? "" : set->chunked ? "3\r\n:\n\n\r\n" : ":\n\n";
	char head[256];
	int n = snprintf(head, sizeof(head),
		"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-cache\r\n%s\r\n%s",
		set->chunked ? "Transfer-Encoding: chunked\r\n" : "Connection: close\r\n", hello);

	conn_send(c, head, (size_t)n);
}

void stream_start(struct conn *c, const struct request *r)
{
	struct stream *s = &c->stream;
	struct origin *o = c->origin;
	uint64_t now = clock_mono_ns();

	*s = (struct stream){.tick.on_due = on_due, .set = o->settings, .seq = r->last_event_id + 1};
	settings_from_query(&s->set, r->query);
	query_count(r->query, SLICE("tag"), 1e15, &s->tag);
	if (r->minor == 0)
		s->set.chunked = false;
	if (!s->set.chunked)
		c->keep_alive = false;
	if (r->method == REQUEST_HEAD_ONLY) {
		send_head(c, false);
		return;
	}
	s->on = true;
	o->stats->streams++;
	o->stats->streams_ever++;
	send_head(c, true);
	if (!s->on || s->set.rate <= 0 || s->set.silent_s >= 1e9)
		return;
	s->interval_ns = MAX((uint64_t)((double)(NS_PER_S * s->set.burst) / s->set.rate), 1ULL);
	s->grid_ns = ticks_phase(o->stats->streams_ever * o->processes + o->index,
		now + (uint64_t)(s->set.silent_s * 1e9), s->interval_ns);
	set_next(c);
}

static void note_close(struct origin_shared *shared, uint64_t tag)
{
	size_t at = shared->close_count++;

	if (at < ORIGIN_CLOSES_MAX)
		shared->closes[at] = (struct origin_close){tag, clock_mono_ns()};
}

void stream_stop(struct conn *c)
{
	struct stream *s = &c->stream;

	if (!s->on)
		return;
	s->on = false;
	c->origin->stats->streams--;
	if (s->tag)
		note_close(c->origin->shared, s->tag);
	ticks_clear(&c->origin->ticks, &s->tick);
}
