/* Appending to a head that is being built. Private to proto/. An error sticks: callers check it once, at the
 * end. */
#ifndef SLUICE_PROTO_H1_OUT_H
#define SLUICE_PROTO_H1_OUT_H

#include "proto/h1_fields.h"
#include "proto/h1_write.h"

enum h1_via { H1_VIA_10, H1_VIA_11, H1_VIA_20 };

struct h1_out {
	struct buf *buf;
	size_t start; /* where this head begins in buf */
	int err;
};

static inline struct h1_out h1_out_begin(struct buf *buf)
{
	return (struct h1_out){.buf = buf, .start = buf->len};
}

void h1_out_put(struct h1_out *out, struct slice s);
void h1_out_field(struct h1_out *out, struct slice name, struct slice value);
void h1_out_number(struct h1_out *out, struct slice name, uint64_t value);
/* One field with the values of all fields of that id and then `tail`, joined by commas. Nothing when all are
 * empty. */
void h1_out_joined(struct h1_out *out, struct slice name, const struct h1_field *fields, size_t n,
	enum h1_field_id id, struct slice tail);
/* "1.1 sluice" behind what Via there is (RFC 9110 7.6.3); `version` is that of the message that came. */
void h1_out_via(struct h1_out *out, const struct h1_field *fields, size_t n, enum h1_via version);
/* Applies the edits to the lines so far and ends the head. The buffer is as before on error. */
must_check int h1_out_end(struct h1_out *out, struct h1_edits edits);

#endif
