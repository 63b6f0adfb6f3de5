#include "observe/merge.h"
#include "base/clock.h"

#define PENDING_FRESH_NS (100 * NS_PER_MS)

bool merge_is_live(const struct sluice_ctl *c, const struct sluice_flow *f)
{
	return f && c->cookie && f->cookie == c->cookie && f->epoch == c->epoch;
}

void merge_flow(struct sluice_ctl *c, const struct sluice_flow *f, uint64_t now_ns)
{
	if (!merge_is_live(c, f))
		return;
	c->bytes_in += f->redirected;
	c->bytes_out += f->redirected;
	c->events += f->events;
	c->chunks += f->chunks;
	c->last_in_ns = MAX(c->last_in_ns, f->last_ns);
	c->last_out_ns = MAX(c->last_out_ns, f->last_ns);
	if (now_ns < f->last_ns + PENDING_FRESH_NS)
		c->pending += f->pending;
	c->pending_max = MAX(c->pending_max, f->pending_max);
	if (!c->first_event_ns)
		c->first_event_ns = f->first_ns;
}
