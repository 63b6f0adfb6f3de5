/* The receiving side: response head, chunks, events, order. Every text is fed whole and cut at every place.
 */
#include "cmocka_first.h"
#include "../event_make.h"
#include "../events.h"
#include "../response.h"

struct seen {
	char body[16384];
	size_t body_n;
	struct event events[8];
	size_t count;
	struct events reader;
	struct response response;
};

static void feed(struct seen *s, const char *p, size_t n)
{
	while (n) {
		struct slice body;
		size_t used = response_next(&s->response, p, n, &body);

		if (!used)
			return; /* ended or bad */
		if (body.n)
			memcpy(s->body + s->body_n, body.p, body.n);
		s->body_n += body.n;
		while (body.n) {
			bool done;
			size_t k = events_next(&s->reader, body.p, body.n, &done);

			if (done)
				s->events[s->count++] = s->reader.now;
			body.p += k;
			body.n -= k;
		}
		p += used;
		n -= used;
	}
}

static void feed_cut(struct seen *s, const char *text, size_t n, size_t cut)
{
	memset(s, 0, sizeof(*s));
	response_init(&s->response);
	feed(s, text, cut);
	feed(s, text + cut, n - cut);
}

#define SSE_HEAD "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\n"
#define CHUNKED	 SSE_HEAD "Transfer-Encoding: chunked\r\n\r\n"

static void test_chunked_stream_cut_anywhere(void **state)
{
	static const char text[] =
		CHUNKED "1e\r\nid: 7\ndata: {\"seq\":7,\"t\":123}\n\r\n1;x=y\r\n\n\r\n"
			"3\r\n: h\r\n2\r\n\n\n\r\n20\r\nid: 8\r\ndata: {\"seq\":8,\"t\":4}\r\n\r\n\r\n"
			"0\r\nTrailer: x\r\n\r\n";
	static struct seen s;

	(void)state;
	for (size_t cut = 0; cut < sizeof(text); cut++) {
		feed_cut(&s, text, sizeof(text) - 1, MIN(cut, sizeof(text) - 1));
		assert_int_equal(s.response.state, RESPONSE_END);
		assert_true(s.response.chunked && s.response.event_stream);
		assert_int_equal(s.count, 2);
		assert_int_equal(s.events[0].id, 7);
		assert_int_equal(s.events[0].seq, 7);
		assert_int_equal(s.events[0].t_ns, 123);
		assert_int_equal(s.events[1].seq, 8);
		assert_true(s.events[0].whole && s.events[1].whole);
		assert_int_equal(s.reader.comments, 1);
		response_done(&s.response);
	}
}

static void test_what_event_make_makes_is_read(void **state)
{
	static const uint64_t sizes[] = {0, 50, 60, 64, 70, 200, 3000};
	static struct seen s;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		_cleanup_buf_ struct buf b = {0};
		struct event_spec spec = {1234, 9876543210987, sizes[i], 250, true};

		assert_int_equal(buf_append(&b, CHUNKED, sizeof(CHUNKED) - 1), 0);
		assert_int_equal(event_make(&b, &spec), 0);
		spec.retry_ms = 0;
		spec.seq++;
		assert_int_equal(event_make(&b, &spec), 0);
		feed_cut(&s, b.data, b.len, b.len / 2);
		assert_int_equal(s.response.state, RESPONSE_BODY);
		assert_true(dechunk_next(&s.response.chunk, "0\r\n\r\n", 5, &(struct slice){0}) == 5);
		assert_int_equal(s.response.chunk.chunks, 2);
		assert_int_equal(s.count, 2);
		assert_int_equal(s.reader.retry_ms, 250);
		assert_int_equal(s.events[1].id, 1235);
		assert_int_equal(s.events[1].seq, 1235);
		assert_int_equal(s.events[1].t_ns, 9876543210987);
		assert_true(s.events[1].whole);
		if (sizes[i] >= 50)
			assert_int_equal(s.events[1].bytes, sizes[i]);
		response_done(&s.response);
	}
}

