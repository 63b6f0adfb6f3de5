/* Writes one event of the origin: bytes into a buffer, nothing else. Every event says who it is (`id`, `seq`)
 * and when it was sent (`t`, CLOCK_MONOTONIC), so that any client can judge order, loss and latency. */
#ifndef SLUICE_BENCH_EVENT_MAKE_H
#define SLUICE_BENCH_EVENT_MAKE_H

#include "base/buf.h"

struct event_spec {
	uint64_t seq;
	uint64_t t_ns;
	uint64_t size; /* bytes of the event's text from `id` to the blank line; as long as it must be when
			  that is more */
	uint64_t retry_ms; /* > 0: a `retry` line goes in front, beyond `size` */
	bool chunked;	   /* as one chunk */
};

/* Appends the event. -ENOMEM. */
must_check int event_make(struct buf *out, const struct event_spec *spec);

#endif
