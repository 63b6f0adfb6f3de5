/* The load's HTTP/2 client: what it says first, and what it makes of a server's frames, cut at every place.
 * The server's half is written here by hand, frame by frame. */
#include "cmocka_first.h"
#include "../h2_session.h"
#include <stdio.h>

struct seen {
	struct h2_session s;
	unsigned settings, heads, overs, status;
	char type[64], body[4096], why[96];
	size_t body_n;
};

static struct seen *seen_of(struct h2_session *s)
{
	return (struct seen *)((char *)s - offsetof(struct seen, s));
}

static void on_settings(struct h2_session *s)
{
	seen_of(s)->settings++;
}

static void on_head(struct h2_session *s, void *stream, unsigned status, struct slice type)
{
	struct seen *seen = seen_of(s);

	assert_ptr_equal(stream, seen);
	seen->heads++;
	seen->status = status;
	snprintf(seen->type, sizeof(seen->type), "%.*s", SLICE_FMT(type));
}

static void on_data(struct h2_session *s, void *stream, struct slice body)
{
	struct seen *seen = seen_of(s);

	assert_ptr_equal(stream, seen);
	assert_true(seen->body_n + body.n < sizeof(seen->body));
	memcpy(seen->body + seen->body_n, body.p, body.n);
	seen->body_n += body.n;
}

static void on_over(struct h2_session *s, void *stream, const char *why)
{
	struct seen *seen = seen_of(s);

	assert_ptr_equal(stream, seen);
	seen->overs++;
	snprintf(seen->why, sizeof(seen->why), "%s", why);
}

static const struct h2_calls calls = {on_settings, on_head, on_data, on_over};

static void put(struct buf *b, enum h2_type type, uint8_t flags, uint32_t stream, const char *p, size_t n)
{
	assert_int_equal(h2_frame_put(b, type, flags, stream, p, n), 0);
}

#define PUT(b, type, flags, stream, lit) put((b), (type), (flags), (stream), (lit), sizeof(lit) - 1)

/* :status 200 (static entry 8), content-type (31, literal, not indexed): text/event-stream */
#define HEAD_200 "\x88\x0f\x10\x11text/event-stream"

/* Settled, with one stream asked for: its number is 1. */
static void begin(struct seen *seen, uint32_t window)
{
	_cleanup_buf_ struct buf b = {0};
	uint32_t id = 0;

	memset(seen, 0, sizeof(*seen));
	assert_int_equal(h2_session_init(&seen->s, &calls, window), 0);
	assert_int_equal(h2_session_request(&seen->s, SLICE("\x82"), seen, &id), -EAGAIN);
	PUT(&b, H2_SETTINGS, 0, 0, "\0\3\0\0\0\2"); /* MAX_CONCURRENT_STREAMS 2 */
	assert_int_equal(h2_session_feed(&seen->s, b.data, b.len), 0);
	assert_int_equal(seen->settings, 1);
	assert_int_equal(h2_session_request(&seen->s, SLICE("\x82"), seen, &id), 0);
	assert_int_equal(id, 1);
	seen->s.out.len = 0;
}

