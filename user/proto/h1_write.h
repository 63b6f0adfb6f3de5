/* Builds the heads that sluice sends. Appends to a buf; pure otherwise. Rules: http-rules.md "Forwarding" and
 * "Response heads and lanes"; RFC 9110 7.6. */
#ifndef SLUICE_PROTO_H1_WRITE_H
#define SLUICE_PROTO_H1_WRITE_H

#include "base/buf.h"
#include "proto/h1.h"

enum h1_edit_op { H1_EDIT_SET, H1_EDIT_ADD, H1_EDIT_REMOVE };

/* One configured change to a head; names compare without case. */
struct h1_edit {
	enum h1_edit_op op;
	struct slice name, value;
};

struct h1_edits {
	const struct h1_edit *list;
	size_t n;
};

/* What the relay knows beside the request itself. */
struct h1_forward {
	struct slice client_ip; /* "203.0.113.7" or "2001:db8::1", no port; n == 0: unknown (unix socket) */
	struct slice scheme;	/* "http" or "https", of the client's side */
	bool client_trusted;	/* what it sent as X-Forwarded-* and Forwarded is kept and appended to; else
				   dropped */
	bool drop_accept_encoding; /* event routes: nobody may compress the stream */
	struct slice host;	   /* replaces Host when n > 0 (upstream's `host` setting) */
	struct slice path_prefix;  /* put before an origin-form target; n == 0: none */
	bool upgrade;		   /* forward Upgrade and Connection: upgrade */
	const char *const *own;	   /* fields that no client may send: dropped, also with '_' for '-' */
	size_t nown;
	struct slice subject_header; /* one of `own`, and its value; n == 0: not sent */
	struct slice subject;
	struct h1_edits edits;
};

/* The request for the upstream, always HTTP/1.1, chunked again when it was, `Connection: keep-alive` left
 * out. */
must_check int h1_write_request(struct buf *out, const struct h1_request *req, const struct h1_forward *fwd);

/* How the response body travels to this client. */
struct h1_reply {
	uint8_t client_minor;	 /* the client's HTTP/1.minor */
	enum h1_framing framing; /* to the client: LENGTH, CHUNKED, CLOSE or NONE */
	bool keep_alive;	 /* false: Connection: close is said */
	bool stream;   /* an event stream (or a route that streams): X-Accel-Buffering: no, Cache-Control with
			  no-transform */
	bool upgrade;  /* a 101 */
	bool trailers; /* follow the body, though it is not chunked: HTTP/2 */
	struct h1_edits edits;
};

/* The head for the client: status line as HTTP/1.1, fields in order, hop-by-hop ones left out, Via added. */
must_check int h1_write_response(
	struct buf *out, const struct h1_response *resp, const struct h1_reply *reply);
/* A 1xx as it came. */
must_check int h1_write_interim(struct buf *out, const struct h1_response *resp);

/* An answer of sluice's own, head and a short text body (`detail`, may be NULL), `Connection: close` unless
 * keep_alive. retry_after_s > 0 adds Retry-After. No body for HEAD. */
must_check int h1_write_error(struct buf *out, int status, const char *detail, int retry_after_s,
	bool keep_alive, enum h1_method method);
/* "Bad Gateway" for 502; "Unknown" for codes without a name. */
const char *h1_reason(int status);

#endif
