/* A small blocking client for one request at a time: the stream that `watch` shows, and the questions that
 * `compare` asks. Every wait has a deadline. */
#ifndef SLUICE_BENCH_FETCH_H
#define SLUICE_BENCH_FETCH_H

#include "base/buf.h"
#include "net.h"

/* Connects and sends a GET with the extra field lines `fields` ("Name: value\r\n…", may be ""). Negative
 * errno; -ETIMEDOUT at the deadline (monotonic ns). */
must_check int fetch_open(const struct net_url *url, const char *fields, uint64_t deadline_ns, int *ret_fd);
/* Bytes read, 0 at the end, -ETIMEDOUT at the deadline, or a negative errno (-EINTR too). */
ssize_t fetch_read(int fd, char *p, size_t n, uint64_t deadline_ns);
/* The whole body of a 200 answer (at most 64 KiB) behind what `out` holds. Negative errno; -EBADMSG for any
 * other answer. */
must_check int fetch_body(const struct net_url *url, uint64_t deadline_ns, struct buf *out);

#endif
