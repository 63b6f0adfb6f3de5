/* Event-stream position (WHATWG HTML 9.2.6): counts events and knows where a comment may be put. Feeds on
 * payload bytes as they pass, changes nothing. 16 bytes per stream, no allocation. */
#ifndef SLUICE_PROTO_SSE_H
#define SLUICE_PROTO_SSE_H

#include "base/slice.h"

enum sse_place {
	SSE_START,	/* no byte yet: a BOM may come, nothing may be put here */
	SSE_BOM,	/* inside a possible BOM */
	SSE_BOUNDARY,	/* behind a blank line, or behind the BOM: between events */
	SSE_LINE_START, /* behind a line's end, inside an event */
	SSE_IN_LINE,
	SSE_CR_LINE,	 /* behind a CR that ended a line: an LF may still belong to it */
	SSE_CR_BOUNDARY, /* behind a CR that ended a blank line */
};

struct sse_scan {
	uint64_t events; /* events dispatched: blank lines that ended a block with at least one `data` line */
	uint8_t place;	 /* enum sse_place */
	uint8_t bom;	 /* bytes of a BOM seen */
	uint8_t name;	 /* how much of "data" this line has matched; 0xff: it is another field */
	bool has_data;	 /* this block has a `data` line */
};

void sse_init(struct sse_scan *s);
void sse_feed(struct sse_scan *s, const char *p, size_t n);
/* Bytes from the start of p up to and including the end of the last event (blank line) that is complete in it
 * after feeding; 0: none ended. Same pass as sse_feed: feeds all n bytes. For policies that drop whole
 * events. */
size_t sse_feed_last_end(struct sse_scan *s, const char *p, size_t n);
/* Like sse_feed, but stops behind the first blank line that ends a block: returns the bytes used (n when none
 * ended; *ret_end tells). An LF that belongs to a final CR may be left for the next call. */
size_t sse_feed_until_end(struct sse_scan *s, const char *p, size_t n, bool *ret_end);

/* The comment that may be put here without changing what a client sees: ": heartbeat\n\n" at an event
 * boundary, ":\n" at a line's start inside an event, n == 0 where nothing may be put. */
struct slice sse_heartbeat(const struct sse_scan *s);

#endif
