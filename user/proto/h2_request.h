/* A request's head (or trailers) as its fields come out of HPACK, checked by the rules and character tables
 * of HTTP/1, and at the end a struct h1_request: nothing in it can break the request line or a field line
 * that is made of it. Bounded while it grows. Pure. Source: RFC 9113 8. Private to proto/. */
#ifndef SLUICE_PROTO_H2_REQUEST_H
#define SLUICE_PROTO_H2_REQUEST_H

#include "base/buf.h"
#include "proto/h1.h"

enum h2_pseudo { H2_METHOD, H2_SCHEME, H2_AUTHORITY, H2_PATH, H2_PSEUDO_COUNT };

/* Bytes of `text`: they move while it grows. */
struct h2_span {
	uint32_t at, n;
};

struct h2_fields {
	int32_t id; /* of the stream */
	bool trailers;
	bool regular;	    /* a field that is no pseudo-header has come */
	bool failed;	    /* no memory */
	enum h1_rule rule;  /* the first that was broken; the rest is not looked at */
	uint8_t seen;	    /* bits of enum h2_pseudo */
	uint32_t max, list; /* header list size: limit, and so far (RFC 9113 6.5.2) */
	struct h2_span pseudo[H2_PSEUDO_COUNT];
	struct {
		struct h2_span name, value;
		enum h1_field_id id;
	} fields[H1_MAX_FIELDS];
	unsigned n;
	int cookie;	       /* index of the cookie field, -1: none */
	struct buf text;       /* names and values; the request line at last */
	struct buf cookies;    /* crumbs, joined (RFC 9113 8.2.3) */
	struct slice priority; /* the value of `priority`, of text; RFC 9218 5. Set by h2_fields_finish() */
};

void h2_fields_init(struct h2_fields *f, int32_t id, bool trailers, uint32_t max_list);
void h2_fields_done(struct h2_fields *f);
void h2_fields_add(struct h2_fields *f, struct slice name, struct slice value);
/* The head is whole. `ret`'s slices point into `f`. H1_OK, or why it is refused; f->failed: out of memory,
 * the rule means nothing. For trailers *ret is not written. */
enum h1_rule h2_fields_finish(struct h2_fields *f, bool end_stream, struct h1_request *ret);

#endif
