/* SEND_REQUEST: the head and the body go up as they come. The body goes on being sent while an answer comes
 * down. */
#include "stream/h2_conn.h"

#define READ_BYTES	   (16 * 1024)
#define MOVES_A_TURN	   4		/* then the other streams have their turn */
#define CHUNK_COST	   5		/* bytes of framing that a chunk has at least */
#define CHUNK_OVERHEAD_MAX (100 * 1024) /* framing may outweigh payload by so much */

void head_on_upstream(struct stream *s);

/* The upstream takes no more; what it has to say about it may still be read. */
static void abandon_body(struct stream *s)
{
	s->req.abandoned = true;
	s->req.done = true;
	s->close_client = true;
	s->up_spoilt = true;
	backlog_reset(&s->to_up);
	s->req_head_sent = s->req_head.len;
	s->up.readable = true;
}

/* 1: sent, 0: the socket is full, negative: broken. */
static int send_head(struct stream *s)
{
	/* Only where something follows for certain: a head that waits for it would wait 200 ms. */
	bool more = s->req.framing == H1_BODY_LENGTH && !s->req.done && s->client->in.len;

	while (s->req_head_sent < s->req_head.len) {
		struct iovec rest = {s->req_head.data + s->req_head_sent, s->req_head.len - s->req_head_sent};
		ssize_t n = wire_send(&s->up, &rest, 1, rest.iov_len, more);

		if (n < 0)
			return (int)n;
		s->req_head_sent += (size_t)n;
		if (!s->up.writable)
			break;
	}
	return s->req_head_sent == s->req_head.len;
}

static int put_up(struct stream *s, const char *p, size_t n)
{
	int err = backlog_add(&s->to_up, p, n);

	return err ? err : backlog_flush(&s->to_up, &s->up);
}

/* One data chunk of our own for each run of payload: sizes are written anew, extensions and trailers end
 * here. */
static int put_chunk(struct stream *s, struct slice payload)
{
	char head[CHUNK_HEAD_MAX];
	size_t n = chunk_write_head(head, payload.n);
	int err = backlog_add(&s->to_up, head, n);

	if (!err)
		err = backlog_add(&s->to_up, payload.p, payload.n);
	return err ? err : put_up(s, "\r\n", 2);
}

static int feed_chunked(struct stream *s, const char *p, size_t n, size_t *ret_used)
{
	struct chunk_reader *r = &s->req.chunk;
	int err = 0;

	*ret_used = 0;
	while (*ret_used < n && err >= 0 && r->state != CHUNK_DONE && r->state != CHUNK_BAD) {
		struct chunk_step step = chunk_next(r, p + *ret_used, n - *ret_used);

		*ret_used += step.used;
		s->req.bytes += step.payload.n;
		/* The reader counts extensions only: an event source may send crumbs for hours. A request may
		 * not. */
		if (r->chunks * CHUNK_COST > CHUNK_OVERHEAD_MAX + s->req.bytes) {
			r->state = CHUNK_BAD;
			r->bad = H1_RULE_CHUNK_OVERHEAD;
		} else if (step.payload.n) {
			err = put_chunk(s, step.payload);
		}
	}
	if (err >= 0 && r->state == CHUNK_DONE) {
		s->req.done = true;
		err = put_up(s, "0\r\n\r\n", 5);
	}
	return err;
}

/* The client's framing is not in the bytes: HTTP/2 tells the end. */
static int feed_unframed(struct stream *s, const char *p, size_t n, size_t *ret_used)
{
	int err = n ? put_chunk(s, (struct slice){p, n}) : 0;

	*ret_used = n;
	s->req.bytes += n;
	if (err >= 0 && h2_slot_request_ended(s->client)) {
		s->req.done = true;
		err = put_up(s, "0\r\n\r\n", 5);
	}
	return err;
}

/* Takes what belongs to the body from `p`. Negative: the upstream does not take it. */
static int feed(struct stream *s, const char *p, size_t n, size_t *ret_used)
{
	if (s->req.unframed)
		return feed_unframed(s, p, n, ret_used);
	if (s->req.framing == H1_BODY_CHUNKED)
		return feed_chunked(s, p, n, ret_used);
	*ret_used = (size_t)MIN((uint64_t)n, s->req.left);
	s->req.left -= *ret_used;
	s->req.bytes += *ret_used;
	s->req.done = s->req.left == 0;
	return put_up(s, p, *ret_used);
}

/* The request will never be whole upstream: an answer of our own while there is no other yet, else the end.
 */
static void give_up(struct stream *s, int status, enum sluice_end_by by, const char *detail, const char *text)
{
	s->close_client = true;
	stream_drop_upstream(s, LEASE_CLOSED);
	if (s->state == STREAM_SEND_REQUEST || s->state == STREAM_READ_HEAD)
		stream_reply(s, status, by, detail, text);
	else
		stream_end(s, by, detail);
}

/* The client broke the body's framing, or its limit. */
static void refuse_body(struct stream *s, enum h1_rule rule)
{
	s->env->totals->refused[rule]++;
	give_up(s, h1_rule_status(rule), SLUICE_BY_REFUSED, h1_rule_label(rule), h1_rule_text(rule));
}

