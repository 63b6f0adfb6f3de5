/* Heartbeats: comments in a silent stream, only where no client can mistake them for content (http-rules.md).
 */
#include "base/clock.h"
#include "stream/stream.h"

uint64_t heart_due_ms(const struct stream *s)
{
	uint64_t last = MAX(stream_last_out_ns(s), s->ctl->head_ns) / NS_PER_MS;

	if (!s->resp.events || !s->route->heartbeat_ms || s->resp.out == H1_BODY_LENGTH ||
		backlog_len(&s->to_client))
		return UINT64_MAX;
	return MAX(last, s->heartbeat_tried_ms) + s->route->heartbeat_ms;
}

/* Between the upstream's chunks, where our own may go; a body that we frame ourselves always is. */
static bool between_chunks(const struct stream *s)
{
	if (s->resp.out == H1_BODY_LENGTH || lag_active(s) || backlog_len(&s->to_client))
		return false;
	return s->resp.reframe || s->resp.in != H1_BODY_CHUNKED || chunk_at_boundary(&s->resp.chunk);
}

bool heart_inject(struct stream *s, struct slice text)
{
	int err;

	if (!text.n || !s->resp.events || !between_chunks(s))
		return false;
	err = out_payload(s, text.p, text.n);
	if (err) {
		stream_lost(s, err);
		return false;
	}
	s->ctl->injected += text.n;
	return true;
}

void heart_beat(struct stream *s)
{
	s->heartbeat_tried_ms = loop_now_ms(s->env->loop);
	if (heart_inject(s, sse_heartbeat(&s->resp.sse))) {
		s->ctl->heartbeats++;
		s->env->totals->heartbeats++;
	}
}
