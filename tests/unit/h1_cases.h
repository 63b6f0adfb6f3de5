/* Exotic inputs, one row each, named after their row in the tables of bad inputs (A framing, B fields, C
 * request line, G upstream lies). Read by the unit tests, by the corpus writer, and by whoever sends bad
 * bytes over a socket. A row's bytes are a whole message: head, and body where the row is about the body. */
#ifndef SLUICE_TESTS_H1_CASES_H
#define SLUICE_TESTS_H1_CASES_H

#include "proto/chunk.h"
#include "proto/h1.h"

struct h1_case {
	const char *name;
	struct slice head; /* then `unit`, `repeat` times, then `tail` */
	enum h1_rule rule; /* the rule that the message breaks; H1_OK: it is served */
	struct slice unit;
	size_t repeat;
	struct slice tail;
};

#define H1_BYTES(lit)                                                                                        \
	{                                                                                                    \
		(lit), sizeof(lit) - 1                                                                       \
	}
#define H1_CASE(name, bytes, rule)                                                                           \
	{                                                                                                    \
		name, H1_BYTES(bytes), rule, {NULL, 0}, 0,                                                   \
		{                                                                                            \
			NULL, 0                                                                              \
		}                                                                                            \
	}
#define H1_LONG(name, head, unit, repeat, tail, rule)                                                        \
	{                                                                                                    \
		name, H1_BYTES(head), rule, H1_BYTES(unit), repeat, H1_BYTES(tail)                           \
	}

#define GET_	    "GET / HTTP/1.1\r\nHost: a\r\n"
#define POST_	    "POST / HTTP/1.1\r\nHost: a\r\n"
#define CHUNKED_    POST_ "Transfer-Encoding: chunked\r\n\r\n"
#define OK_	    "HTTP/1.1 200 OK\r\n"
#define OK_CHUNKED_ OK_ "Transfer-Encoding: chunked\r\n\r\n"

static const struct h1_case h1_request_cases[] = {
#include "h1_cases_framing.def"
#include "h1_cases_chunk.def"
#include "h1_cases_head.def"
};

static const struct h1_case h1_response_cases[] = {
#include "h1_cases_response.def"
};

/* The bytes of a row, in memory of exactly that size, so that a sanitizer sees one byte too far. Free it. */
static inline struct slice h1_case_bytes(const struct h1_case *c)
{
	size_t n = c->head.n + c->unit.n * c->repeat + c->tail.n;
	char *bytes = malloc(n), *to = bytes;

	if (!bytes)
		abort();
	memcpy(to, c->head.p, c->head.n);
	to += c->head.n;
	for (size_t i = 0; i < c->repeat; i++, to += c->unit.n)
		memcpy(to, c->unit.p, c->unit.n);
	if (c->tail.n)
		memcpy(to, c->tail.p, c->tail.n);
	return (struct slice){bytes, n};
}

/* What reading a message came to. */
struct h1_outcome {
	enum h1_rule rule;
	bool complete; /* the head is whole, and a chunked body ended */
	size_t used;   /* bytes of head and, when chunked, of body */
	enum h1_framing framing;
};

static inline void h1_case_body(struct slice m, struct h1_outcome *out)
{
	struct chunk_reader r;

	if (out->rule || out->framing != H1_BODY_CHUNKED)
		return;
	chunk_init(&r);
	while (out->used < m.n && r.state != CHUNK_DONE && r.state != CHUNK_BAD)
		out->used += chunk_next(&r, m.p + out->used, m.n - out->used).used;
	out->complete = r.state == CHUNK_DONE;
	if (r.state == CHUNK_BAD)
		out->rule = r.bad;
}

/* Reads a message as the relay does: scan, parse, chunks. The head is copied to memory of its own size. */
static inline struct h1_outcome h1_case_read(enum h1_kind kind, struct slice m)
{
	struct h1_outcome out = {0};
	struct h1_scan scan = {0};
	char *head;

	out.rule = h1_scan(&scan, kind, m.p, m.n, &out.used);
	if (out.rule || out.used == 0)
		return out;
	head = malloc(out.used - scan.skip);
	if (!head)
		abort();
	memcpy(head, m.p + scan.skip, out.used - scan.skip);
	if (kind == H1_REQUEST) {
		struct h1_request req;

		out.rule = h1_request_parse(head, out.used - scan.skip, &req);
		out.framing = out.rule ? H1_BODY_NONE : req.framing;
	} else {
		struct h1_response resp;

		out.rule = h1_response_parse(head, out.used - scan.skip, H1_GET, &resp);
		out.framing = out.rule ? H1_BODY_NONE : resp.framing;
	}
	free(head);
	out.complete = !out.rule;
	h1_case_body(m, &out);
	return out;
}

#endif
