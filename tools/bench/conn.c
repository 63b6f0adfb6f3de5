#include "origin.h"
#include "base/clock.h"
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>

#define IN_MAX	  65536 /* bytes of the client's that wait while a stream is being sent */
#define LINGER_MS 2000	/* a client that does not close by itself is closed */

static char scratch[65536]; /* what one recv() brings; the origin has one thread */

static void reap(struct task *t)
{
	struct conn *c = container_of(t, struct conn, reaper);

	buf_reset(&c->in);
	buf_reset(&c->out);
	free(c);
}

void conn_close(struct conn *c)
{
	if (c->gone)
		return;
	c->gone = true;
	stream_stop(c);
	timer_stop(&c->linger);
	loop_del(c->origin->loop, &c->source);
	wire_done(&c->wire);
	close(c->source.fd);
	list_remove(&c->link);
	task_defer(c->origin->loop, &c->reaper);
}

static void want(struct conn *c)
{
	bool full = c->in.len >= IN_MAX || (c->echo && c->out.len > ORIGIN_PENDING_MAX);
	bool out = c->wire.want_out || c->out.len;
	uint32_t events = EPOLLRDHUP | (full ? 0 : EPOLLIN) | (out ? EPOLLOUT : 0);

	if (!c->gone && loop_mod(c->origin->loop, &c->source, events))
		conn_close(c);
}

/* All is sent: says so with a FIN, and stays to read until the client closes too; an early close() would send
 * a reset when unread bytes are waiting, and that may destroy the answer. */
static void start_linger(struct conn *c)
{
	c->phase = CONN_LINGER;
	wire_shutdown(&c->wire);
	timer_in(c->origin->loop, &c->linger, LINGER_MS);
}

static void on_linger(struct timer *t)
{
	conn_close(container_of(t, struct conn, linger));
}

void conn_send(struct conn *c, const void *p, size_t n)
{
	ssize_t sent = 0;

	if (c->gone || c->closing)
		return;
	if (!c->out.len) {
		sent = wire_send(&c->wire, p, n);
		if (sent < 0 && sent != -EAGAIN) {
			conn_close(c);
			return;
		}
		sent = MAX(sent, (ssize_t)0);
	}
	if ((size_t)sent == n)
		return;
	if (buf_append(&c->out, (const char *)p + sent, n - (size_t)sent)) {
		conn_close(c);
		return;
	}
	want(c);
}

static void flush(struct conn *c)
{
	ssize_t sent = wire_send(&c->wire, c->out.data, c->out.len);

	if (sent < 0) {
		if (sent != -EAGAIN)
			conn_close(c);
		return;
	}
	buf_drop(&c->out, (size_t)sent);
	if (!c->out.len && c->closing)
		start_linger(c);
	want(c);
}

void conn_finish(struct conn *c)
{
	if (c->gone || c->closing)
		return;
	c->closing = true;
	if (!c->out.len)
		start_linger(c);
}

static void echo(struct conn *c, struct slice body)
{
	char size[24];

	if (!c->echo || !body.n)
		return;
	if (c->body_chunked)
		conn_send(c, size, (size_t)snprintf(size, sizeof(size), "%zx\r\n", body.n));
	conn_send(c, body.p, body.n);
	if (c->body_chunked)
		conn_send(c, "\r\n", 2);
}

/* Takes what is there of the request's body. Returns true when the body is complete. */
static bool read_body(struct conn *c)
{
	size_t at = 0;

	while (at < c->in.len && !c->gone) {
		struct slice body = {c->in.data + at, 0};

		if (c->body_chunked) {
			at += dechunk_next(&c->chunk, c->in.data + at, c->in.len - at, &body);
		} else {
			body.n = (size_t)MIN((uint64_t)(c->in.len - at), c->body_left);
			c->body_left -= body.n;
			at += body.n;
		}
		echo(c, body);
		if (c->chunk.state == DECHUNK_BAD)
			conn_close(c);
		if (c->body_chunked ? c->chunk.state == DECHUNK_END : !c->body_left)
			break;
	}
	buf_drop(&c->in, at);
	return c->body_chunked ? c->chunk.state == DECHUNK_END : !c->body_left;
}

