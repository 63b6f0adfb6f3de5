/* Looks at the frame headers of an HTTP/2 connection before nghttp2 does, and says when a peer asks for more
 * work than it is worth: the floods of http-rules.md. It judges no syntax; that is nghttp2's. Pure: time is
 * passed in. Private to proto/. */
#ifndef SLUICE_PROTO_H2_METER_H
#define SLUICE_PROTO_H2_METER_H

#include "proto/h2.h"

/* A leaky bucket: `level` drains with the limit per second, and may hold one second's worth. */
struct h2_bucket {
	uint64_t at_ms;
	uint64_t level; /* thousandths */
};

/* One more; false: that was too many. */
bool h2_bucket_take(struct h2_bucket *b, unsigned per_s, uint64_t now_ms);
/* Gives room for n back at once. */
void h2_bucket_credit(struct h2_bucket *b, unsigned n);

enum h2_meter_phase {
	H2_METER_PREFACE,
	H2_METER_HEADER,
	H2_METER_PADDING,  /* the length of the padding comes next */
	H2_METER_PRIORITY, /* of HEADERS */
	H2_METER_UPDATES,  /* HPACK table size updates may stand at the start of a block */
	H2_METER_INTEGER,  /* the rest of one */
	H2_METER_SKIP,
};

struct h2_meter {
	const struct h2_limits *limits;
	struct h2_stats *stats;
	/* An RST_STREAM came: true when the stream is an answered event stream that is cancelled for the
	 * first time. */
	bool (*is_cancel)(void *arg, int32_t id);
	void *arg;
	enum h2_meter_phase phase;
	uint32_t skip; /* bytes of the preface, or of a HEADERS' priority, that are still to come */
	uint32_t left; /* bytes of the payload that are still to come */
	uint8_t header[9];
	uint8_t have; /* bytes of `header` */
	uint8_t type, flags;
	bool pad_due; /* the next byte of a HEADERS' payload says how much padding there is */
	uint8_t pad;  /* that much, at the payload's end: no part of the header block */
	unsigned continuations, updates; /* in this head */
	bool block_start;		 /* only table size updates have come of this header block */
	struct h2_bucket resets, pings, settings, empty_data, padding, window_updates, priorities, unknown;
};

void h2_meter_init(struct h2_meter *m, const struct h2_limits *limits, struct h2_stats *stats,
	bool (*is_cancel)(void *arg, int32_t id), void *arg);
/* Reads on. *ret_good: how many of the n bytes nghttp2 may see: all, or those before the frame that was too
 * many. */
enum h2_reason h2_meter_read(struct h2_meter *m, const char *p, size_t n, uint64_t now_ms, size_t *ret_good);

#endif
