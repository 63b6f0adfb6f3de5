/* Takes chunked transfer coding apart, for the benchmark's own ends of the line. Not the relay's reader
 * (proto/chunk) on purpose: a tool that checks the relay must not share its mistakes. Bytes in, payload out;
 * no I/O, no allocation. */
#ifndef SLUICE_BENCH_DECHUNK_H
#define SLUICE_BENCH_DECHUNK_H

#include "base/slice.h"

enum dechunk_state {
	DECHUNK_SIZE,
	DECHUNK_EXT,
	DECHUNK_DATA,
	DECHUNK_AFTER,
	DECHUNK_TRAILER,
	DECHUNK_END,
	DECHUNK_BAD
};

struct dechunk {
	uint64_t left;	 /* of this chunk; in DECHUNK_SIZE the number so far */
	uint64_t chunks; /* data chunks begun */
	uint8_t state;	 /* enum dechunk_state */
	uint8_t digits;
	uint16_t line; /* DECHUNK_TRAILER: bytes of this line; DECHUNK_AFTER: whether the CR came */
};

/* Reads on from a zeroed struct. Returns the bytes used and the payload found among them (n == 0: none); call
 * again with the rest until all is used or the state is END or BAD. */
size_t dechunk_next(struct dechunk *d, const char *p, size_t n, struct slice *ret_payload);

#endif
