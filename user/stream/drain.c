/* DRAIN: the answer is whole, the client has yet to take its end. And shutdown: streams are closed one by one
 * over a window. */
#include "base/clock.h"
#include "base/rng.h"
#include "stream/stream.h"
#include <stdio.h>

#define BOUNDARY_POLL_MS                                                                                     \
	50 /* a stream that is due waits for the end of its event; so often it is looked at */

void drain_on_client(struct stream *s);
void drain_on_client(struct stream *s)
{
	int done;

	if (!s->client->wire.writable)
		return;
	done = out_flush(s);
	if (done < 0) {
		s->close_client = true;
		stream_lost(s, done);
	} else if (done > 0) {
		stream_end(s, s->end_by, s->detail);
	}
}

void drain_on_timeout(struct stream *s);
void drain_on_timeout(struct stream *s)
{
	uint64_t since = MAX(s->ctl->last_out_ns / NS_PER_MS, s->progress_ms);
	uint64_t stall = s->route ? s->route->timeouts.stall_ms : 10 * MS_PER_S;

	if (stall && loop_now_ms(s->env->loop) < since + stall) {
		timer_at(s->env->loop, &s->timer, since + stall);
		return;
	}
	if (!stall)
		return;
	s->close_client = true;
	s->ctl->flags |= SLUICE_CTL_TRUNCATED;
	stream_end(s, SLUICE_BY_SLOW, "stall");
}

/* Event streams end at a moment of their own within the window, so that their clients do not all come back at
 * once. Other answers have the whole window to complete. */
void drain_stream(struct stream *s)
{
	uint64_t now = loop_now_ms(s->env->loop), end = s->env->drain_end_ms;

	if (s->state != STREAM_COPY && s->state != STREAM_SPLICE && s->state != STREAM_SETTLE &&
		s->state != STREAM_TUNNEL)
		return;
	s->drain_at_ms =
		s->state != STREAM_TUNNEL && s->resp.events && end > now ? now + rng_below(end - now) : end;
	s->drain_at_ms = MAX(s->drain_at_ms, now + 1);
	if (s->state == STREAM_COPY || s->state == STREAM_SPLICE)
		deadline_arm(s);
	else if (s->state == STREAM_TUNNEL)
		timer_at(s->env->loop, &s->timer, s->drain_at_ms);
}

/* Cuts it at an event's end, told when to come back; at the window's end wherever it is. Without a last
 * chunk: it was not complete. */
void drain_due(struct stream *s)
{
	uint8_t place = s->resp.sse.place;
	bool boundary = place == SSE_BOUNDARY || place == SSE_START;
	uint64_t now = loop_now_ms(s->env->loop);
	char text[48];
	int n = snprintf(text, sizeof(text), "retry: %llu\n\n", (unsigned long long)s->route->retry_ms);

	if (boundary && heart_inject(s, (struct slice){text, (size_t)n})) {
		s->close_client = true;
		stream_move(s, STREAM_DRAIN);
		stream_finish(s, SLUICE_BY_DRAIN, NULL);
		return;
	}
	if (s->state != STREAM_COPY)
		return;
	if (now < s->env->drain_end_ms) {
		s->drain_at_ms = MIN(now + BOUNDARY_POLL_MS, s->env->drain_end_ms);
		return;
	}
	s->ctl->flags |= SLUICE_CTL_TRUNCATED;
	stream_end(s, SLUICE_BY_DRAIN, "window over");
}
