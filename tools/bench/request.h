/* Reads the head of a request to the origin: bytes in, struct out; no I/O. Only what the origin's few answers
 * need; what it does not understand it refuses, so that a relay's mistake shows. Slices point into the
 * caller's buffer. */
#ifndef SLUICE_BENCH_REQUEST_H
#define SLUICE_BENCH_REQUEST_H

#include "base/slice.h"

#define REQUEST_HEAD_MAX (32 * 1024)

enum request_method { REQUEST_GET, REQUEST_HEAD_ONLY, REQUEST_POST, REQUEST_OTHER };

struct request {
	enum request_method method;
	struct slice path;	/* without the query */
	struct slice query;	/* behind '?' */
	struct slice type;	/* Content-Type */
	uint64_t last_event_id; /* 0: none, or not a number */
	uint64_t length;	/* of the body, when not chunked */
	uint8_t minor;		/* HTTP/1.minor */
	bool chunked;		/* the body is */
	bool expect;		/* 100-continue is waited for */
	bool keep_alive;
};

/* *ret_len: bytes of the head, 0 while it is not whole. -EBADMSG when it is no request; -EMSGSIZE when too
 * long. */
must_check int request_parse(const char *p, size_t n, struct request *ret, size_t *ret_len);

/* The value of `name` in the query; false when it is not there. "a=1&b=2", no percent-decoding: values are
 * numbers. */
bool request_query(struct slice query, struct slice name, struct slice *ret);

#endif
