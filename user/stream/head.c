/* READ_HEAD: 1xx heads pass at once, the final one goes to decide(). */
#include "stream/stream.h"

#define READ_BYTES   (16 * 1024)
#define MAX_INTERIMS 32 /* 1xx heads before one final: more is an upstream gone wrong */

static void bad_response(struct stream *s, enum h1_rule rule)
{
	s->env->totals->bad_responses++;
	stream_drop_upstream(s, LEASE_CLOSED);
	stream_unreachable(s, 502, SLUICE_BY_BAD_RESPONSE, h1_rule_label(rule));
}

/* The scan judges the head's size: what cannot be kept is for want of memory. */
static void no_memory(struct stream *s)
{
	env_count_reject(s->env, SLUICE_REJECT_MEMORY);
	stream_drop_upstream(s, LEASE_CLOSED);
	stream_unreachable(s, 503, SLUICE_BY_OVERLOAD, "memory");
}

/* False: the stream has ended. */
static bool pass_interim(struct stream *s, const struct h1_response *resp)
{
	_cleanup_buf_ struct buf out = {0};
	int err;

	if (++s->interims > MAX_INTERIMS) {
		bad_response(s, H1_RULE_TOO_MANY_INTERIM);
		return false;
	}
	/* HTTP/1.0 has no 1xx (RFC 9110 15.2). */
	if (s->minor == 0)
		return true;
	err = h1_write_interim(&out, resp);
	if (!err)
		err = out_send(s, out.data, out.len, false);
	if (err) {
		stream_lost(s, err);
		return false;
	}
	return true;
}

/* Looks for heads in `in`; keeps what is not whole yet. `in` may be resp_in itself. */
static void read_heads(struct stream *s, struct slice in)
{
	struct h1_response *resp = &s->env->response;

	for (;;) {
		size_t len = 0, skip;
		enum h1_rule rule = h1_scan(&s->resp_scan, H1_RESPONSE, in.p, in.n, &len);

		if (rule == H1_OK && !len)
			break;
		skip = s->resp_scan.skip;
		if (rule == H1_OK)
			rule = h1_response_parse(in.p + skip, len - skip, s->method, resp);
		/* Nor to half a request. */
		if (rule == H1_OK && resp->status == 101 &&
			(!s->wants_upgrade || s->req_head_sent < s->req_head.len))
			rule = H1_RULE_UNASKED_101;
		if (rule != H1_OK) {
			bad_response(s, rule);
			return;
		}
		in.p += len;
		in.n -= len;
		memset(&s->resp_scan, 0, sizeof(s->resp_scan));
		if (resp->status >= 200 || resp->status == 101) {
			decide(s, in);
			return;
		}
		if (!pass_interim(s, resp))
			return;
	}
	/* What is left may stand in resp_in: moving it down is the same as keeping it. */
	if (s->resp_in.len)
		buf_drop(&s->resp_in, s->resp_in.len - in.n);
	else if (in.n && buf_append(&s->resp_in, in.p, in.n))
		no_memory(s);
}

static void upstream_closed(struct stream *s, int err)
{
	if (s->resp_in.len || s->interims) {
		stream_drop_upstream(s, LEASE_FAILED);
		stream_unreachable(s, 502, SLUICE_BY_NO_UPSTREAM, "closed in its head");
		return;
	}
	dial_failed(s, err ? "reset before head" : "closed before head");
}

void head_on_upstream(struct stream *s);
void head_on_upstream(struct stream *s)
{
	while ((s->state == STREAM_READ_HEAD || s->state == STREAM_SEND_REQUEST) && s->up.readable) {
		ssize_t n = wire_recv(&s->up, s->env->scratch, READ_BYTES);

		if (n == -EAGAIN)
			break;
		if (n <= 0) {
			upstream_closed(s, (int)n);
			return;
		}
		if (s->resp_in.len == 0) {
			read_heads(s, (struct slice){s->env->scratch, (size_t)n});
		} else if (buf_append(&s->resp_in, s->env->scratch, (size_t)n)) {
			no_memory(s);
		} else {
			read_heads(s, buf_slice(&s->resp_in));
		}
	}
	if (s->state == STREAM_READ_HEAD && s->up.dead && !s->up.readable)
		upstream_closed(s, 0);
}

void head_on_timeout(struct stream *s);
void head_on_timeout(struct stream *s)
{
	stream_drop_upstream(s, LEASE_FAILED);
	stream_unreachable(s, 504, SLUICE_BY_TIMEOUT, "response_head");
}
