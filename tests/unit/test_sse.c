#include "proto/sse.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

#define BOM "\xef\xbb\xbf"

struct row {
	const char *bytes;
	uint64_t events;
	enum sse_place place;
	size_t last_end;
};

static const struct row rows[] = {
	{"", 0, SSE_START, 0},
	{"d", 0, SSE_IN_LINE, 0},
	{"data", 0, SSE_IN_LINE, 0},
	{"data: x\n", 0, SSE_LINE_START, 0},
	{"data: x\n\n", 1, SSE_BOUNDARY, 9},
	{"data: x\r\n\r\n", 1, SSE_BOUNDARY, 11},
	{"data: x\r\r", 1, SSE_CR_BOUNDARY, 9},
	{"data: x\r\r\n", 1, SSE_BOUNDARY, 10},
	{"data: x\r\n\r", 1, SSE_CR_BOUNDARY, 10},
	{"data: x\r", 0, SSE_CR_LINE, 0},
	{"data: x\n\r\n", 1, SSE_BOUNDARY, 10},
	{"data: x\r\n\n", 1, SSE_BOUNDARY, 10},
	{"data: x\r\ny", 0, SSE_IN_LINE, 0},
	{"data: x\ry", 0, SSE_IN_LINE, 0},
	/* which lines make an event */
	{"data\n\n", 1, SSE_BOUNDARY, 6},
	{"data:\n\n", 1, SSE_BOUNDARY, 7},
	{"data:x\n\n", 1, SSE_BOUNDARY, 8},
	{"data \n\n", 0, SSE_BOUNDARY, 7},
	{"datax: y\n\n", 0, SSE_BOUNDARY, 10},
	{"dat: y\n\n", 0, SSE_BOUNDARY, 8},
	{"Data: y\n\n", 0, SSE_BOUNDARY, 9},
	{" data: y\n\n", 0, SSE_BOUNDARY, 10},
	{": data: y\n\n", 0, SSE_BOUNDARY, 11},
	{"id: 1\nretry: 5\n\n", 0, SSE_BOUNDARY, 16},
	{"id: 1\ndata: y\nevent: z\n\n", 1, SSE_BOUNDARY, 24},
	{"data: 1\ndata: 2\n\n", 1, SSE_BOUNDARY, 17},
	{"x: data\n\n", 0, SSE_BOUNDARY, 9},
	/* blank lines */
	{"\n", 0, SSE_BOUNDARY, 1},
	{"\r", 0, SSE_CR_BOUNDARY, 1},
	{"\r\n", 0, SSE_BOUNDARY, 2},
	{"\n\n\n", 0, SSE_BOUNDARY, 3},
	{"data: a\n\n\n\ndata: b\n\n", 2, SSE_BOUNDARY, 20},
	{"data: a\n\nid: 2\n\n", 1, SSE_BOUNDARY, 16},
	{"data: a\n\ndata: b", 1, SSE_IN_LINE, 9},
	{"data: a\n\ndata: b\n", 1, SSE_LINE_START, 9},
	/* one BOM may lead */
	{"\xef", 0, SSE_BOM, 0},
	{"\xef\xbb", 0, SSE_BOM, 0},
	{BOM, 0, SSE_BOUNDARY, 0},
	{BOM "data: x\n\n", 1, SSE_BOUNDARY, 12},
	{BOM BOM "data: x\n\n", 0, SSE_BOUNDARY, 15},
	{"\xef\xbb"
	 "data: x\n\n",
		0, SSE_BOUNDARY, 11},
	{"\xef\n", 0, SSE_LINE_START, 0},
	{"\xef\xbb\r\n\r\n", 0, SSE_BOUNDARY, 6},
	{"\xef\xef", 0, SSE_IN_LINE, 0},
	{"\n" BOM "data: x\n\n", 0, SSE_BOUNDARY, 13},
};

