/* HTTP/1.x message heads: bytes in, structs out, no I/O, no allocation. Slices point into the caller's
 * buffer. Two passes: h1_scan finds the end of the head as bytes arrive (resumable, refuses bad bytes at
 * once), then one parse of the whole head. Every refusal has a rule of its own in h1_rules.def. Source: RFC
 * 9112, RFC 9110. */
#ifndef SLUICE_PROTO_H1_H
#define SLUICE_PROTO_H1_H

#include "base/slice.h"

#define H1_MAX_FIELDS 100
#define H1_MAX_HEAD   (64 * 1024) /* bytes, request or status line included */
#define H1_MAX_LINE   (16 * 1024) /* bytes of the request line; RFC 9112 3 asks for at least 8,000 */

/* Why a message is refused. 0 is "no rule broken". h1_rules.def gives each its label, status and sentence. */
enum h1_rule {
	H1_OK,
#define H1_RULE(id, label, status, text) H1_RULE_##id,
#include "proto/h1_rules.def"
#undef H1_RULE
	H1_RULE_COUNT
};

const char *h1_rule_label(enum h1_rule r); /* for logs and counters: "cl_and_te" */
int h1_rule_status(enum h1_rule r);	   /* what a client gets: 400, 414, 431, 501, 505 … */
const char *h1_rule_text(enum h1_rule r);  /* what is allowed, and the section that says so */

enum h1_method {
	H1_METHOD_OTHER,
	H1_GET,
	H1_HEAD,
	H1_POST,
	H1_PUT,
	H1_DELETE,
	H1_OPTIONS,
	H1_PATCH,
	H1_TRACE,
	H1_CONNECT,
};

enum h1_framing {
	H1_BODY_NONE,	/* no body at all */
	H1_BODY_LENGTH, /* content_length bytes */
	H1_BODY_CHUNKED,
	H1_BODY_CLOSE, /* responses only: until the connection ends */
};

/* Fields that the relay acts upon. */
enum h1_field_id {
	H1_F_OTHER,
#define H1_FIELD(id, name) H1_F_##id,
#include "proto/h1_fields.def"
#undef H1_FIELD
	H1_F_COUNT
};

struct h1_field {
	struct slice name, value; /* value without the white space around it */
	enum h1_field_id id;
	bool hop_by_hop; /* connection-specific (RFC 9110 7.6.1), or named by Connection: is not forwarded */
};

/* Where the scan of a head stands. Zeroed at the start of each message. */
struct h1_scan {
	uint32_t at; /* bytes already looked at */
	uint32_t line_start;
	uint32_t lines; /* complete lines, the first one included */
	bool started;	/* the leading empty line, of which one is tolerated, is behind */
	uint32_t skip;	/* bytes of that leading empty line: the head starts here */
};

enum h1_kind { H1_REQUEST, H1_RESPONSE };

/* Looks at the bytes that came since the last call; `p` is always the start of the message.
 * Returns H1_OK with *ret_len = 0: more is needed; *ret_len > 0: that many bytes (from `p`, skip included)
 * are the whole head. Any other rule: refuse, whatever may follow. */
enum h1_rule h1_scan(struct h1_scan *scan, enum h1_kind kind, const char *p, size_t n, size_t *ret_len);

struct h1_request {
	enum h1_method method;
	struct slice method_text;
	struct slice target; /* as it came */
	struct slice path;   /* of the target, without the query, undecoded; "*" for OPTIONS * */
	struct slice query;  /* behind '?', without it; p == NULL when there is no '?' */
	struct slice host;   /* authority that routes: of an absolute-form target, else of Host. With port. */
	bool absolute_form;  /* Host is rewritten to `host` when forwarded (RFC 9112 3.2.2) */
	uint8_t minor;	     /* HTTP/1.minor: 0 or 1; 1 for HTTP/2 */
	bool http2;	     /* came over HTTP/2 (h2_request.h) */
	enum h1_framing framing;
	uint64_t content_length;
	bool keep_alive; /* the client allows another request on this connection */
	bool expect_continue;
	struct slice
		upgrade; /* value of Upgrade when Connection names it and there is no body; else n == 0 */
	bool accepts_event_stream;	       /* an Accept member is text/event-stream */
	struct h1_field fields[H1_MAX_FIELDS]; /* in their order */
	size_t nfields;
};

struct h1_response {
	uint16_t status; /* 100..599 */
	struct slice reason;
	uint8_t minor;
	enum h1_framing framing;
	uint64_t content_length; /* also of a HEAD answer, for forwarding: see has_length */
	bool has_length;
	bool keep_alive;   /* upstream allows reuse, by version and Connection */
	bool event_stream; /* Content-Type is text/event-stream, any case, any parameters */
	bool x_accel_no;   /* X-Accel-Buffering: no */
	bool encoded;	   /* Content-Encoding other than identity */
	bool no_transform; /* Cache-Control has no-transform */
	bool has_cache_control;
	struct slice upgrade; /* of a 101 */
	struct h1_field fields[H1_MAX_FIELDS];
	size_t nfields;
};

/* Parses a head that h1_scan found whole: `p`, `n` without the scan's skip. *ret is only valid on H1_OK. */
enum h1_rule h1_request_parse(const char *p, size_t n, struct h1_request *ret);
/* `request_method` decides whether there is a body (HEAD), RFC 9112 6.3. A 1xx has framing NONE. */
enum h1_rule h1_response_parse(
	const char *p, size_t n, enum h1_method request_method, struct h1_response *ret);

/* First field of that id, or NULL. */
const struct h1_field *h1_field_find(const struct h1_field *fields, size_t n, enum h1_field_id id);
/* First field of that name (any letter case), or NULL; for configured names. */
const struct h1_field *h1_field_named(const struct h1_field *fields, size_t n, struct slice name);

#endif
