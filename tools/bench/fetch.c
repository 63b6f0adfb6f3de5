#include "fetch.h"
#include "base/clock.h"
#include "response.h"
#include <poll.h>
#include <stdio.h>

#define BODY_MAX 65536

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

int fetch_open(const struct net_url *url, const char *fields, uint64_t deadline_ns, int *ret_fd)
{
	_cleanup_close_ int fd = -1;
	char request[2048];
	ssize_t sent;
	int n, err = net_connect(&url->address, NULL, &fd);

	if (!err)
		err = wait_for(fd, POLLOUT, deadline_ns);
	if (err)
		return err;
	n = snprintf(request, sizeof(request), "GET %s HTTP/1.1\r\nHost: %s\r\n%s\r\n", url->path, url->host,
		fields);
	if (n >= (int)sizeof(request))
		return -EMSGSIZE;
	sent = send(fd, request, (size_t)n, MSG_NOSIGNAL);
	if (sent != n)
		return sent < 0 ? -errno : -EIO;
	*ret_fd = take_fd(fd);
	return 0;
}

ssize_t fetch_read(int fd, char *p, size_t n, uint64_t deadline_ns)
{
	for (;;) {
		ssize_t got = recv(fd, p, n, 0);
		int err;

		if (got >= 0)
			return got;
		if (errno != EAGAIN)
			return -errno;
		err = wait_for(fd, POLLIN, deadline_ns);
		if (err)
			return err;
	}
}

static int read_all(int fd, uint64_t deadline_ns, struct response *r, struct buf *out)
{
	char bytes[4096];

	for (;;) {
		ssize_t n = fetch_read(fd, bytes, sizeof(bytes), deadline_ns);

		if (n < 0)
			return (int)n;
		if (n == 0)
			return response_eof(r) && r->status == 200 ? 0 : -EBADMSG;
		for (size_t at = 0; at < (size_t)n && r->state <= RESPONSE_BODY;) {
			struct slice body;

			at += response_next(r, bytes + at, (size_t)n - at, &body);
			if (out->len + body.n > BODY_MAX || buf_append(out, body.p, body.n))
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
	_cleanup_close_ int fd = -1;
	struct response r;
	int err = fetch_open(url, "Connection: close\r\n", deadline_ns, &fd);

	if (err)
		return err;
	response_init(&r);
	err = read_all(fd, deadline_ns, &r, out);
	response_done(&r);
	return err;
}
