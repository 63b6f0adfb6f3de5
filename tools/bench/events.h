/* Reads the origin's event stream: payload bytes in, events out, with the sequence number and the time of
 * sending that each carries. Keeps only the start of each line (padding is counted, not stored); no I/O, no
 * allocation. */
#ifndef SLUICE_BENCH_EVENTS_H
#define SLUICE_BENCH_EVENTS_H

#include "base/slice.h"

#define EVENTS_LINE_KEEP 120 /* bytes of a line that are looked at; enough for both numbers */

/* One event, valid until the next call. */
struct event {
	uint64_t id;		     /* of the `id` line; 0: none, or not a number */
	uint64_t seq;		     /* of the data; 0: none */
	uint64_t t_ns;		     /* of the data, CLOCK_MONOTONIC of the sender; 0: none */
	uint64_t bytes;		     /* from its first byte to the blank line's end */
	char data[EVENTS_LINE_KEEP]; /* start of the (last) data line */
	uint8_t data_len;
	bool data_cut; /* the data line was longer */
	bool has_data;
	bool whole; /* the last data line ended in `}` */
};

struct events {
	struct event now;  /* the one being read */
	uint64_t comments; /* lines that began with ':' */
	uint64_t retry_ms; /* of the last `retry` line */
	char line[EVENTS_LINE_KEEP];
	uint8_t kept; /* bytes in `line` */
	char last;    /* the last byte of the line so far, kept or not */
	bool cut;     /* the line was longer than `line` */
	bool begun;   /* `now` holds something of an unfinished event */
};

/* Reads on from a zeroed struct. Returns the bytes used; *ret_done tells whether an event ended there (then
 * it is in e->now until the next call). Call again with the rest. Lines may end in LF or CRLF. */
size_t events_next(struct events *e, const char *p, size_t n, bool *ret_done);

/* What came in which order. */
struct sequence {
	uint64_t next;	   /* the number that should come; 0: none came yet */
	uint64_t lost;	   /* numbers skipped */
	uint64_t repeated; /* numbers that were behind: doubled, or out of order */
};

void sequence_see(struct sequence *s, uint64_t seq);

#endif
