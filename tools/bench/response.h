/* Reads one HTTP/1.1 response as a client of an event stream: status, framing, then body bytes. Bytes in,
 * slices out; no I/O. One struct per stream; response_done() frees the head. Not the relay's parser: see
 * dechunk.h. */
#ifndef SLUICE_BENCH_RESPONSE_H
#define SLUICE_BENCH_RESPONSE_H

#include "base/buf.h"
#include "dechunk.h"

#define RESPONSE_HEAD_MAX (16 * 1024)

enum response_state { RESPONSE_HEAD, RESPONSE_BODY, RESPONSE_END, RESPONSE_BAD };

struct response {
	struct buf head; /* raw bytes until the head is whole; kept until response_drop_head() */
	struct dechunk chunk;
	uint64_t left;	 /* of a body with a length */
	uint16_t status; /* 0 until the head is whole */
	uint8_t state;	 /* enum response_state */
	bool chunked, has_length;
	bool event_stream; /* Content-Type is text/event-stream */
};

void response_init(struct response *r);
void response_done(struct response *r);
/* Reads on: returns the bytes used and the body bytes among them (n == 0: none). Stops behind the head, so
 * that the caller sees it before any body; call again with the rest. 1xx heads are passed over. */
size_t response_next(struct response *r, const char *p, size_t n, struct slice *ret_body);
/* The connection ended. True when that is a legal end: close-delimited, or all had been said. */
bool response_eof(const struct response *r);
/* First field of that name in the head, without the white space around it; n == 0: none. */
struct slice response_field(const struct response *r, struct slice name);
/* Frees the raw head when nobody will ask for fields any more. */
void response_drop_head(struct response *r);

#endif
