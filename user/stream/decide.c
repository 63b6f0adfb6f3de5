/* DECIDE: the response head is here. How the body travels, and the head for the client. */
#include "base/clock.h"
#include "base/log.h"
#include "net/tuning.h"
#include "stream/stream.h"

#define WARN_EVERY_MS (60 * MS_PER_S) /* about one route */
#define SNDBUF_AFTER_STREAM                                                                                  \
	(512 * 1024) /* a connection whose buffer was made small for a stream, now for a download */

static bool is_stream(const struct stream *s, const struct h1_response *resp)
{
	if (s->route->stream == STREAM_OFF)
		return false;
	return s->route->stream == STREAM_ON || resp->event_stream || resp->x_accel_no;
}

static enum h1_framing client_framing(const struct stream *s, const struct h1_response *resp)
{
	/* HTTP/2 has frames of its own; all but the length of the body is told by them. */
	if (s->client->carrier && (resp->framing == H1_BODY_CHUNKED || resp->framing == H1_BODY_CLOSE))
		return H1_BODY_CLOSE;
	/* HTTP/1.0 knows no chunks; and the end of a body that only a close ends is not made to look certain.
	 */
	if (resp->framing == H1_BODY_CHUNKED && s->minor == 0)
		return H1_BODY_CLOSE;
	return resp->framing;
}

static void plan_body(struct stream *s, const struct h1_response *resp)
{
	struct response_body *b = &s->resp;

	b->in = resp->framing;
	b->out = client_framing(s, resp);
	b->left = resp->content_length;
	b->stream = is_stream(s, resp);
	b->events = resp->event_stream && !resp->encoded && s->route->stream != STREAM_OFF;
	b->reframe = b->in == H1_BODY_CHUNKED && b->out != H1_BODY_CHUNKED;
	b->drops = s->route->slow == SLOW_DROP && b->events && b->in != H1_BODY_LENGTH;
	chunk_init(&b->chunk);
	sse_init(&b->sse);
	s->up_keep = resp->keep_alive && resp->framing != H1_BODY_CLOSE;
	if (b->out == H1_BODY_CLOSE || !s->keep_alive || s->env->draining || s->req.abandoned || !s->req.done)
		s->close_client = true;
}

/* The client's send buffer: small on a stream, so that lag shows at once and is bounded. */
static int set_sndbuf(struct stream *s)
{
	struct client *c = s->client;
	unsigned want = s->resp.stream ? sndbuf_first(s) : (c->sndbuf ? SNDBUF_AFTER_STREAM : 0);

	/* An HTTP/2 connection's is all its streams'. */
	if (c->is_unix || c->carrier || !want || want == c->sndbuf)
		return 0;
	c->sndbuf = want;
	s->ctl->sndbuf = want;
	s->ctl->sndbuf_changes++;
	return tuning_stream(c->wire.source.fd, want);
}

/* The upstream's receive buffer: what it holds for a client that stalls is memory of ours. */
static int set_rcvbuf(struct stream *s)
{
	if (!s->resp.stream || s->lease.addr.sa.sa_family == AF_UNIX)
		return 0;
	s->ctl->rcvbuf = TUNING_STREAM_RCVBUF;
	return tuning_upstream_stream(s->up.source.fd);
}

static void fill_record(struct stream *s, const struct h1_response *resp)
{
	struct sluice_ctl *c = s->ctl;

	ctl_begin(c);
	c->status = resp->status;
	if (resp->status == 101)
		c->lane = SLUICE_LANE_TUNNEL;
	else
		lane_choose_for(s);
	if (s->resp.events || resp->event_stream)
		c->flags |= SLUICE_CTL_EVENT_STREAM;
	if (s->resp.in == H1_BODY_CHUNKED)
		c->flags |= SLUICE_CTL_CHUNKED;
	if (resp->event_stream && resp->encoded)
		c->flags |= SLUICE_CTL_ENCODED;
	c->heartbeat_ms = s->resp.events ? (uint32_t)MIN(s->route->heartbeat_ms, (uint64_t)UINT32_MAX) : 0;
	c->idle_timeout_ms =
		(uint32_t)MIN(s->resp.stream ? s->route->timeouts.idle_ms : s->route->timeouts.body_idle_ms,
			(uint64_t)UINT32_MAX);
	ctl_end(c);
}

