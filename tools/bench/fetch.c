#include "fetch.h"
#include "base/clock.h"
#include "response.h"
#include <poll.h>
#include <stdio.h>

static int wait_for(int fd, short events, uint64_t deadline_ns)
{
	uint64_t now = clock_mono_ns();
	struct pollfd p = {.fd = fd, .events = events};
	int n;

	if (now >= deadline_ns)
		return -ETIMEDOUT;
	n = poll(&p, 1, (int)MIN((deadline_ns - now) / NS_PER_MS + 1, 3600000ULL));
	if (n < 0)
		return -errno;
	return n ? 0 : -ETIMEDOUT;
}

static int wait_wire(const struct wire *w, short events, uint64_t deadline_ns)
{
	return wait_for(w->fd, (short)(events | (w->want_out ? POLLOUT : 0)), deadline_ns);
}

static int open_wire(const struct net_url *url, uint64_t deadline_ns, struct fetch *f)
{
	int err = net_connect(&url->address, NULL, &f->wire.fd);

	if (!err)
		err = wait_for(f->wire.fd, POLLOUT, deadline_ns);
	if (!err && url->tls)
		err = wire_client_context(1, &f->tls);
	if (!err)
		err = wire_init(&f->wire, f->wire.fd, f->tls, WIRE_CLIENT);
	if (err)
		return err;
	while ((err = wire_handshake(&f->wire)) == -EAGAIN) {
		err = wait_wire(&f->wire, POLLIN, deadline_ns);
		if (err)
			return err;
	}
	return err;
}

int fetch_open(const struct net_url *url, const char *fields, uint64_t deadline_ns, struct fetch *ret)
{
	_cleanup_(fetch_close) struct fetch f = FETCH_NONE;
	char request[2048];
	ssize_t sent;
	int n, err = open_wire(url, deadline_ns, &f);

	if (err)
		return err;
	n = snprintf(request, sizeof(request), "GET %s HTTP/1.1\r\nHost: %s\r\n%s\r\n", url->path, url->host,
		fields);
	if (n >= (int)sizeof(request))
		return -EMSGSIZE;
	sent = wire_send(&f.wire, request, (size_t)n);
	if (sent != n)
		return sent < 0 ? (int)sent : -EIO;
	*ret = f;
	f = FETCH_NONE;
	return 0;
}

void fetch_close(struct fetch *f)
{
	wire_done(&f->wire);
	wire_context_free(&f->tls);
	if (f->wire.fd >= 0)
		close(f->wire.fd);
	*f = FETCH_NONE;
}

ssize_t fetch_read(struct fetch *f, char *p, size_t n, uint64_t deadline_ns)
{
	for (;;) {
		ssize_t got = wire_recv(&f->wire, p, n);
		int err;

		if (got != -EAGAIN)
			return got;
		err = wait_wire(&f->wire, POLLIN, deadline_ns);
		if (err)
			return err;
	}
}

static int read_all(struct fetch *f, uint64_t deadline_ns, struct response *r, struct buf *out)
{
	char bytes[4096];

	for (;;) {
		ssize_t n = fetch_read(f, bytes, sizeof(bytes), deadline_ns);

		if (n < 0)
			return (int)n;
		if (n == 0)
			return response_eof(r) && r->status == 200 ? 0 : -EBADMSG;
		for (size_t at = 0; at < (size_t)n && r->state <= RESPONSE_BODY;) {
			struct slice body;

			at += response_next(r, bytes + at, (size_t)n - at, &body);
			if (out->len + body.n > FETCH_BODY_MAX || buf_append(out, body.p, body.n))
				return -ENOBUFS;
		}
		if (r->state == RESPONSE_END)
			return r->status == 200 ? 0 : -EBADMSG;
		if (r->state == RESPONSE_BAD)
			return -EBADMSG;
	}
}

int fetch_body(const struct net_url *url, uint64_t deadline_ns, struct buf *out)
{
	_cleanup_(fetch_close) struct fetch f = FETCH_NONE;
	struct response r;
	int err = fetch_open(url, "Connection: close\r\n", deadline_ns, &f);

	if (err)
		return err;
	response_init(&r);
	err = read_all(&f, deadline_ns, &r, out);
	response_done(&r);
	return err;
}