static void test_close_delimited_and_lengths(void **state)
{
	static const char open[] = SSE_HEAD "\r\nid: 1\ndata: {\"seq\":1,\"t\":1}\n\n";
	static const char length[] = "HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nabcd";
	static const char interim[] =
		"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n";
	static struct seen s;

	(void)state;
	feed_cut(&s, open, sizeof(open) - 1, 10);
	assert_int_equal(s.response.state, RESPONSE_BODY);
	assert_true(response_eof(&s.response));
	assert_int_equal(s.count, 1);
	response_done(&s.response);

	feed_cut(&s, length, sizeof(length) - 1, sizeof(length) - 3);
	assert_int_equal(s.response.state, RESPONSE_END);
	assert_int_equal(s.body_n, 3);
	assert_false(s.response.event_stream);
	response_done(&s.response);

	feed_cut(&s, interim, sizeof(interim) - 1, 50);
	assert_int_equal(s.response.status, 204);
	assert_int_equal(s.response.state, RESPONSE_END);
	response_done(&s.response);
}

static void test_a_cut_stream_is_no_end(void **state)
{
	static const char text[] = CHUNKED "5\r\n: hi\n";
	static struct seen s;

	(void)state;
	feed_cut(&s, text, sizeof(text) - 1, 4);
	assert_false(response_eof(&s.response));
	response_done(&s.response);
}

static void test_bad_framing_is_seen(void **state)
{
	static const char *const bad[] = {
		"SMTP 200\r\nx: y\r\n\r\n",
		SSE_HEAD "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n",
		SSE_HEAD "Transfer-Encoding: gzip\r\n\r\n",
		SSE_HEAD "Content-Length: 3x\r\n\r\n",
		CHUNKED "g\r\n",
		CHUNKED "\r\n",
		CHUNKED "2\r\nabc\r\n",
		CHUNKED "2\r\nab\r2\r\n",
		CHUNKED "1000000000000000\r\n",
	};
	static struct seen s;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		feed_cut(&s, bad[i], strlen(bad[i]), 5);
		if (s.response.state != RESPONSE_BAD)
			fail_msg("taken as good: %s", bad[i]);
		response_done(&s.response);
	}
}

static void test_damaged_events_are_told(void **state)
{
	static const char text[] =
		"id: 1\ndata: {\"seq\":2,\"t\":5}\n\ndata: {\"seq\":3,\"t\":5\n\ndata\n\n\n";
	struct events e = {0};
	struct event got[4];
	size_t n = 0, at = 0;

	(void)state;
	while (at < sizeof(text) - 1) {
		bool done;

		at += events_next(&e, text + at, sizeof(text) - 1 - at, &done);
		if (done)
			got[n++] = e.now;
	}
	assert_int_equal(n, 3);
	assert_int_equal(got[0].id, 1);
	assert_int_equal(got[0].seq, 2);
	assert_int_equal(got[1].id, 0);
	assert_false(got[1].whole);
	assert_int_equal(got[2].seq, 0);
}

static void test_sequence(void **state)
{
	static const uint64_t came[] = {41, 42, 45, 44, 46, 46, 47};
	struct sequence s = {0};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(came); i++)
		sequence_see(&s, came[i]);
	assert_int_equal(s.lost, 2);	 /* 43 and 44, which came too late to be in order */
	assert_int_equal(s.repeated, 2); /* that 44, and the second 46 */
	assert_int_equal(s.next, 48);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_chunked_stream_cut_anywhere),
		cmocka_unit_test(test_what_event_make_makes_is_read),
		cmocka_unit_test(test_close_delimited_and_lengths),
		cmocka_unit_test(test_a_cut_stream_is_no_end),
		cmocka_unit_test(test_bad_framing_is_seen),
		cmocka_unit_test(test_damaged_events_are_told),
		cmocka_unit_test(test_sequence),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
