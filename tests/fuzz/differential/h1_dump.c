/* Reads messages (each behind its length, four bytes little endian) from stdin and prints what sluice makes
 * of each, one line of JSON. What begins with "HTTP/" is a response, to a GET; all else is a request.
 * compare.py holds this against another parser. */
#include "base/buf.h"
#include "proto/chunk.h"
#include "proto/h1.h"
#include <err.h>
#include <stdio.h>

static void print_bytes(const char *key, struct slice s)
{
	printf(", \"%s\": \"", key);
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (c < ' ' || c > '~' || c == '"' || c == '\\')
			printf("\\u%04x", c);
		else
			putchar(c);
	}
	putchar('"');
}

static void print_fields(const struct h1_field *fields, size_t n)
{
	printf(", \"fields\": [");
	for (size_t i = 0; i < n; i++) {
		printf("%s{\"id\": %d", i ? ", " : "", fields[i].id);
		print_bytes("name", fields[i].name);
		print_bytes("value", fields[i].value);
		putchar('}');
	}
	putchar(']');
}

static void print_refused(enum h1_rule rule)
{
	printf("{\"verdict\": \"refused\", \"rule\": \"%s\"}\n", h1_rule_label(rule));
}

/* The decoded body, how many bytes it took, and whether it is whole. */
struct body {
	struct buf payload;
	size_t used;
	bool complete;
	enum h1_rule rule;
};

static void read_chunks(struct slice in, struct body *b)
{
	struct chunk_reader r;

	chunk_init(&r);
	while (b->used < in.n && r.state != CHUNK_DONE && r.state != CHUNK_BAD) {
		struct chunk_step step = chunk_next(&r, in.p + b->used, in.n - b->used);

		if (buf_append(&b->payload, step.payload.p, step.payload.n))
			errx(1, "no memory");
		b->used += step.used;
	}
	b->complete = r.state == CHUNK_DONE;
	b->rule = r.bad;
}

static void read_body(struct slice in, enum h1_framing framing, uint64_t length, struct body *b)
{
	if (framing == H1_BODY_CHUNKED) {
		read_chunks(in, b);
		return;
	}
	if (framing == H1_BODY_NONE)
		length = 0;
	b->complete = framing != H1_BODY_CLOSE && length <= in.n;
	b->used = framing == H1_BODY_CLOSE || length > in.n ? in.n : length;
	if (buf_append(&b->payload, in.p, b->used))
		errx(1, "no memory");
}

static void print_rest(struct slice rest, size_t head, enum h1_framing framing, uint64_t length,
	const struct h1_field *fields, size_t nfields)
{
	static const char *const framings[] = {"none", "length", "chunked", "close"};
	struct body b = {0};

	read_body(rest, framing, length, &b);
	printf("\"framing\": \"%s\", \"length\": %llu, \"used\": %zu, \"complete\": %s", framings[framing],
		(unsigned long long)length, head + b.used, b.complete ? "true" : "false");
	printf(", \"body_rule\": \"%s\"", b.rule ? h1_rule_label(b.rule) : "");
	print_bytes("body", buf_slice(&b.payload));
	print_fields(fields, nfields);
	puts("}");
	buf_reset(&b.payload);
}

static void dump(struct slice m)
{
	enum h1_kind kind = slice_starts(m, SLICE("HTTP/")) ? H1_RESPONSE : H1_REQUEST;
	struct h1_scan scan = {0};
	size_t head;
	enum h1_rule rule = h1_scan(&scan, kind, m.p, m.n, &head);
	struct slice rest = {m.p + head, m.n - head};

	if (rule) {
		print_refused(rule);
	} else if (!head) {
		puts("{\"verdict\": \"more\"}");
	} else if (kind == H1_REQUEST) {
		struct h1_request req;

		rule = h1_request_parse(m.p + scan.skip, head - scan.skip, &req);
		if (rule) {
			print_refused(rule);
			return;
		}
		printf("{\"verdict\": \"accepted\", \"kind\": \"request\", \"minor\": %d, \"upgrade\": %s",
			req.minor, req.upgrade.n ? "true" : "false");
		print_bytes("method", req.method_text);
		print_bytes("target", req.target);
		printf(", ");
		print_rest(rest, head, req.framing, req.content_length, req.fields, req.nfields);
	} else {
		struct h1_response resp;

		rule = h1_response_parse(m.p, head, H1_GET, &resp);
		if (rule) {
			print_refused(rule);
			return;
		}
		printf("{\"verdict\": \"accepted\", \"kind\": \"response\", \"minor\": %d, \"status\": %d",
			resp.minor, resp.status);
		print_bytes("reason", resp.reason);
		printf(", ");
		print_rest(rest, head, resp.framing, resp.content_length, resp.fields, resp.nfields);
	}
}

int main(void)
{
	unsigned char prefix[4];

	while (fread(prefix, 1, sizeof(prefix), stdin) == sizeof(prefix)) {
		size_t n = prefix[0] | (size_t)prefix[1] << 8 | (size_t)prefix[2] << 16 |
			   (size_t)prefix[3] << 24;
		char *bytes = malloc(n ? n : 1);

		if (!bytes || fread(bytes, 1, n, stdin) != n)
			errx(1, "a message of %zu bytes did not come whole", n);
		dump((struct slice){bytes, n});
		free(bytes);
	}
	return 0;
}
