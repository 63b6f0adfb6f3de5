/* Policy `drop`: a client that lags keeps its place in the stream, and loses whole events, oldest first. */
#include "stream/stream.h"

#define REFILL_BYTES (16 * 1024) /* moved from the queue to the socket at a time */

bool lag_active(const struct stream *s)
{
	return s->queue != NULL;
}

static void note_drops(struct stream *s)
{
	uint64_t times, dropped = event_queue_dropped(s->queue, &times);

	s->ctl->dropped_events += (uint32_t)(dropped - s->queue_dropped);
	s->env->totals->dropped_events += dropped - s->queue_dropped;
	s->ctl->drops += (uint32_t)(times - s->queue_times);
	s->env->totals->drops += times - s->queue_times;
	s->queue_dropped = dropped;
	s->queue_times = times;
}

/* Payload bytes while the client keeps up, or the rest of an event whose start it already has. Returns what
 * was used. */
static int direct(struct stream *s, const char *p, size_t n, size_t *ret_used)
{
	bool ends = false;
	size_t used = n;

	if (backlog_len(&s->to_client))
		used = sse_feed_until_end(&s->resp.sse, p, n, &ends);
	else
		sse_feed(&s->resp.sse, p, n);
	*ret_used = used;
	return out_payload(s, p, used);
}

static bool between_events(const struct sse_scan *sse)
{
	return sse->place == SSE_BOUNDARY || sse->place == SSE_CR_BOUNDARY || sse->place == SSE_START;
}

int lag_payload(struct stream *s, const char *p, size_t n)
{
	while (n) {
		size_t used;
		int err;

		if (!s->queue && backlog_len(&s->to_client) && between_events(&s->resp.sse)) {
			err = event_queue_new(s->route->slow_bytes, &s->queue);
			if (err)
				return err;
			s->queue_dropped = s->queue_times = 0;
			if (s->lane_best == SLUICE_LANE_SPLICE)
				s->ctl->reason = SLUICE_REASON_POLICY;
		}
		if (!s->queue) {
			err = direct(s, p, n, &used);
			if (err)
				return err;
		} else {
			bool ends = false;

			used = sse_feed_until_end(&s->resp.sse, p, n, &ends);
			event_queue_push(s->queue, (struct slice){p, used}, ends);
			note_drops(s);
		}
		p += used;
		n -= used;
	}
	if (s->queue) {
		int err = lag_refill(s);

		if (err)
			return err;
		out_blocked(s, backlog_len(&s->to_client) > 0);
	}
	return 0;
}

int lag_refill(struct stream *s)
{
	while (s->queue && !backlog_len(&s->to_client)) {
		struct slice next = event_queue_peek(s->queue);
		int err;

		if (!next.n) {
			/* Half an event may still be on its way into the queue: it must not be overtaken. */
			if (event_queue_idle(s->queue)) {
				event_queue_free(s->queue);
				s->queue = NULL;
			}
			return 0;
		}
		next.n = MIN(next.n, (size_t)REFILL_BYTES);
		err = out_payload(s, next.p, next.n);
		if (err)
			return err;
		event_queue_pop(s->queue, next.n);
	}
	return 0;
}
