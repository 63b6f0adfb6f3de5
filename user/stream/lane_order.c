/* A live stream's lane by the operator's order. */
#include "stream/client.h"
#include "stream/stream.h"

static struct stream *stream_by_id(struct env *env, uint64_t id)
{
	for (uint32_t i = 0; i < env->slots.count; i++)
		if (env->by_slot[i] && env->by_slot[i]->ctl->id == id)
			return env->by_slot[i];
	return NULL;
}

static bool has_body(const struct stream *s)
{
	return s->state == STREAM_COPY || s->state == STREAM_SPLICE || s->state == STREAM_SETTLE;
}

static void order_copy(struct stream *s)
{
	s->lane_best = SLUICE_LANE_COPY;
	if (s->state == STREAM_SPLICE)
		lane_leave(s, AFTER_READ);
	/* It may have ended in there; the record is the slot's as long as this turn of the loop lasts. */
	s->ctl->reason = SLUICE_REASON_ASKED;
}

static void order_splice(struct stream *s)
{
	enum sluice_lane_reason reason;

	if (s->lane_best == SLUICE_LANE_SPLICE)
		return;
	s->lane_best = lane_best_of(s, LANE_AUTO, &reason);
	if (s->lane_best == SLUICE_LANE_SPLICE && s->ctl->flags & SLUICE_CTL_BLOCKED)
		reason = SLUICE_REASON_LAGGING;
	s->ctl->reason = (uint8_t)reason;
	s->punts = 0;
	lane_try(s);
}

void clients_set_lane(struct env *env, uint64_t stream_id, enum sluice_lane lane)
{
	struct stream *s = stream_by_id(env, stream_id);

	if (!s || !has_body(s))
		return;
	if (lane == SLUICE_LANE_COPY)
		order_copy(s);
	else
		order_splice(s);
}
