/* One side of a stream: an fd as edge-triggered epoll sees it, and what talks over it. Plain sockets need
 * nothing more; TLS and the streams of an HTTP/2 connection bring their own `ops`. Embedded in its owner, on
 * its worker's thread. */
#ifndef SLUICE_STREAM_WIRE_H
#define SLUICE_STREAM_WIRE_H

#include "event/loop.h"
#include "tls/tls.h"
#include <sys/uio.h>

struct wire;

/* As the functions below, for what is not a plain socket; each keeps the flags itself. `send` takes all, or
 * clears `writable`. */
struct wire_ops {
	ssize_t (*recv)(struct wire *w, void *p, size_t n);
	ssize_t (*send)(struct wire *w, const struct iovec *iov, size_t niov);
	void (*shut)(struct wire *w);
};

/* A flag stays up until the socket says EAGAIN. */
struct wire {
	struct source source;	    /* fd -1: none */
	const struct wire_ops *ops; /* NULL: a plain socket */
	struct tls_conn *tls;	    /* with ops == &wire_tls_ops */
	bool readable, writable;
	bool fin;      /* EPOLLRDHUP, or close_notify: the peer will send no more */
	bool dead;     /* EPOLLHUP or EPOLLERR */
	bool shutting; /* wire_shut() was called; close_notify waits for room in the socket */
};

extern const struct wire_ops wire_tls_ops;

/* What epoll reported. */
void wire_note(struct wire *w, uint32_t events);
/* As recv(2), keeping the flags: > 0, 0 at the end, -EAGAIN or another negative errno. */
must_check ssize_t wire_recv(struct wire *w, void *p, size_t n);
/* As sendmsg(2) of `n` bytes in all, keeping the flags: what was taken, less than n when the socket is full
 * (0 too), or a negative errno. `more`: bytes follow at once, and may share their packet. */
must_check ssize_t wire_send(struct wire *w, const struct iovec *iov, size_t niov, size_t n, bool more);
/* TLS, when bytes came that nobody reads now: notices the peer's close_notify. */
void wire_look(struct wire *w);
/* No more will be sent; the peer is told that this is the end: now, or by wire_note() once the socket has
 * room for that. */
void wire_shut(struct wire *w);
/* Frees the session; the fd stays open, and is a plain socket again. */
void wire_drop_tls(struct wire *w);

#endif
