/* A small blocking client for one request at a time: the stream that `watch` shows, and the questions that
 * `compare` asks. Every wait has a deadline. */
#ifndef SLUICE_BENCH_FETCH_H
#define SLUICE_BENCH_FETCH_H

#include "base/buf.h"
#include "net.h"
#include "wire.h"

#define FETCH_BODY_MAX (4 * 1024 * 1024)

/* One open connection. fetch_close() ends it; legal on a zeroed struct with fd -1. */
struct fetch {
	struct wire wire;
	SSL_CTX *tls;
};

#define FETCH_NONE ((struct fetch){.wire.fd = -1})

/* Connects and sends a GET with the extra field lines `fields` ("Name: value\r\n…", may be ""); https:// is
 * HTTP/1.1 over TLS. Negative errno; -ETIMEDOUT at the deadline (monotonic ns). */
must_check int fetch_open(
	const struct net_url *url, const char *fields, uint64_t deadline_ns, struct fetch *ret);
void fetch_close(struct fetch *f);
/* Bytes read, 0 at the end, -ETIMEDOUT at the deadline, or a negative errno (-EINTR too). */
ssize_t fetch_read(struct fetch *f, char *p, size_t n, uint64_t deadline_ns);
/* The whole body of a 200 answer (at most FETCH_BODY_MAX) behind what `out` holds. Negative errno; -EBADMSG
 * for any other answer. */
must_check int fetch_body(const struct net_url *url, uint64_t deadline_ns, struct buf *out);

#endif