static void test_first_bytes(void **state)
{
	static const char want[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
				   "\0\0\14\4\0\0\0\0\0"
				   "\0\2\0\0\0\0"
				   "\0\4\0\140\0\0"
				   "\0\0\4\10\0\0\0\0\0\0\357\0\1";
	struct seen seen = {0};

	(void)state;
	assert_int_equal(h2_session_init(&seen.s, &calls, H2_STREAM_WINDOW), 0);
	assert_int_equal(seen.s.out.len, sizeof(want) - 1);
	assert_memory_equal(seen.s.out.data, want, sizeof(want) - 1);
	h2_session_done(&seen.s);
}

/* The request's block through nghttp2's reader of HPACK. */
static void test_request_block(void **state)
{
	static const char *const want[][2] = {{":method", "GET"}, {":scheme", "https"}, {":authority", "h:1"},
		{":path", NULL}, {"accept", "text/event-stream"}, {"cache-control", "no-cache"}};
	_cleanup_buf_ struct buf b = {0};
	char path[400] = "/";
	nghttp2_hd_inflater *inflater;
	const uint8_t *p;
	size_t n, field = 0;
	int flags = 0;

	(void)state;
	memset(path + 1, 'x', sizeof(path) - 2);
	assert_int_equal(h2_request_block(&b, true, "h:1", path), 0);
	p = (const uint8_t *)b.data;
	n = b.len;
	assert_int_equal(nghttp2_hd_inflate_new(&inflater), 0);
	while (!(flags & NGHTTP2_HD_INFLATE_FINAL)) {
		nghttp2_nv nv;
		ssize_t used = nghttp2_hd_inflate_hd2(inflater, &nv, &flags, p, n, 1);

		assert_true(used >= 0);
		p += used;
		n -= (size_t)used;
		if (!(flags & NGHTTP2_HD_INFLATE_EMIT))
			continue;
		assert_true(field < ARRAY_LEN(want));
		assert_string_equal((const char *)nv.name, want[field][0]);
		assert_string_equal((const char *)nv.value, want[field][1] ? want[field][1] : path);
		field++;
	}
	assert_int_equal(field, ARRAY_LEN(want));
	nghttp2_hd_inflate_del(inflater);
}

static void test_a_stream_cut_anywhere(void **state)
{
	_cleanup_buf_ struct buf b = {0};
	static struct seen seen;

	(void)state;
	PUT(&b, H2_SETTINGS, H2_ACK, 0, "");
	PUT(&b, H2_HEADERS, H2_END_HEADERS, 1, "\x08\x03\x31\x30\x33"); /* :status 103 */
	PUT(&b, H2_HEADERS, H2_PADDED | H2_PRIORITIZED, 1, "\2\0\0\0\0\20\x88\x0f\0\0");
	PUT(&b, H2_CONTINUATION, 0, 1, "\x10\x11text/event");
	PUT(&b, H2_CONTINUATION, H2_END_HEADERS, 1, "-stream");
	PUT(&b, H2_DATA, 0, 1, "one ");
	PUT(&b, H2_WINDOW_UPDATE, 0, 0, "\0\0\0\1");
	PUT(&b, H2_DATA, H2_PADDED, 1, "\3two \0\0\0");
	PUT(&b, H2_DATA, H2_PADDED, 1, "\0");
	PUT(&b, H2_DATA, 0, 1, "");
	PUT(&b, H2_PING, 0, 0, "12345678");
	PUT(&b, (enum h2_type)77, 0, 1, "unknown");
	PUT(&b, H2_DATA, H2_PADDED, 1, "\1three\0");
	PUT(&b, H2_DATA, H2_END_STREAM, 1, "");
	for (size_t cut = 0; cut <= b.len; cut++) {
		begin(&seen, H2_STREAM_WINDOW);
		assert_int_equal(h2_session_feed(&seen.s, b.data, cut), 0);
		assert_int_equal(h2_session_feed(&seen.s, b.data + cut, b.len - cut), 0);
		assert_int_equal(seen.heads, 1);
		assert_int_equal(seen.status, 200);
		assert_string_equal(seen.type, "text/event-stream");
		assert_true(slice_eq((struct slice){seen.body, seen.body_n}, SLICE("one two three")));
		assert_int_equal(seen.overs, 1);
		assert_int_equal(seen.s.open, 0);
		/* All that was said back is the PING's acknowledgement. */
		assert_int_equal(seen.s.out.len, H2_FRAME_HEAD + 8);
		assert_memory_equal(seen.s.out.data,
			"\0\0\10\6\1\0\0\0\0"
			"12345678",
			17);
		h2_session_done(&seen.s);
	}
}

/* Sends `n` bytes of DATA in frames of 1,000. */
static void feed_data(struct seen *seen, size_t n)
{
	static char zeros[1000];

	for (; n; n -= sizeof(zeros)) {
		_cleanup_buf_ struct buf b = {0};

		put(&b, H2_DATA, 0, 1, zeros, sizeof(zeros));
		seen->body_n = 0;
		assert_int_equal(h2_session_feed(&seen->s, b.data, b.len), 0);
	}
}

static void test_windows(void **state)
{
	_cleanup_buf_ struct buf b = {0};
	static struct seen seen;

	(void)state;
	PUT(&b, H2_HEADERS, H2_END_HEADERS, 1, HEAD_200);
	begin(&seen, 10000);
	assert_int_equal(h2_session_feed(&seen.s, b.data, b.len), 0);
	feed_data(&seen, 4000);
	assert_int_equal(seen.s.out.len, 0);
	feed_data(&seen, 1000);
	assert_int_equal(seen.s.out.len, H2_FRAME_HEAD + 4);
	assert_memory_equal(seen.s.out.data, "\0\0\4\10\0\0\0\0\1\0\0\23\210", 13); /* 5,000 for stream 1 */
	seen.s.out.len = 0;
	h2_session_stall(&seen.s, 1);
	feed_data(&seen, 8000);
	assert_int_equal(seen.s.out.len, 0);
	h2_session_done(&seen.s);
}

static void test_requests_and_cancels(void **state)
{
	_cleanup_buf_ struct buf b = {0};
	static struct seen seen;
	uint32_t id = 0;

	(void)state;
	begin(&seen, H2_STREAM_WINDOW);
	assert_int_equal(h2_session_request(&seen.s, SLICE("\x82"), &seen, &id), 0);
	assert_int_equal(h2_session_request(&seen.s, SLICE("\x82"), &seen, &id), -EBUSY);
	seen.s.out.len = 0;
	/* Many more than the ring holds at first; the oldest stays. */
	for (uint32_t want = 3; want < 1000; want += 2) {
		assert_int_equal(h2_session_cancel(&seen.s, want), 0);
		assert_int_equal(h2_session_request(&seen.s, SLICE("\x82"), &seen, &id), 0);
		assert_int_equal(id, want + 2);
	}
	assert_memory_equal(seen.s.out.data, "\0\0\4\3\0\0\0\0\3\0\0\0\10", 13); /* RST_STREAM, CANCEL */
	assert_int_equal(seen.overs, 0);
	PUT(&b, H2_HEADERS, H2_END_HEADERS, 1, HEAD_200);
	PUT(&b, H2_DATA, 0, 501, "of a cancelled stream");
	PUT(&b, H2_RST_STREAM, 0, 1, "\0\0\0\13");
	PUT(&b, H2_GOAWAY, 0, 0, "\0\0\0\0\0\0\0\0");
	assert_int_equal(h2_session_feed(&seen.s, b.data, b.len), 0);
	assert_int_equal(seen.heads, 1);
	assert_int_equal(seen.body_n, 0);
	assert_int_equal(seen.overs, 2); /* the reset, and the youngest, which GOAWAY refused */
	assert_int_equal(h2_session_request(&seen.s, SLICE("\x82"), &seen, &id), -EPIPE);
	h2_session_done(&seen.s);
}

static void test_bad_servers(void **state)
{
	static const struct {
		uint8_t type, flags;
		uint32_t stream;
		const char *payload;
		size_t n;
	} bad[] = {
		{H2_DATA, 0, 1, "before its head", 15},
		{H2_DATA, 0, 0, "on stream 0", 11},
		{H2_DATA, 0, 3, "not asked for", 13},
		{H2_DATA, H2_PADDED, 1, "\7short", 6},
		{H2_DATA, H2_PADDED, 1, "", 0},
		{H2_HEADERS, H2_END_HEADERS, 3, HEAD_200, sizeof(HEAD_200) - 1},
		{H2_HEADERS, H2_END_HEADERS, 1, "\xff\xff\xff\xff\xff\xff", 6},
		{H2_HEADERS, H2_END_HEADERS, 1, "\x0f\x10\x01x", 4}, /* no :status */
		{H2_HEADERS, H2_PADDED | H2_END_HEADERS, 1, "\x09", 1},
		{H2_CONTINUATION, H2_END_HEADERS, 1, HEAD_200, sizeof(HEAD_200) - 1},
		{H2_SETTINGS, 0, 0, "12345", 5},
		{H2_RST_STREAM, 0, 1, "123", 3},
		{H2_PUSH_PROMISE, 0, 1, "\0\0\0\2", 4},
		{H2_GOAWAY, 0, 0, "\0\0\0\1\0\0\0\13calm", 12},
	};
	static struct seen seen;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		_cleanup_buf_ struct buf b = {0};

		begin(&seen, H2_STREAM_WINDOW);
		put(&b, (enum h2_type)bad[i].type, bad[i].flags, bad[i].stream, bad[i].payload, bad[i].n);
		if (h2_session_feed(&seen.s, b.data, b.len) != -EPROTO || !seen.s.why[0])
			fail_msg("taken as good: row %zu", i);
		h2_session_done(&seen.s);
	}
	memset(&seen, 0, sizeof(seen));
	assert_int_equal(h2_session_init(&seen.s, &calls, 1000), 0);
	assert_int_equal(h2_session_feed(&seen.s, "HTTP/1.1 400 Bad Request\r\n", 26), -EPROTO);
	h2_session_done(&seen.s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_first_bytes),
		cmocka_unit_test(test_request_block),
		cmocka_unit_test(test_a_stream_cut_anywhere),
		cmocka_unit_test(test_windows),
		cmocka_unit_test(test_requests_and_cancels),
		cmocka_unit_test(test_bad_servers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