/* A session id that the upstream issued brings the next request to the same server. */
static void learn_sticky(struct stream *s, const struct h1_response *resp)
{
	const struct upstream_settings *u = &s->gen->settings->upstreams[s->route->upstream];
	const struct h1_field *f;

	if (u->balance != BALANCE_STICKY || !u->balance_header)
		return;
	f = h1_field_named(resp->fields, resp->nfields, slice_of(u->balance_header));
	if (f && f->value.n)
		upstreams_stick(&s->lease, f->value);
}

/* Do the bytes behind the head go on as they are? Only then may the head wait for them in the socket. */
static bool body_passes(const struct stream *s)
{
	return !s->resp.reframe && s->resp.in != H1_BODY_NONE &&
	       !(s->resp.in == H1_BODY_LENGTH && s->resp.left == 0);
}

static int send_head(struct stream *s, const struct h1_response *resp, bool more)
{
	_cleanup_buf_ struct buf out = {0};
	struct h1_reply reply = {
		.client_minor = s->minor,
		.framing = s->resp.out,
		.keep_alive = !s->close_client,
		.stream = s->resp.stream,
		.upgrade = resp->status == 101,
		.trailers = s->client->carrier && s->resp.in == H1_BODY_CHUNKED,
		.edits = s->route->response_edits,
	};
	int err = h1_write_response(&out, resp, &reply);

	return err ? err : out_send(s, out.data, out.len, more);
}

static void warn_encoded(struct stream *s)
{
	struct route_state *state = &s->gen->routes[s->route - s->gen->settings->routes];
	uint64_t now = loop_now_ms(s->env->loop);

	if (state->warned_ms && now < state->warned_ms + WARN_EVERY_MS)
		return;
	state->warned_ms = now;
	log_warn("route %s: upstream %s compresses its event stream (Content-Encoding): passed on as it is, "
		 "without "
		 "heartbeats, and clients get events when its compressor flushes; turn compression of "
		 "text/event-stream off there",
		s->route->name, s->ctl->upstream_name);
}

static void count(struct stream *s, const struct h1_response *resp)
{
	if (!resp->event_stream)
		return;
	s->env->totals->event_streams++;
	if (resp->encoded) {
		s->env->totals->encoded_streams++;
		warn_encoded(s);
	}
}

static void begin_body(struct stream *s, const struct h1_response *resp, struct slice rest)
{
	if (resp->status == 101) {
		tunnel_begin(s, rest);
		return;
	}
	if (s->resp.in == H1_BODY_NONE || (s->resp.in == H1_BODY_LENGTH && s->resp.left == 0)) {
		s->up_spoilt |= rest.n > 0;
		s->resp.done = true;
		stream_move(s, STREAM_DRAIN);
		stream_finish(s, SLUICE_BY_COMPLETE, NULL);
		return;
	}
	copy_begin(s, rest);
}

void decide(struct stream *s, struct slice rest)
{
	const struct h1_response *resp = &s->env->response;
	struct log_request req = stream_log_request(s);
	int err;

	stream_move(s, STREAM_DECIDE);
	upstreams_worked(&s->lease);
	/* An answer to half a head: what is missing of it will never be sent. */
	if (s->req_head_sent < s->req_head.len) {
		s->req.done = s->req.abandoned = true;
		s->up_spoilt = true;
	}
	buf_reset(&s->req_head);
	s->req_head_sent = 0;
	plan_body(s, resp);
	learn_sticky(s, resp);
	count(s, resp);
	fill_record(s, resp);
	if (resp->status == 101)
		s->close_client = true;
	err = set_rcvbuf(s);
	if (!err)
		err = set_sndbuf(s);
	if (!err)
		err = send_head(s, resp, rest.n > 0 && body_passes(s));
	if (err) {
		stream_lost(s, err);
		return;
	}
	s->ctl->head_ns = loop_now_ns(s->env->loop);
	count_head(s);
	access_log_open(&s->env->log, s->ctl, &req);
	s->logged_open = true;
	begin_body(s, resp, rest);
}
