#include "ctl/row.h"
#include "base/clock.h"

uint64_t row_age_ms(const struct row *r, uint64_t then_ns)
{
	if (!then_ns)
		return ROW_NEVER;
	return r->now_ns > then_ns ? (r->now_ns - then_ns) / NS_PER_MS : 0;
}

uint64_t row_pending(const struct row *r)
{
	bool empty = r->sock && !r->sock->unsent && !r->sock->unacked;

	return empty && r->s->c.lane == SLUICE_LANE_SPLICE ? 0 : r->s->c.pending;
}

uint64_t row_unsent(const struct row *r)
{
	if (r->sock)
		return r->sock->unsent;
	return r->s->spliced ? r->s->f.notsent : ROW_NEVER;
}

uint64_t row_unacked(const struct row *r)
{
	return r->sock ? r->sock->unacked : ROW_NEVER;
}

uint64_t row_srtt_us(const struct row *r)
{
	uint64_t us = r->sock ? r->sock->srtt_us : r->s->spliced ? r->s->f.srtt_us : 0;

	return us ? us : ROW_NEVER;
}

uint64_t row_queue_ms(const struct row *r)
{
	const struct sock *k = r->sock;
	uint64_t written;

	if (!k)
		return ROW_NEVER;
	if (!k->unsent && !k->unacked)
		return 0;
	written = row_age_ms(r, r->s->c.last_out_ns);
	if (written == ROW_NEVER)
		written = 0;
	if (k->unsent)
		return MAX(written, k->last_sent_ms);
	return k->retransmits ? MAX(written, k->last_ack_ms) : written;
}

uint64_t row_lag_ms(const struct row *r)
{
	uint64_t relay = row_age_ms(r, r->s->c.blocked_since_ns), queue = row_queue_ms(r);

	if (relay == ROW_NEVER)
		relay = 0;
	return queue == ROW_NEVER ? relay : MAX(relay, queue);
}