static bool body_is_bad(struct stream *s)
{
	if (s->req.framing == H1_BODY_CHUNKED && s->req.chunk.state == CHUNK_BAD) {
		refuse_body(s, s->req.chunk.bad);
		return true;
	}
	if (s->route->max_body && s->req.framing == H1_BODY_CHUNKED && s->req.bytes > s->route->max_body) {
		refuse_body(s, H1_RULE_BODY_TOO_LARGE);
		return true;
	}
	return false;
}

/* One portion of the body, from what was read before or from the socket. 1: go on, 0: wait, negative:
 * upstream broke, -ECANCELED: the stream has ended. */
static int move_some(struct stream *s)
{
	struct client *c = s->client;
	const char *p = c->in.data;
	size_t n = c->in.len, used;
	bool kept = n > 0 || (s->req.unframed && h2_slot_request_ended(c));
	int err;

	if (!kept) {
		ssize_t got;

		if (!c->wire.readable)
			return 0;
		p = s->env->scratch;
		got = wire_recv(&c->wire, s->env->scratch, READ_BYTES);
		if (got == -EAGAIN)
			return 0;
		if (got <= 0) {
			stream_end(s, SLUICE_BY_CLIENT, "in its body");
			return -ECANCELED;
		}
		n = (size_t)got;
	}
	s->progress_ms = loop_now_ms(s->env->loop);
	err = feed(s, p, n, &used);
	if (c->carrier)
		h2_slot_consumed(c, used);
	if (kept && used)
		buf_drop(&c->in, used);
	else if (used < n && buf_append(&c->in, p + used, n - used))
		err = -ENOMEM;
	if (kept && !c->in.len)
		buf_reset(&c->in);
	if (err < 0)
		return err;
	return body_is_bad(s) ? -ECANCELED : 1;
}

/* All is sent: the head timeout begins. */
static void sent(struct stream *s)
{
	stream_move(s, STREAM_READ_HEAD);
	s->sent_ms = loop_now_ms(s->env->loop);
	timer_in(s->env->loop, &s->timer, s->route->timeouts.head_ms);
}

bool send_pump(struct stream *s)
{
	int done = send_head(s);

	for (int moves = 0; done > 0; moves++) {
		done = backlog_flush(&s->to_up, &s->up);
		if (done <= 0 || s->req.done)
			break;
		if (moves == MOVES_A_TURN) {
			task_next_turn(s->env->loop, &s->again);
			return true;
		}
		done = move_some(s);
	}
	if (done == -ECANCELED)
		return false;
	if (done == -ENOMEM || done == -ENOBUFS) {
		env_count_reject(s->env, SLUICE_REJECT_MEMORY);
		give_up(s, 503, SLUICE_BY_OVERLOAD, "memory",
			"The proxy is at its limit; try again shortly.");
		return false;
	}
	if (done < 0) {
		if (s->state == STREAM_SEND_REQUEST && !s->req.bytes && !s->up.readable) {
			dial_failed(s, "send");
			return s->state != STREAM_END && s->state != STREAM_REPLY;
		}
		abandon_body(s);
		done = 1;
	}
	if (done > 0 && s->req.done && s->state == STREAM_SEND_REQUEST)
		sent(s);
	if (s->req.abandoned && s->state == STREAM_READ_HEAD)
		head_on_upstream(s);
	return s->state != STREAM_END;
}

void send_begin(struct stream *s)
{
	stream_move(s, STREAM_SEND_REQUEST);
	s->progress_ms = loop_now_ms(s->env->loop);
	timer_in(s->env->loop, &s->timer, s->route->timeouts.request_body_ms);
	send_pump(s);
}

void send_on_client(struct stream *s);
void send_on_client(struct stream *s)
{
	/* A 1xx that the client had no room for. */
	int done = s->client->wire.writable && backlog_len(&s->to_client) ? out_flush(s) : 1;

	if (done < 0)
		stream_lost(s, done);
	else if (!s->req.done)
		send_pump(s);
}

void send_on_upstream(struct stream *s);
void send_on_upstream(struct stream *s)
{
	/* An answer may come before the body is sent, and is what explains a refused body. */
	if (s->up.readable) {
		head_on_upstream(s);
		if (s->state != STREAM_SEND_REQUEST)
			return;
	}
	if (s->up.writable)
		send_pump(s);
}

void send_on_timeout(struct stream *s);
void send_on_timeout(struct stream *s)
{
	uint64_t now = loop_now_ms(s->env->loop);
	bool upstream_full = s->req_head_sent < s->req_head.len || backlog_len(&s->to_up);
	uint64_t limit = upstream_full ? s->route->timeouts.head_ms : s->route->timeouts.request_body_ms;

	if (now < s->progress_ms + limit) {
		timer_at(s->env->loop, &s->timer, s->progress_ms + limit);
		return;
	}
	s->close_client = true;
	stream_drop_upstream(s, upstream_full ? LEASE_FAILED : LEASE_CLOSED);
	if (upstream_full)
		stream_unreachable(s, 504, SLUICE_BY_TIMEOUT, "upstream_stalled");
	else
		stream_reply(
			s, 408, SLUICE_BY_TIMEOUT, "request_body", "The request body did not come in time.");
}
