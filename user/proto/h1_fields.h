/* What request and response heads share: field lines, lists, Connection, body framing. Pure; slices point
 * into the caller's buffer. h1_field_lookup is for every room that builds struct h1_field itself (HTTP/2). */
#ifndef SLUICE_PROTO_H1_FIELDS_H
#define SLUICE_PROTO_H1_FIELDS_H

#include "proto/h1.h"

/* The id of a field name, any letter case. */
enum h1_field_id h1_field_lookup(struct slice name);
/* The id of the field that an upstream with CGI habits would take this name for ("X_Forwarded_For");
 * H1_F_OTHER for a name without '_'. */
enum h1_field_id h1_field_lookalike(struct slice name);
/* The name of a field with an id, in lower case. */
struct slice h1_field_name(enum h1_field_id id);
/* The ids whose names have `len` bytes, one per call: start with H1_F_OTHER; H1_F_OTHER ends. */
enum h1_field_id h1_field_next_of_length(enum h1_field_id prev, size_t len);

/* The next member of a comma-separated list, trimmed; empty members are skipped. False at the end. */
bool h1_list_next(struct slice *list, struct slice *ret_member);
/* What stands before the first ';' of a member, trimmed. */
struct slice h1_list_word(struct slice member);

/* The field lines and the final empty line of a head: n bytes, all lines end in CRLF. */
enum h1_rule h1_fields_parse(const char *p, size_t n, struct h1_field *fields, size_t *ret_n);

struct h1_connection {
	bool close, keep_alive, upgrade; /* what Connection says */
};

/* Reads Connection, and marks the fields that it names as hop-by-hop: never Host, framing, forwarding or what
 * describes the body (B13). */
enum h1_rule h1_connection_read(struct h1_field *fields, size_t n, struct h1_connection *ret);

struct h1_lengths {
	bool chunked;
	bool has_length;
	uint64_t length;
};

/* Content-Length and Transfer-Encoding, strictly (RFC 9112 6). */
enum h1_rule h1_lengths_read(const struct h1_field *fields, size_t n, uint8_t minor, struct h1_lengths *ret);

/* The value of Upgrade when there is exactly one and no protocol in it that would hide requests from the
 * relay; else n == 0. */
struct slice h1_upgrade_value(const struct h1_field *fields, size_t n);

/* 0 and the minor version (0 or 1) for HTTP/1.x; -EPROTONOSUPPORT for another HTTP version, -EBADMSG for
 * none. */
must_check int h1_version_parse(struct slice text, uint8_t *ret_minor);

/* Some member of Accept is text/event-stream. */
bool h1_accepts_event_stream(const struct h1_field *fields, size_t n);

/* Reads Expect into req->expect_continue; framing and fields are known. */
enum h1_rule h1_expect_read(struct h1_request *req);

/* A host with an optional port, as in Host and in an absolute target. */
bool h1_authority_ok(struct slice authority);

/* The first lines, without CRLF; h1_scan asks them when a line looks odd. */
enum h1_rule h1_request_line(struct slice line, struct h1_request *ret);
enum h1_rule h1_status_line(struct slice line, struct h1_response *ret);

#endif
