#include "load_worker.h"
#include "base/clock.h"
#include <stdio.h>

/* What a client that may stop reading gives to a stream: RFC 9113's default, as curl and many libraries do.
 */
#define H2_STALL_WINDOW 65535

static char scratch[65536]; /* what one read brings; a worker has one thread */

void load_conn_close(struct load_conn *c)
{
	if (c->state == LOAD_CONN_IDLE || c->state == LOAD_CONN_OVER)
		return;
	c->state = LOAD_CONN_OVER;
	loop_del(c->worker->loop, &c->source);
	wire_done(&c->wire);
	if (c->source.fd >= 0)
		close(c->source.fd);
	c->source.fd = -1;
	response_done(&c->response);
	h2_session_done(&c->h2);
}

/* The connection is of no more use, and so are its streams. */
static void conn_fail(struct load_conn *c, const char *why)
{
	char kept[160]; /* `why` may lie in what is freed here */

	snprintf(kept, sizeof(kept), "%s", why);
	load_conn_close(c);
	for (uint32_t i = 0; i < c->count; i++)
		load_stream_fail(&c->streams[i], kept);
}

static bool uses_h2(const struct load_conn *c)
{
	return c->worker->settings->http == 2;
}

/* Sends what waits; an event stream's client says little, so this is short. */
static int flush(struct load_conn *c)
{
	struct buf *out = &c->h2.out;
	bool want_out, want_in = !(c->count == 1 && c->streams->stalled && !uses_h2(c));

	while (out->len) {
		ssize_t n = wire_send(&c->wire, out->data, out->len);

		if (n == -EAGAIN)
			break;
		if (n < 0)
			return (int)n;
		buf_drop(out, (size_t)n);
	}
	want_out = c->wire.want_out || (out->len && !c->wire.ssl);
	return loop_mod(c->worker->loop, &c->source,
		EPOLLRDHUP | (want_in ? EPOLLIN : 0) | (want_out ? EPOLLOUT : 0));
}

static int ask(struct load_conn *c, struct load_stream *s)
{
	const struct buf *request = &c->worker->request;
	ssize_t n;
	int err = c->worker->settings->mode == LOAD_ABORT ? worker_make_request(c->worker, s->tag) : 0;

	if (err)
		return err;
	s->state = STREAM_HEAD;
	if (uses_h2(c))
		return h2_session_request(&c->h2, buf_slice(request), s, &s->id);
	n = wire_send(&c->wire, request->data, request->len);
	return n < 0 ? (int)n : (size_t)n == request->len ? 0 : -EIO;
}

static void on_head(struct h2_session *h2, void *stream, unsigned status, struct slice type)
{
	static const struct slice sse = SLICE("text/event-stream");

	(void)h2;
	load_stream_head(stream, status,
		type.n >= sse.n && slice_eq_nocase((struct slice){type.p, sse.n}, sse), clock_mono_ns());
}

static void on_data(struct h2_session *h2, void *stream, struct slice body)
{
	struct load_stream *s = stream;

	(void)h2;
	if (s->state == STREAM_OPEN && !s->stalled)
		load_stream_body(s, body, s->conn->read_ns);
}

static void on_over(struct h2_session *h2, void *stream, const char *why)
{
	(void)h2;
	load_stream_fail(stream, why);
}

static void on_settings(struct h2_session *h2);

static const struct h2_calls h2_calls = {on_settings, on_head, on_data, on_over};

const char *load_conn_error(int err)
{
	switch (err) {
	case -EBUSY:
		return "the server allows fewer streams on a connection (SETTINGS_MAX_CONCURRENT_STREAMS)";
	case -EPIPE:
		return "the connection was ending when a stream was asked for";
	case -ENOTCONN:
		return "its connection had failed";
	case -EPROTONOSUPPORT:
		return "the server did not choose h2 (ALPN)";
	default:
		return wire_error(err);
	}
}

/* The connection can carry requests: asks for all that wait. */
static void conn_up(struct load_conn *c)
{
	c->state = LOAD_CONN_UP;
	hist_add(&c->worker->result->connect, clock_mono_ns() - c->connect_ns);
	for (uint32_t i = 0; i < c->count; i++) {
		int err = c->streams[i].state == STREAM_WAIT ? ask(c, &c->streams[i]) : 0;

		if (err)
			load_stream_fail(&c->streams[i], load_conn_error(err));
	}
}

static void on_settings(struct h2_session *h2)
{
	conn_up(container_of(h2, struct load_conn, h2));
}

static int on_secure(struct load_conn *c)
{
	int err;

	if (!uses_h2(c)) {
		response_init(&c->response);
		conn_up(c);
		return flush(c);
	}
	if (c->wire.ssl && wire_http(&c->wire) != 2)
		return -EPROTONOSUPPORT;
	err = h2_session_init(&c->h2, &h2_calls,
		c->worker->settings->mode == LOAD_STALL ? H2_STALL_WINDOW : H2_STREAM_WINDOW);
	c->state = LOAD_CONN_SETTINGS;
	return err ? err : flush(c);
}

static void on_handshake(struct load_conn *c)
{
	int err = wire_handshake(&c->wire);
	char why[120];

	if (err == -EAGAIN)
		err = loop_mod(c->worker->loop, &c->source,
			EPOLLIN | EPOLLRDHUP | (c->wire.want_out ? EPOLLOUT : 0));
	else if (!err)
		err = on_secure(c);
	if (!err)
		return;
	snprintf(why, sizeof(why), "cannot connect: %s", load_conn_error(err));
	conn_fail(c, why);
}

