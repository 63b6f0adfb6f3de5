#include "ctl/stream_json.h"
#include "observe/record_json.h"

/* null for what is not known. */
static void set(json_t *o, const char *key, uint64_t n)
{
	json_object_set_new(o, key, n == ROW_NEVER ? json_null() : json_integer((json_int_t)n));
}

static void set_socket(json_t *o, const struct sock *k)
{
	set(o, "sndbuf_now", k ? k->sndbuf : ROW_NEVER);
	set(o, "cwnd", k ? k->cwnd : ROW_NEVER);
	set(o, "mss", k ? k->mss : ROW_NEVER);
	set(o, "rttvar_us", k ? k->rttvar_us : ROW_NEVER);
	set(o, "tcp_acked", k ? k->acked : ROW_NEVER);
	set(o, "tcp_last_sent_ms", k ? k->last_sent_ms : ROW_NEVER);
	set(o, "tcp_last_ack_ms", k ? k->last_ack_ms : ROW_NEVER);
	set(o, "retransmits", k ? k->retransmits : ROW_NEVER);
	set(o, "retransmitted", k ? k->retransmitted : ROW_NEVER);
	json_object_set_new(o, "tcp_state", k ? json_string(socks_state_name(k->state)) : json_null());
}

json_t *stream_json(const struct row *r)
{
	const struct sluice_ctl *c = &r->s->c;
	json_t *o = record_json(c, r->s->spliced ? &r->s->f : NULL, r->now_ns);

	if (!o)
		return NULL;
	json_object_set_new(o, "state", json_string(view_state_name(c->state)));
	json_object_set_new(o, "tls", json_boolean(c->flags & SLUICE_CTL_TLS));
	json_object_set_new(o, "truncated", json_boolean(c->flags & SLUICE_CTL_TRUNCATED));
	set(o, "slot", r->s->slot);
	set(o, "drops", c->drops);
	set(o, "lag_ms", row_lag_ms(r));
	set(o, "rate", r->rate);
	json_object_set_new(o, "events_per_s",
		r->events == ROW_NEVER ? json_null() : json_real((double)r->events / 1000));
	/* From the socket itself, where it was found: the record has them as of the last segment. */
	set(o, "pending", row_pending(r));
	set(o, "unsent", row_unsent(r));
	set(o, "unacked", row_unacked(r));
	set(o, "queue_age_ms", row_queue_ms(r));
	set(o, "srtt_us", row_srtt_us(r));
	if (r->sock)
		set(o, "send_queue", r->sock->wmem);
	set_socket(o, r->sock);
	return o;
}
