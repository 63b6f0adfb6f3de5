/* What may fall due while a body is carried, on any lane: looked at when the stream's one timer fires, never
 * per event. */
#include "base/clock.h"
#include "stream/stream.h"

static uint64_t ms_of(uint64_t ns)
{
	return ns / NS_PER_MS;
}

static uint64_t idle_due_ms(const struct stream *s)
{
	uint64_t limit = s->resp.stream ? s->route->timeouts.idle_ms : s->route->timeouts.body_idle_ms;

	/* While the client blocks, the upstream is not listened to, and so is not silent. */
	if (!limit || backlog_len(&s->to_client))
		return UINT64_MAX;
	return ms_of(MAX(stream_last_in_ns(s), s->ctl->head_ns)) + limit;
}

static bool closes_slow(const struct stream *s)
{
	return s->route->slow == SLOW_CLOSE && s->resp.stream;
}

static uint64_t stall_due_ms(const struct stream *s)
{
	const struct sluice_ctl *c = s->ctl;

	if (!c->blocked_since_ns)
		return UINT64_MAX;
	if (closes_slow(s) && s->route->slow_ms)
		return ms_of(c->blocked_since_ns) + s->route->slow_ms;
	if (!s->route->timeouts.stall_ms)
		return UINT64_MAX;
	return ms_of(MAX(c->blocked_since_ns, c->last_out_ns)) + s->route->timeouts.stall_ms;
}

void deadline_arm(struct stream *s)
{
	uint64_t due = MIN(idle_due_ms(s), stall_due_ms(s));

	due = MIN(due, heart_due_ms(s));
	if (s->max_age_ms)
		due = MIN(due, s->max_age_ms);
	if (s->drain_at_ms)
		due = MIN(due, s->drain_at_ms);
	if (s->watch_ms)
		due = MIN(due, s->watch_ms);
	if (due == UINT64_MAX)
		timer_stop(&s->timer);
	else
		timer_at(s->env->loop, &s->timer, due);
}

/* Acts on one thing that is due. In COPY only: the kernel holds nothing of the stream then. */
static void act(struct stream *s, uint64_t now)
{
	if (s->drain_at_ms && now >= s->drain_at_ms)
		drain_due(s);
	else if (s->max_age_ms && now >= s->max_age_ms)
		copy_truncated(s, SLUICE_BY_TIMEOUT, "max_age");
	else if (now >= stall_due_ms(s))
		copy_close_slow(s, closes_slow(s) ? "time" : "stall");
	else if (now >= idle_due_ms(s))
		copy_truncated(s, SLUICE_BY_TIMEOUT, "upstream_idle");
	else if (now >= heart_due_ms(s))
		heart_beat(s);
}

static bool is_due(const struct stream *s, uint64_t now)
{
	return (s->drain_at_ms && now >= s->drain_at_ms) || (s->max_age_ms && now >= s->max_age_ms) ||
	       now >= stall_due_ms(s) || now >= idle_due_ms(s) || now >= heart_due_ms(s);
}

void copy_on_timeout(struct stream *s);
void copy_on_timeout(struct stream *s)
{
	act(s, loop_now_ms(s->env->loop));
	if (s->state == STREAM_COPY) {
		s->watch_ms = 0;
		deadline_arm(s);
		/* After a heartbeat the kernel may carry on. */
		copy_pump(s);
	}
}

void splice_on_timeout(struct stream *s);
void splice_on_timeout(struct stream *s)
{
	uint64_t now = loop_now_ms(s->env->loop);

	if (is_due(s, now)) {
		lane_leave(s, AFTER_DEADLINE);
		return;
	}
	if (now >= s->watch_ms)
		lane_watch(s, now);
	if (s->state == STREAM_SPLICE)
		deadline_arm(s);
}
