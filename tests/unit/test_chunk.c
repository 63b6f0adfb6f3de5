#include "h1_cases.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

struct result {
	char payload[512];
	size_t n; /* of payload */
	size_t used;
	struct chunk_reader reader;
};

/* Reads `in` in pieces of at most `piece` bytes. */
static void read_pieces(struct slice in, size_t piece, struct result *ret)
{
	*ret = (struct result){0};
	chunk_init(&ret->reader);
	while (ret->used < in.n && ret->reader.state != CHUNK_DONE && ret->reader.state != CHUNK_BAD) {
		size_t n = MIN(piece, in.n - ret->used);
		struct chunk_step step = chunk_next(&ret->reader, in.p + ret->used, n);

		assert_true(step.used <= n && ret->n + step.payload.n <= sizeof(ret->payload));
		if (step.payload.n) {
			assert_true(step.payload.p >= in.p + ret->used &&
				    step.payload.p + step.payload.n <= in.p + ret->used + n);
			memcpy(ret->payload + ret->n, step.payload.p, step.payload.n);
		}
		ret->n += step.payload.n;
		ret->used += step.used;
	}
}

static void expect_payload(const char *in, const char *payload)
{
	for (size_t piece = 1; piece <= strlen(in); piece++) {
		struct result r;

		read_pieces(slice_of(in), piece, &r);
		assert_int_equal(r.reader.state, CHUNK_DONE);
		assert_int_equal(r.used, strlen(in));
		assert_int_equal(r.n, strlen(payload));
		assert_memory_equal(r.payload, payload, r.n);
	}
}

static void test_payload(void **state)
{
	(void)state;
	expect_payload("0\r\n\r\n", "");
	expect_payload("5\r\nhello\r\n0\r\n\r\n", "hello");
	expect_payload("5\r\nhello\r\nC\r\n, wide world\r\n00\r\n\r\n", "hello, wide world");
	expect_payload("0000000000000005\r\nhello\r\n0\r\n\r\n", "hello");
	expect_payload("5;a;b=c;d=\"e;\\\"\"\r\n\r\n\r\n0\r\n0;x\r\nX: y\r\nZ:\r\n\r\n", "\r\n\r\n0");
}

/* What a relay does with a step: one run of payload, then the rest. */
static void test_steps(void **state)
{
	const char *in = "2\r\nab\r\n3\r\ncde\r\n0\r\n\r\nGET";
	struct chunk_reader r;
	struct chunk_step step;

	(void)state;
	chunk_init(&r);
	assert_true(chunk_at_boundary(&r));
	step = chunk_next(&r, in, strlen(in));
	assert_int_equal(step.used, 5);
	assert_int_equal(step.payload.n, 2);
	assert_false(chunk_at_boundary(&r));
	step = chunk_next(&r, in + 5, 2);
	assert_int_equal(step.used, 2);
	assert_int_equal(step.payload.n, 0);
	assert_true(chunk_at_boundary(&r));
	step = chunk_next(&r, in + 7, 1);
	assert_false(chunk_at_boundary(&r));
	step = chunk_next(&r, in + 8, 4);
	assert_int_equal(step.used, 4);
	assert_int_equal(step.payload.n, 2);
	assert_int_equal(r.left, 1);
	step = chunk_next(&r, in + 12, strlen(in) - 12);
	assert_int_equal(step.payload.n, 1);
	assert_int_equal(step.used, 1);
	step = chunk_next(&r, in + 13, strlen(in) - 13);
	assert_int_equal(step.used, 7);
	assert_int_equal(r.state, CHUNK_DONE);
	assert_int_equal(r.chunks, 2);
	assert_false(chunk_at_boundary(&r));
	step = chunk_next(&r, in + 20, 3); /* belongs to the next message */
	assert_int_equal(step.used, 0);
}