/* NULL to go on, else why the connection is over. */
static const char *on_bytes_h1(struct load_conn *c, const char *p, size_t n)
{
	struct load_stream *s = c->streams;
	struct response *r = &c->response;

	while (n && s->state < STREAM_CLOSED) {
		struct slice body;
		size_t used = response_next(r, p, n, &body);

		if (r->state == RESPONSE_BAD)
			return r->status ? "the chunked framing was broken" : "no HTTP/1.1 head came";
		if (s->state == STREAM_HEAD && r->status) {
			load_stream_head(s, r->status, r->event_stream, c->read_ns);
			response_drop_head(r);
		}
		if (s->state == STREAM_OPEN)
			load_stream_body(s, body, c->read_ns);
		if (s->state == STREAM_CLOSED)
			return NULL;
		if (r->state == RESPONSE_END)
			return "a stream came to its end";
		p += used;
		n -= used;
	}
	return s->state == STREAM_OVER ? "the stream is over" : NULL;
}

static const char *on_bytes_h2(struct load_conn *c, const char *p, size_t n)
{
	return h2_session_feed(&c->h2, p, n) ? c->h2.why : NULL;
}

static const char *read_error(ssize_t n)
{
	return n == 0 ? "a stream was closed" : n == -ECONNRESET ? "a stream was reset" : wire_error((int)n);
}

static void on_readable(struct load_conn *c)
{
	const char *why = NULL;
	int err;

	do {
		ssize_t n = wire_recv(&c->wire, scratch, sizeof(scratch));

		if (n == -EAGAIN)
			break;
		c->read_ns = clock_mono_ns();
		if (n <= 0)
			why = read_error(n);
		else
			why = uses_h2(c) ? on_bytes_h2(c, scratch, (size_t)n)
					 : on_bytes_h1(c, scratch, (size_t)n);
	} while (!why && wire_pending(&c->wire));
	if (why) {
		conn_fail(c, why);
		return;
	}
	err = flush(c);
	if (err)
		conn_fail(c, wire_error(err));
}

static void on_ready(struct source *source, uint32_t events)
{
	struct load_conn *c = container_of(source, struct load_conn, source);

	(void)events;
	if (c->count == 1 && c->streams->stalled && !uses_h2(c)) {
		/* Nothing but its end is waited for. */
		conn_fail(c, "a stream that stopped reading was ended");
		return;
	}
	if (c->state == LOAD_CONN_CONNECT) {
		int err = 0;
		socklen_t n = sizeof(err);

		getsockopt(source->fd, SOL_SOCKET, SO_ERROR, &err, &n);
		if (err) {
			char why[120];

			snprintf(why, sizeof(why), "cannot connect: %s", strerror(err));
			conn_fail(c, why);
			return;
		}
		c->state = LOAD_CONN_TLS;
	}
	if (c->state == LOAD_CONN_TLS) {
		on_handshake(c);
		/* The server's first bytes may have come together with the end of its handshake. */
		if (c->state <= LOAD_CONN_TLS || c->state == LOAD_CONN_OVER || !wire_pending(&c->wire))
			return;
	}
	on_readable(c);
}

static int conn_begin(struct load_conn *c)
{
	struct worker *w = c->worker;
	int err;

	c->state = LOAD_CONN_CONNECT;
	c->source = (struct source){.on_ready = on_ready, .fd = -1};
	c->connect_ns = clock_mono_ns();
	err = net_connect(&w->settings->to.address, w->source, &c->source.fd);
	if (!err)
		err = wire_init(&c->wire, c->source.fd, w->tls, WIRE_CLIENT);
	if (!err)
		err = loop_add(w->loop, &c->source, EPOLLOUT);
	if (err)
		load_conn_close(c);
	return err;
}

void load_conn_give_up(struct load_conn *c, struct load_stream *s, const char *why)
{
	if (c->count == 1) {
		conn_fail(c, why);
		return;
	}
	if (c->state == LOAD_CONN_UP && s->state == STREAM_HEAD && h2_session_cancel(&c->h2, s->id))
		why = "out of memory";
	load_stream_fail(s, why);
}

void load_conn_drop(struct load_conn *c, struct load_stream *s)
{
	s->state = STREAM_CLOSED;
	if (!uses_h2(c)) {
		load_conn_close(c);
		return;
	}
	/* An error here is a connection that failed meanwhile; its streams are told elsewhere. */
	if (c->state == LOAD_CONN_UP && !h2_session_cancel(&c->h2, s->id) && flush(c))
		conn_fail(c, "a connection failed when a stream was cancelled");
}

void load_conn_stall(struct load_conn *c, struct load_stream *s)
{
	s->stalled = true;
	if (uses_h2(c))
		h2_session_stall(&c->h2, s->id);
	else if (c->state == LOAD_CONN_UP && flush(c))
		conn_fail(c, "a connection failed when it was to be read no more");
}

int load_conn_want(struct load_conn *c, struct load_stream *s)
{
	int err;

	s->state = STREAM_WAIT;
	s->begin_ns = clock_mono_ns();
	if (c->worker->settings->mode == LOAD_SETUP && !uses_h2(c) && c->state == LOAD_CONN_OVER)
		c->state = LOAD_CONN_IDLE;
	switch (c->state) {
	case LOAD_CONN_IDLE:
		err = conn_begin(c);
		s->begin_ns = c->connect_ns;
		return err;
	case LOAD_CONN_UP:
		err = ask(c, s);
		return err ? err : flush(c);
	case LOAD_CONN_OVER:
		return -ENOTCONN;
	default:
		return 0;
	}
}
