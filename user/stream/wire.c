#include "stream/wire.h"
#include <sys/socket.h>

void wire_note(struct wire *w, uint32_t events)
{
	if (events & EPOLLIN)
		w->readable = true;
	if (events & EPOLLOUT)
		w->writable = true;
	if (events & EPOLLRDHUP)
		w->fin = w->readable = true;
	if (events & (EPOLLHUP | EPOLLERR))
		w->dead = w->readable = w->writable = true;
	/* A KeyUpdate's answer may have to go out before anything can be read, and the other way round. */
	if (unlikely(w->tls)) {
		w->readable |= w->writable && tls_recv_wants_write(w->tls);
		w->writable |= w->readable && tls_send_wants_read(w->tls);
		if (w->shutting && w->writable)
			wire_shut(w);
	}
}

ssize_t wire_recv(struct wire *w, void *p, size_t n)
{
	ssize_t got;

	if (unlikely(w->ops))
		return w->ops->recv(w, p, n);
	do
		got = recv(w->source.fd, p, n, 0);
	while (got < 0 && errno == EINTR);
	if (got < 0) {
		if (errno == EAGAIN)
			w->readable = false;
		return -errno;
	}
	/* A short read emptied the socket, and new bytes make a new edge; but an end must still be read. */
	if ((size_t)got < n && !w->fin && !w->dead)
		w->readable = false;
	return got;
}

static ssize_t socket_send(struct wire *w, const struct iovec *iov, size_t niov, bool more)
{
	struct msghdr msg = {.msg_iov = (struct iovec *)iov, .msg_iovlen = niov};
	int flags = MSG_NOSIGNAL | (more ? MSG_MORE : 0);
	ssize_t sent;

	do
		sent = niov == 1 ? send(w->source.fd, iov->iov_base, iov->iov_len, flags)
				 : sendmsg(w->source.fd, &msg, flags);
	while (sent < 0 && errno == EINTR);
	return sent < 0 ? -errno : sent;
}

ssize_t wire_send(struct wire *w, const struct iovec *iov, size_t niov, size_t n, bool more)
{
	ssize_t sent;

	if (!w->writable)
		return 0;
	if (unlikely(w->ops))
		return w->ops->send(w, iov, niov);
	sent = socket_send(w, iov, niov, more);
	if (sent == -EAGAIN)
		sent = 0;
	if (sent >= 0 && (size_t)sent < n)
		w->writable = false;
	return sent;
}

void wire_shut(struct wire *w)
{
	if (w->ops)
		w->ops->shut(w);
	else
		shutdown(w->source.fd, SHUT_WR);
}

/* ---- TLS */

static ssize_t tls_wire_recv(struct wire *w, void *p, size_t n)
{
	ssize_t got = tls_recv(w->tls, p, n);

	if (got == -EAGAIN)
		w->readable = false;
	return got;
}

#define TLS_PIECES 4 /* slices in one call, at most */

/* A call of tls_send makes one record at most. What the socket did not take of one is offered again with the
 * same bytes, as OpenSSL asks: they are the first of the backlog. */
static ssize_t tls_wire_send(struct wire *w, const struct iovec *iov, size_t niov)
{
	struct iovec left[TLS_PIECES];
	size_t total = 0, at = 0;

	niov = MIN(niov, (size_t)TLS_PIECES);
	memcpy(left, iov, niov * sizeof(*iov));
	while (at < niov) {
		ssize_t sent = tls_send(w->tls, left + at, niov - at);

		if (sent == -EAGAIN) {
			w->writable = false;
			break;
		}
		if (sent < 0)
			return sent;
		total += (size_t)sent;
		for (; at < niov && (size_t)sent >= left[at].iov_len; at++)
			sent -= (ssize_t)left[at].iov_len;
		if (at < niov) {
			left[at].iov_base = (char *)left[at].iov_base + sent;
			left[at].iov_len -= (size_t)sent;
		}
	}
	return (ssize_t)total;
}

static void tls_wire_shut(struct wire *w)
{
	w->shutting = !tls_shutdown(w->tls);
	if (w->shutting)
		w->writable = false;
	else
		shutdown(w->source.fd, SHUT_WR);
}

void wire_look(struct wire *w)
{
	if (w->readable && !w->fin && tls_peek_end(w->tls))
		w->fin = true;
}

const struct wire_ops wire_tls_ops = {tls_wire_recv, tls_wire_send, tls_wire_shut};

void wire_drop_tls(struct wire *w)
{
	tls_conn_free(w->tls);
	w->tls = NULL;
	w->shutting = false;
	if (w->ops == &wire_tls_ops)
		w->ops = NULL;
}