static void test_rows(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct row *row = &rows[i];
		size_t n = strlen(row->bytes);

		for (size_t cut = 0; cut <= n; cut++) { /* split in two at each place */
			struct sse_scan s;

			sse_init(&s);
			sse_feed(&s, row->bytes, cut);
			sse_feed(&s, row->bytes + cut, n - cut);
			if (s.events != row->events || s.place != row->place)
				fail_msg("\"%s\" cut at %zu: %d events, place %d", row->bytes, cut,
					(int)s.events, s.place);
		}
	}
}

static void test_last_end(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct sse_scan s;

		sse_init(&s);
		if (sse_feed_last_end(&s, rows[i].bytes, strlen(rows[i].bytes)) != rows[i].last_end)
			fail_msg("\"%s\"", rows[i].bytes);
		assert_int_equal(s.events, rows[i].events);
		assert_int_equal(s.place, rows[i].place);
	}
}

/* The LF of a CRLF that was cut belongs to the event before it. */
static void test_last_end_of_a_cut_line_end(void **state)
{
	struct sse_scan s;

	(void)state;
	sse_init(&s);
	assert_int_equal(sse_feed_last_end(&s, "data: x\r\r", 9), 9);
	assert_int_equal(sse_feed_last_end(&s, "\nda", 3), 1);
	assert_int_equal(sse_feed_last_end(&s, "ta: y\r", 6), 0);
	assert_int_equal(sse_feed_last_end(&s, "\n", 1), 0);
	assert_int_equal(sse_feed_last_end(&s, "\n", 1), 1);
	assert_int_equal(s.events, 2);
}

static void test_until_end(void **state)
{
	static const char text[] = "\n\ndata: a\n\n\n: c\n\ndata: b\r\rdata: c\r\r\ndata: d";
	static const size_t ends[] = {11, 6, 9, 10};
	struct sse_scan s;
	size_t at = 0;
	bool ended;

	(void)state;
	sse_init(&s);
	for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
		size_t used = sse_feed_until_end(&s, text + at, strlen(text + at), &ended);

		assert_true(ended);
		assert_int_equal(used, ends[i]);
		at += used;
	}
	assert_int_equal(sse_feed_until_end(&s, text + at, strlen(text + at), &ended), 7);
	assert_false(ended);
	assert_int_equal(s.events, 3);
	assert_int_equal(s.place, SSE_IN_LINE);
}

static void test_heartbeat(void **state)
{
	static const struct {
		const char *bytes, *heartbeat;
	} cases[] = {
		{"", ""},
		{"\xef", ""},
		{BOM, ": heartbeat\n\n"},
		{"data", ""},
		{"data: x\r", ""},
		{"data: x\n", ":\n"},
		{"data: x\r\n", ":\n"},
		{"data: x\n\n", ": heartbeat\n\n"},
		{"data: x\r\r", ""},
		{"data: x\r\n\r\n", ": heartbeat\n\n"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct slice expected = slice_of(cases[i].heartbeat), got;
		struct sse_scan s;

		sse_init(&s);
		sse_feed(&s, cases[i].bytes, strlen(cases[i].bytes));
		got = sse_heartbeat(&s);
		assert_true(slice_eq(got, expected));
	}
}

/* A body with only one kind of line end costs one pass: this takes minutes when it is one pass per line. */
static void test_cr_only_is_linear(void **state)
{
	const size_t n = 64 << 20;
	char *body = malloc(n);
	struct sse_scan s;

	(void)state;
	assert_non_null(body);
	for (size_t i = 0; i < n; i += 8)
		memcpy(body + i, "data:x\r\r", 8);
	sse_init(&s);
	sse_feed(&s, body, n);
	assert_int_equal(s.events, n / 8);
	assert_int_equal(sizeof(s), 16);
	free(body);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_last_end),
		cmocka_unit_test(test_last_end_of_a_cut_line_end),
		cmocka_unit_test(test_until_end),
		cmocka_unit_test(test_heartbeat),
		cmocka_unit_test(test_cr_only_is_linear),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