/* `used` stops before the byte that breaks the rule, in whatever pieces it came. */
static void test_bad_stops(void **state)
{
	static const struct {
		const char *in;
		size_t good;
		enum h1_rule rule;
	} rows[] = {
		{"5 \r\nhello", 1, H1_RULE_CHUNK_SIZE},
		{"x", 0, H1_RULE_CHUNK_SIZE},
		{"5\nhello", 1, H1_RULE_CHUNK_LINE_END},
		{"5\rX", 2, H1_RULE_CHUNK_LINE_END},
		{"5;\r\n", 2, H1_RULE_CHUNK_EXT},
		{"2\r\nabX", 5, H1_RULE_CHUNK_DATA_END},
		{"2\r\nab\rX", 6, H1_RULE_CHUNK_DATA_END},
		{"8000000000000000\r\n", 15, H1_RULE_CHUNK_OVERFLOW},
		{"00000000000000000", 16, H1_RULE_CHUNK_OVERFLOW},
		{"0\r\nHost: a", 7, H1_RULE_TRAILER_FORBIDDEN},
		{"0\r\nX: \x01", 6, H1_RULE_TRAILER_MALFORMED},
		{"0\r\n\r\r", 4, H1_RULE_CHUNK_LINE_END},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		for (size_t piece = 1; piece <= strlen(rows[i].in); piece++) {
			struct result r;

			read_pieces(slice_of(rows[i].in), piece, &r);
			assert_int_equal(r.reader.state, CHUNK_BAD);
			assert_int_equal(r.reader.bad, rows[i].rule);
			assert_int_equal(r.used, rows[i].good);
		}
}

static enum h1_rule read_repeated(
	const char *head, const char *unit, size_t repeat, const char *tail, size_t *ret_used)
{
	struct h1_case c = {"", slice_of(head), H1_OK, slice_of(unit), repeat, slice_of(tail)};
	struct slice bytes = h1_case_bytes(&c);
	struct chunk_reader r;
	size_t used = 0;

	chunk_init(&r);
	while (used < bytes.n && r.state != CHUNK_DONE && r.state != CHUNK_BAD)
		used += chunk_next(&r, bytes.p + used, bytes.n - used).used;
	free((char *)bytes.p);
	*ret_used = used;
	return r.bad;
}

static void test_limits_are_exact(void **state)
{
	size_t used;

	(void)state;
	assert_int_equal(read_repeated("1;", "a", 255, "\r\nx\r\n0\r\n\r\n", &used), H1_OK);
	assert_int_equal(read_repeated("1;", "a", 256, "\r\nx\r\n0\r\n\r\n", &used), H1_RULE_CHUNK_EXT_LONG);
	assert_int_equal(used, 1 + 256);
	/* "X:" + CRLF, CRLF of the end: 8 KiB in all. */
	assert_int_equal(read_repeated("0\r\nX:", "a", 8192 - 6, "\r\n\r\n", &used), H1_OK);
	assert_int_equal(
		read_repeated("0\r\nX:", "a", 8192 - 5, "\r\n\r\n", &used), H1_RULE_TRAILER_TOO_LARGE);
	assert_int_equal(used, 3 + 8192);
}

/* A28: extensions are paid for by payload, byte for byte. */
static void test_overhead(void **state)
{
	size_t used;

	(void)state;
	assert_int_equal(read_repeated("", "5;abcd\r\nhello\r\n", 100000, "0\r\n\r\n", &used), H1_OK);
	assert_int_equal(read_repeated("", "5;abcde\r\nhello\r\n", 110000, "0\r\n\r\n", &used),
		H1_RULE_CHUNK_OVERHEAD);
	/* A gain of 1 per chunk: refused when 100 KiB are reached, within a chunk of it. */
	assert_in_range(used, 102390 * 16, 102405 * 16);
	assert_int_equal(read_repeated("", "1\r\nx\r\n", 200000, "0\r\n\r\n", &used), H1_OK);
}

/* Each field that the relay acts upon is refused in a trailer, in any letter case; its neighbours are not. */
static void test_trailer_names(void **state)
{
	static const char *const names[] = {
#define H1_FIELD(id, name) name,
#include "proto/h1_fields.def"
#undef H1_FIELD
	};
	char text[64];
	struct result r;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		int n = snprintf(text, sizeof(text), "0\r\n%s: x\r\n\r\n", names[i]);

		for (size_t k = 3; k < 3 + strlen(names[i]); k += 2)
			if (text[k] >= 'a' && text[k] <= 'z')
				text[k] -= 32;
		read_pieces((struct slice){text, (size_t)n}, 1, &r);
		assert_int_equal(r.reader.bad, H1_RULE_TRAILER_FORBIDDEN);
		n = snprintf(text, sizeof(text), "0\r\n%sx: x\r\n\r\n", names[i]);
		read_pieces((struct slice){text, (size_t)n}, 3, &r);
		assert_int_equal(r.reader.state, CHUNK_DONE);
	}
}

static void test_write_head(void **state)
{
	static const struct {
		uint64_t n;
		const char *text;
	} rows[] = {{0, "0\r\n"}, {1, "1\r\n"}, {15, "f\r\n"}, {16, "10\r\n"}, {0xabcdef, "abcdef\r\n"},
		{UINT64_MAX, "ffffffffffffffff\r\n"}};
	char out[CHUNK_HEAD_MAX];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		assert_int_equal(chunk_write_head(out, rows[i].n), strlen(rows[i].text));
		assert_memory_equal(out, rows[i].text, strlen(rows[i].text));
	}
}

static void test_size(void **state)
{
	(void)state;
	assert_int_equal(sizeof(struct chunk_reader), 40);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_payload),
		cmocka_unit_test(test_steps),
		cmocka_unit_test(test_bad_stops),
		cmocka_unit_test(test_limits_are_exact),
		cmocka_unit_test(test_overhead),
		cmocka_unit_test(test_trailer_names),
		cmocka_unit_test(test_write_head),
		cmocka_unit_test(test_size),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