static void refuse(struct conn *c, int err)
{
	static const char bad[] =
		"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
	static const char large[] = "HTTP/1.1 431 Request Header Fields Too Large\r\nContent-Length: 0\r\n"
				    "Connection: close\r\n\r\n";

	if (err == -EMSGSIZE)
		conn_send(c, large, sizeof(large) - 1);
	else
		conn_send(c, bad, sizeof(bad) - 1);
	conn_finish(c);
}

/* Reads one request's head and begins its answer. False when more bytes are needed, or nothing more is to be
 * read. */
static bool read_head(struct conn *c)
{
	struct request r;
	size_t n;
	int err = request_parse(c->in.data, c->in.len, &r, &n);

	if (err)
		refuse(c, err);
	if (err || !n)
		return false;
	c->keep_alive = r.keep_alive;
	c->body_left = r.length;
	c->body_chunked = r.chunked;
	c->chunk = (struct dechunk){0};
	c->echo = false;
	c->phase = CONN_BODY;
	if (r.expect && (r.chunked || r.length))
		conn_send(c, "HTTP/1.1 100 Continue\r\n\r\n", 25);
	answer_request(c, &r);
	buf_drop(&c->in, n);
	return !c->gone && !c->closing;
}

static void process(struct conn *c)
{
	while (!c->gone && !c->closing) {
		if (c->phase == CONN_HEAD && (!c->in.len || !read_head(c)))
			return;
		if (c->phase == CONN_BODY) {
			if (!read_body(c))
				return;
			if (c->echo && c->body_chunked)
				conn_send(c, "0\r\n\r\n", 5);
			c->phase = CONN_ANSWER;
		}
		if (c->phase != CONN_ANSWER || c->stream.on || c->gone)
			return;
		if (!c->keep_alive) {
			conn_finish(c);
			return;
		}
		c->phase = CONN_HEAD;
	}
}

void conn_answered(struct conn *c)
{
	process(c);
	want(c);
}

/* One read's bytes. False when there is nothing more to read now. */
static bool read_some(struct conn *c)
{
	ssize_t n = wire_recv(&c->wire, scratch, sizeof(scratch));

	if (n == -EAGAIN)
		return false;
	if (n <= 0) {
		/* A client that ends its side has nothing more to ask, and an event stream's client is gone.
		 */
		conn_close(c);
		return false;
	}
	if (c->phase == CONN_LINGER)
		return true;
	if (buf_append(&c->in, scratch, (size_t)n)) {
		conn_close(c);
		return false;
	}
	process(c);
	return !c->gone;
}

static void on_readable(struct conn *c)
{
	while (read_some(c) && wire_pending(&c->wire))
		;
	want(c);
}

static void on_ready(struct source *s, uint32_t events)
{
	struct conn *c = container_of(s, struct conn, source);

	if (events & (EPOLLERR | EPOLLHUP)) {
		conn_close(c);
		return;
	}
	if (events & EPOLLOUT && c->out.len)
		flush(c);
	/* TLS may wait for room to answer before it can read on. */
	if (!c->gone && (events & (EPOLLIN | EPOLLRDHUP) || c->wire.want_out))
		on_readable(c);
}

void conn_accept(struct origin *o, int fd)
{
	struct conn *c = calloc(1, sizeof(*c));
	int on = 1;

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (!c || wire_init(&c->wire, fd, o->tls, WIRE_SERVER)) {
		free(c);
		close(fd);
		return;
	}
	c->origin = o;
	c->source = (struct source){.on_ready = on_ready, .fd = fd};
	task_init(&c->reaper, reap);
	timer_init(&c->linger, on_linger);
	list_push_back(&o->conns, &c->link);
	if (loop_add(o->loop, &c->source, EPOLLIN | EPOLLRDHUP))
		conn_close(c);
}
