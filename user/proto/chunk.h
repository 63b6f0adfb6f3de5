/* Chunked transfer coding (RFC 9112 7.1), as a resumable reader: bytes in, payload slices and positions out.
 * One struct per direction of a message, 40 bytes, no allocation. Strict: CRLF only, hex digits only, bounded
 * extensions and trailers. The relay that passes chunks on unchanged and the one that unpacks them use the
 * same. */
#ifndef SLUICE_PROTO_CHUNK_H
#define SLUICE_PROTO_CHUNK_H

#include "proto/h1.h"

enum chunk_state {
	CHUNK_SIZE, /* at or inside a chunk-size line; at its start: a chunk boundary */
	CHUNK_EXT,
	CHUNK_SIZE_LF,
	CHUNK_DATA,
	CHUNK_DATA_CR,
	CHUNK_DATA_LF,
	CHUNK_TRAILER, /* behind the last chunk: trailer fields and the final empty line */
	CHUNK_DONE,
	CHUNK_BAD,
};

struct chunk_reader {
	uint64_t left; /* payload bytes left in this chunk; in CHUNK_SIZE the value so far, in CHUNK_TRAILER a
			  hash */
	uint64_t overhead; /* extension bytes that payload has not paid back byte for byte; over 100 KiB:
			      refused, A28 */
	uint32_t ext;	   /* bytes of this size line, or of all trailers */
	uint8_t state;	   /* enum chunk_state */
	uint8_t digits;
	uint8_t line;	  /* CHUNK_EXT, CHUNK_TRAILER: where in a line */
	uint8_t quoted;	  /* CHUNK_EXT: inside a quoted string, and after a backslash */
	uint64_t chunks;  /* data chunks begun */
	enum h1_rule bad; /* the rule broken, in CHUNK_BAD */
};

/* What one call found: at most one run of payload. */
struct chunk_step {
	size_t used; /* bytes taken from the input; less than n only at a payload's end, in DONE or in BAD */
	struct slice payload; /* part of the input; n == 0: none in this step */
};

void chunk_init(struct chunk_reader *r);
/* Reads on. Call again with the rest until used == n or the state is DONE or BAD: in BAD `used` stops before
 * the first byte that breaks the rule; in DONE what is left belongs to the next message. */
struct chunk_step chunk_next(struct chunk_reader *r, const char *p, size_t n);

/* True between chunks: a whole chunk of the relay's own may go here. */
static inline bool chunk_at_boundary(const struct chunk_reader *r)
{
	return r->state == CHUNK_SIZE && r->digits == 0;
}

#define CHUNK_HEAD_MAX 18 /* 16 hex digits and CRLF */
/* Writes "<hex>\r\n" for a payload of n bytes. Returns its length. */
size_t chunk_write_head(char out[CHUNK_HEAD_MAX], uint64_t n);

#endif
