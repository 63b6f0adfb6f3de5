#include "load_worker.h"
#include <stdio.h>

static void settled(struct worker *w)
{
	w->opening--;
	w->mine->settled++;
}

void load_stream_fail(struct load_stream *s, const char *why)
{
	struct worker *w = s->conn->worker;
	uint8_t was = s->state;

	if (was == STREAM_IDLE || was == STREAM_CLOSED || was == STREAM_OVER)
		return;
	s->state = STREAM_OVER;
	if (s->stalled) {
		w->result->cut++;
		return;
	}
	worker_note(w, why);
	if (was == STREAM_OPEN) {
		w->result->ended++;
		return;
	}
	w->result->failed++;
	if (w->settings->mode == LOAD_SETUP && s->window_events)
		return; /* it settled with its first head */
	settled(w);
	worker_open_more(w);
}

/* A stream of LOAD_SETUP has got its head. It settles with the first, so that the window can open. */
static void on_setup(struct load_stream *s, uint64_t now)
{
	struct worker *w = s->conn->worker;
	struct load_result *r = w->result;
	uint64_t start = w->shared->start_ns, stop = w->shared->stop_ns;
	bool first = !s->window_events++;

	s->state = STREAM_CLOSED;
	r->open_last_ns = now;
	if (start && now >= start && now < stop) {
		r->setups++;
		hist_add(&r->head, now - s->begin_ns);
	}
	worker_again(w, s);
	if (!first)
		return;
	r->opened++;
	settled(w);
	worker_open_more(w);
}

void load_stream_head(struct load_stream *s, unsigned status, bool event_stream, uint64_t now)
{
	struct worker *w = s->conn->worker;
	struct load_result *r = w->result;

	if (status != 200 || !event_stream) {
		char why[80];

		snprintf(why, sizeof(why), "the answer was %u%s", status,
			event_stream ? "" : ", not text/event-stream");
		load_stream_fail(s, why);
		return;
	}
	if (w->settings->mode == LOAD_SETUP) {
		on_setup(s, now);
		return;
	}
	s->state = STREAM_OPEN;
	r->opened++;
	r->open_last_ns = now;
	hist_add(&r->head, now - s->begin_ns);
	settled(w);
	worker_open_more(w);
}

/* The second window, which the relay may spend stopped. */
static void pause_see(struct worker *w, const struct event *e, uint64_t now)
{
	uint64_t start = w->shared->pause_start_ns;

	if (start && e->t_ns >= start && e->t_ns < w->shared->pause_stop_ns)
		hist_add(&w->result->pause, now > e->t_ns ? now - e->t_ns : 0);
}

static void on_event(struct load_stream *s, uint64_t now, uint64_t start, uint64_t stop)
{
	struct worker *w = s->conn->worker;
	struct load_result *r = w->result;
	const struct event *e = &s->events.now;

	w->mine->live_events++;
	if (!e->seq || !e->t_ns || e->id != e->seq || !e->whole) {
		r->damaged++;
		return;
	}
	sequence_see(&s->sequence, e->seq);
	if (!start)
		return;
	pause_see(w, e, now);
	if (now >= start && now < stop) {
		r->events++;
		r->bytes += e->bytes;
		s->window_events++;
	}
	/* By the time of sending, so that an event that took for ever counts with all of its time. */
	if (e->t_ns >= start && e->t_ns < stop)
		hist_add(&r->latency, now > e->t_ns ? now - e->t_ns : 0);
}

void load_stream_body(struct load_stream *s, struct slice body, uint64_t now)
{
	const struct load_shared *shared = s->conn->worker->shared;
	uint64_t start = shared->start_ns, stop = shared->stop_ns;

	while (body.n) {
		bool done;
		size_t used = events_next(&s->events, body.p, body.n, &done);

		if (done)
			on_event(s, now, start, stop);
		body.p += used;
		body.n -= used;
	}
}
