/* Requests and answers over one HTTP/2 connection: heads, bodies, ends, flow control, the drain. */
#include "h2_client.h"

#define STREAM_HEAD "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
#define PLAIN_HEAD  "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n"

static void test_settings(void **state)
{
	struct world *w = world_with(NULL);
	uint32_t got[16] = {0};

	(void)state;
	assert_true(next_frame(w)); /* at once: the client has said nothing yet */
	assert_int_equal(w->f.type, F_SETTINGS);
	assert_int_equal(w->f.flags, 0);
	for (size_t at = 0; at + 6 <= w->f.n; at += 6)
		got[w->f.payload[at + 1] & 15] = f_u32(w, at + 2);
	assert_int_equal(got[NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS], 250);
	assert_int_equal(got[NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE], 65536);
	assert_int_equal(got[NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE], 65536);
	assert_int_equal(got[NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES], 1);
	/* and the connection's window is no limit of its own */
	assert_true(next_frame(w));
	assert_int_equal(w->f.type, F_WINDOW);
	assert_int_equal(w->f.id, 0);
	assert_int_equal(f_u32(w, 0), 250 * 65536 - 65535);
	assert_false(next_frame(w));
	world_free(w);
}

static void test_get(void **state)
{
	struct world *w = world_new();
	struct told *t;

	(void)state;
	headers(w, 1, END_STREAM,
		H2_GET "events?since=1\2accept\1text/event-stream\2user-agent\1x y\2te\1trailers");
	assert_int_equal(feed(w), 0);
	t = told_of(w, 1);
	assert_non_null(t);
	assert_string_equal(t->head, "GET /events?since=1\nhost: a.example\naccept: text/event-stream\n"
				     "user-agent: x y\nte: trailers\n");
	assert_true(t->end);
	assert_int_equal(t->req.method, H1_GET);
	assert_int_equal(t->req.framing, H1_BODY_NONE);
	assert_true(t->req.accepts_event_stream && t->req.keep_alive && t->req.http2);
	assert_int_equal(t->req.minor, 1);
	assert_int_equal(t->req.fields[0].id, H1_F_ACCEPT);
	assert_true(t->req.fields[2].hop_by_hop);
	assert_int_equal(t->ends, 0);
	assert_int_equal(h2_streams(w->s), 1);
	world_free(w);
}

/* The first seed: the head of a silent stream goes at once. */
static void test_silent_head(void **state)
{
	struct world *w = world_new();

	(void)state;
	get(w, 1);
	assert_int_equal(feed(w), 0);
	assert_false(h2_wants_pull(w->s));
	assert_int_equal(answer(w, 1, STREAM_HEAD, false), 0);
	assert_true(h2_wants_pull(w->s));
	assert_true(next_frame(w));
	assert_int_equal(w->f.type, F_HEADERS);
	assert_int_equal(w->f.flags, END_HEADERS);
	assert_string_equal(decoded(w), ":status: 200\ncontent-type: text/event-stream\n");
	assert_false(next_frame(w));
	assert_false(h2_wants_pull(w->s));
	world_free(w);
}

static void test_body(void **state)
{
	struct world *w = world_new();

	(void)state;
	get(w, 1);
	feed(w);
	assert_int_equal(answer(w, 1, STREAM_HEAD, false), 0);
	give(w, 1, "data: a\n\n", false);
	assert_true(find_frame(w, F_DATA, 1));
	assert_memory_equal(w->f.payload, "data: a\n\n", 9);
	assert_int_equal(w->f.n, 9);
	assert_int_equal(w->f.flags, 0);
	assert_false(next_frame(w));
	give(w, 1, "data: b\n\n", false);
	assert_true(next_frame(w));
	assert_memory_equal(w->f.payload, "data: b\n\n", 9);
	give(w, 1, "bye", true);
	assert_true(next_frame(w));
	assert_int_equal(w->f.n, 3);
	assert_int_equal(w->f.flags, END_STREAM);
	assert_false(next_frame(w));
	assert_int_equal(told_of(w, 1)->closes, 1);
	assert_int_equal(told_of(w, 1)->code, 0);
	assert_false(told_of(w, 1)->by_peer);
	assert_int_equal(h2_streams(w->s), 0);
	assert_int_equal(h2_stats(w->s)->data_frames_out, 3);
	assert_int_equal(h2_stats(w->s)->data_bytes_out, 21);
	world_free(w);
}

/* In pieces of one byte, and with no more room than that. */
static void test_pieces(void **state)
{
	struct world *w = world_with(NULL);
	static char body[20000];

	(void)state;
	memset(body, 'b', sizeof(body) - 1);
	w->step = 1;
	w->room = H2_PULL_MIN;
	greet(w);
	headers(w, 1, 0,
		H2_POST "\2content-length\1"
			"6");
	data(w, 1, 0, "abc");
	data(w, 1, END_STREAM, "def");
	assert_int_equal(feed(w), 0);
	assert_int_equal(told_of(w, 1)->body.len, 6);
	assert_memory_equal(told_of(w, 1)->body.data, "abcdef", 6);
	assert_int_equal(told_of(w, 1)->ends, 1);
	assert_int_equal(answer(w, 1, PLAIN_HEAD, false), 0);
	give(w, 1, body, true);
	for (size_t got = 0; got < sizeof(body) - 1; got += w->f.n)
		assert_true(find_frame(w, F_DATA, 1));
	assert_int_equal(w->f.flags, END_STREAM);
	assert_true(told_of(w, 1)->closed);
	world_free(w);
}

static void test_request_bodies(void **state)
{
	struct world *w = world_new();

	(void)state;
	headers(w, 1, 0, H2_POST);
	headers(w, 3, 0,
		H2_POST "\2"
			"content-length\1"
			"3");
	headers(w, 5, 0,
		H2_POST "\2"
			"content-length\1"
			"0\2"
			"expect\1"
			"100-continue");
	headers(w, 7, 0,
		H2_POST "\2"
			"content-length\1"
			"010\2"
			"expect\1"
			"100-continue");
	headers(w, 9, END_STREAM,
		H2_POST "\2"
			"content-length\1"
			"0");
	data(w, 1, 0, "one");
	data(w, 3, END_STREAM, "two");
	frame(w, F_DATA, END_STREAM, 5, NULL, 0);
	frame(w, F_DATA, END_STREAM | PADDED, 1, "\2xy\0\0", 5);
	assert_int_equal(feed(w), 0);
	assert_int_equal(told_of(w, 1)->req.framing, H1_BODY_CHUNKED);
	assert_int_equal(told_of(w, 1)->body.len, 5);
	assert_memory_equal(told_of(w, 1)->body.data, "onexy", 5);
	assert_int_equal(told_of(w, 1)->ends, 1);
	assert_int_equal(told_of(w, 3)->req.framing, H1_BODY_LENGTH);
	assert_int_equal(told_of(w, 3)->req.content_length, 3);
	assert_int_equal(told_of(w, 3)->ends, 1);
	assert_int_equal(told_of(w, 5)->ends, 1);
	assert_false(told_of(w, 5)->end || told_of(w, 5)->req.expect_continue);
	assert_true(told_of(w, 7)->req.expect_continue);
	assert_int_equal(told_of(w, 7)->req.content_length, 10);
	assert_int_equal(told_of(w, 7)->ends, 0);
	assert_true(told_of(w, 9)->end);
	assert_int_equal(told_of(w, 9)->ends, 0);
	assert_int_equal(told_of(w, 9)->req.framing, H1_BODY_LENGTH);
	assert_int_equal(h2_stats(w->s)->data_bytes_in, 8);
	world_free(w);
}

/* E14: not a byte more than was said goes up, and less is no end. */
static void test_length_mismatch(void **state)
{
	struct world *w = world_new();

	(void)state;
	for (int32_t id = 1; id <= 7; id += 2)
		headers(w, id, 0,
			H2_POST "\2"
				"content-length\1"
				"5");
	data(w, 1, 0, "abcdef");
	data(w, 3, END_STREAM, "abc");
	data(w, 5, 0, "abc");
	data(w, 5, END_STREAM, "def");
	data(w, 5, 0, "more"); /* behind its end */
	assert_int_equal(feed(w), 0);
	expect_rst(w, 1, H2_PROTOCOL_ERROR);
	expect_rst(w, 3, H2_PROTOCOL_ERROR);
	expect_rst(w, 5, H2_PROTOCOL_ERROR);
	for (int32_t id = 1; id <= 5; id += 2) {
		struct told *t = told_of(w, id);

		assert_int_equal(t->rule, H1_RULE_H2_LENGTH);
		assert_int_equal(t->ends, 0);
		assert_int_equal(t->closes, 1);
		assert_int_equal(t->code, H2_PROTOCOL_ERROR);
		assert_false(t->by_peer);
		assert_int_equal(t->body.len, id == 1 ? 0 : 3);
	}
	data(w, 7, END_STREAM, "whole");
	assert_int_equal(feed(w), 0);
	assert_int_equal(told_of(w, 7)->ends, 1);
	world_free(w);
}

static void test_trailers(void **state)
{
	struct world *w = world_new();

	(void)state;
	for (int32_t id = 1; id <= 9; id += 2) {
		headers(w, id, 0, H2_POST);
		data(w, id, 0, "body");
	}
	headers(w, 1, END_STREAM,
		"x-sum\1"
		"42\2host\1evil"); /* dropped */
	headers(w, 3, 0,
		"x-sum\1"
		"42");
	headers(w, 5, END_STREAM,
		"x-sum\1"
		"42\2:path\1/");
	headers(w, 7, END_STREAM,
		"x\1"
		"a\r\nb");
	headers(w, 9, END_STREAM, "");
	assert_int_equal(feed(w), 0);
	drain(w);
	assert_int_equal(told_of(w, 1)->ends, 1);
	assert_int_equal(told_of(w, 9)->ends, 1);
	assert_int_equal(told_of(w, 3)->rule, H1_RULE_H2_TRAILERS);
	assert_int_equal(told_of(w, 5)->rule, H1_RULE_H2_TRAILERS);
	assert_int_equal(told_of(w, 7)->rule, H1_RULE_H2_VALUE_BYTE);
	for (int32_t id = 3; id <= 7; id += 2) {
		assert_int_equal(told_of(w, id)->ends, 0);
		assert_int_equal(told_of(w, id)->code, H2_PROTOCOL_ERROR);
	}
	/* an upload of a known length that ends with trailers is held to it */
	headers(w, 11, 0,
		H2_POST "\2"
			"content-length\1"
			"5");
	data(w, 11, 0, "1234");
	headers(w, 11, END_STREAM, "x\1y");
	assert_int_equal(feed(w), 0);
	assert_int_equal(told_of(w, 11)->rule, H1_RULE_H2_LENGTH);
	world_free(w);
}

/* Trailers of an answer: behind the last DATA, which does not end the stream then. */
static void test_answer_trailers(void **state)
{
	static const struct {
		const char *text;
		int err;
	} bad[] = {
		{"", -EINVAL},
		{"\r\n", -EINVAL}, /* none: the caller's to know */
		{"X-Sum: 1\r\n", -EINVAL},
		{"nocolon\r\n\r\n", -EINVAL},
	};
	struct world *w = world_new();
	struct buf big = {0};

	(void)state;
	get(w, 1);
	get(w, 3);
	get(w, 5);
	assert_int_equal(feed(w), 0);
	for (int32_t id = 1; id <= 5; id += 2)
		assert_int_equal(answer(w, id, PLAIN_HEAD, false), 0);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_int_equal(h2_trailers(w->s, 1, slice_of(bad[i].text)), bad[i].err);
	for (unsigned i = 0; i < 257; i++)
		assert_int_equal(buf_printf(&big, "x: y\r\n"), 0);
	assert_int_equal(buf_printf(&big, "\r\n"), 0);
	assert_int_equal(h2_trailers(w->s, 1, buf_slice(&big)), -E2BIG);
	buf_reset(&big);
	assert_int_equal(h2_trailers(w->s, 99, SLICE("X: y\r\n\r\n")), -ENOENT);
	told_of(w, 1)->trailers = "X-Sum: 42 \r\nB:\r\n\r\n";
	give(w, 1, "body", true);
	assert_true(find_frame(w, F_DATA, 1));
	assert_int_equal(w->f.flags, 0);
	assert_int_equal(w->f.n, 4);
	assert_true(next_frame(w));
	assert_int_equal(w->f.type, F_HEADERS);
	assert_int_equal(w->f.flags, END_HEADERS | END_STREAM);
	assert_string_equal(decoded(w), "x-sum: 42\nb: \n");
	assert_int_equal(told_of(w, 1)->closes, 1);
	assert_int_equal(told_of(w, 1)->code, 0);
	/* no body: no DATA either */
	told_of(w, 3)->trailers = "X: y\r\n\r\n";
	give(w, 3, "", true);
	assert_true(next_frame(w));
	assert_int_equal(w->f.type, F_HEADERS);
	assert_int_equal(w->f.flags, END_HEADERS | END_STREAM);
	assert_string_equal(decoded(w), "x: y\n");
	assert_int_equal(told_of(w, 3)->closes, 1);
	/* what cannot be sent does not end it */
	told_of(w, 5)->trailers = "broken";
	give(w, 5, "half", true);
	assert_true(next_frame(w));
	assert_int_equal(w->f.type, F_DATA);
	assert_int_equal(w->f.flags, 0);
	assert_false(next_frame(w));
	h2_reset(w->s, 5, H2_INTERNAL_ERROR);
	expect_rst(w, 5, H2_INTERNAL_ERROR);
	assert_int_equal(h2_trailers(w->s, 5, SLICE("X: y\r\n\r\n")), -ENOENT);
	assert_false(next_frame(w));
	world_free(w);
}

static void test_heads(void **state)
{
	static const struct {
		const char *head;
		int err;
	} bad[] = {
		{"", -EINVAL},
		{"HTTP/1.1 200 OK\r\n", -EINVAL},
		{"HTTP/1.1 200 OK\r\nX: y\r\n", -EINVAL},
		{"HTTP/1.1 200 OK\nX: y\n\n", -EINVAL},
		{"HTTP/1.1 2x0 OK\r\n\r\n", -EINVAL},
		{"HTTP/1.1 20\r\n\r\n", -EINVAL},
		{"HTTP/1.1 099 No\r\n\r\n", -EINVAL},
		{"HTTP/1.1 101 Switching\r\n\r\n", -EINVAL}, /* RFC 9113 8.6 */
		{"HTTP/1.1 200 OK\r\nnocolon\r\n\r\n", -EINVAL},
		{"HTTP/1.1 200 OK\r\n: empty\r\n\r\n", -EINVAL},
	};
	struct world *w = world_new();
	struct buf big = {0};

	(void)state;
	get(w, 1);
	get(w, 3);
	assert_int_equal(feed(w), 0);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_int_equal(answer(w, 1, bad[i].head, false), bad[i].err);
	assert_int_equal(buf_printf(&big, "HTTP/1.1 200 OK\r\n"), 0);
	for (unsigned i = 0; i < 256; i++)
		assert_int_equal(buf_printf(&big, "x: y\r\n"), 0);
	assert_int_equal(buf_printf(&big, "\r\n"), 0);
	assert_int_equal(h2_head(w->s, 1, buf_slice(&big), false), -E2BIG);
	buf_reset(&big);
	assert_int_equal(answer(w, 99, PLAIN_HEAD, false), -ENOENT);
	assert_false(next_frame(w));

	assert_int_equal(answer(w, 1, "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n", false), 0);
	assert_int_equal(answer(w, 1, "HTTP/1.1 100 Continue\r\n\r\n", false), 0);
	assert_int_equal(answer(w, 1,
				 "HTTP/1.1 204 No Content\r\nDate: now\r\nConnection: close\r\nKeep-Alive: "
				 "timeout=5\r\n"
				 "Transfer-Encoding: chunked\r\nUpgrade: x\r\nProxy-Connection: "
				 "y\r\nSet-Cookie: a=B\r\n"
				 "Set-Cookie: c=D\r\nX-Empty:\r\nX-Obs: \xa0\xff\r\n\r\n",
				 true),
		0);
	assert_true(find_frame(w, F_HEADERS, 1));
	assert_int_equal(w->f.flags, END_HEADERS);
	assert_string_equal(decoded(w), ":status: 103\nlink: </x>\n");
	assert_true(next_frame(w));
	assert_string_equal(decoded(w), ":status: 100\n");
	assert_true(next_frame(w));
	assert_int_equal(w->f.flags, END_HEADERS | END_STREAM);
	assert_string_equal(decoded(w),
		":status: 204\ndate: now\nset-cookie: a=B\nset-cookie: c=D\nx-empty: \n"
		"x-obs: \xa0\xff\n");
	assert_false(next_frame(w));
	assert_int_equal(told_of(w, 1)->closes, 1);
	assert_int_equal(told_of(w, 1)->pulls, 0);
	assert_int_equal(answer(w, 1, PLAIN_HEAD, false), -ENOENT); /* it is gone */
	world_free(w);
}

/* A head over a frame's 16 KiB goes on in CONTINUATIONs. */
static void test_big_head(void **state)
{
	struct world *w = world_new();
	_cleanup_buf_ struct buf head = {0};
	size_t bytes = 0;

	(void)state;
	get(w, 1);
	assert_int_equal(feed(w), 0);
	assert_int_equal(buf_printf(&head, "HTTP/1.1 200 OK\r\n"), 0);
	for (unsigned i = 0; i < 60; i++)
		assert_int_equal(buf_printf(&head, "x-%u: %01000u\r\n", i, i), 0);
	assert_int_equal(buf_printf(&head, "\r\n"), 0);
	assert_int_equal(h2_head(w->s, 1, buf_slice(&head), true), 0);
	assert_true(next_frame(w));
	assert_int_equal(w->f.type, F_HEADERS);
	assert_int_equal(w->f.flags, END_STREAM);
	do {
		bytes += w->f.n;
		assert_true(w->f.flags & END_HEADERS || next_frame(w));
	} while (!(w->f.flags & END_HEADERS));
	assert_int_equal(w->f.type, F_CONT);
	assert_true(bytes > 30000);
	assert_false(next_frame(w));
	world_free(w);
}

/* The answer is whole before the request is: the rest of it is not wanted, and nobody is blamed. */
static void test_early_answer(void **state)
{
	struct world *w = world_new();

	(void)state;
	headers(w, 1, 0, H2_POST);
	headers(w, 3, 0, H2_POST);
	data(w, 1, 0, "some");
	assert_int_equal(feed(w), 0);
	assert_int_equal(answer(w, 1, "HTTP/1.1 413 Content Too Large\r\n\r\n", true), 0);
	assert_true(find_frame(w, F_HEADERS, 1));
	assert_true(next_frame(w));
	assert_int_equal(w->f.type, F_RST);
	assert_int_equal(f_u32(w, 0), H2_NO_ERROR);
	assert_int_equal(told_of(w, 1)->code, H2_NO_ERROR);
	assert_int_equal(answer(w, 3, PLAIN_HEAD, false), 0);
	give(w, 3, "x", true);
	assert_true(find_frame(w, F_DATA, 3));
	assert_int_equal(w->f.flags, END_STREAM);
	expect_rst(w, 3, H2_NO_ERROR);
	data(w, 1, END_STREAM, "late");
	data(w, 3, END_STREAM, "late");
	assert_int_equal(feed(w), 0);
	assert_false(next_frame(w));
	assert_int_equal(told_of(w, 1)->body.len, 4);
	assert_int_equal(h2_streams(w->s), 0);
	world_free(w);
}

static void test_resets(void **state)
{
	struct world *w = world_new();

	(void)state;
	for (int32_t id = 1; id <= 9; id += 2)
		get(w, id);
	assert_int_equal(feed(w), 0);
	/* the peer's */
	rst(w, 1, H2_CANCEL);
	assert_int_equal(feed(w), 0);
	assert_int_equal(told_of(w, 1)->closes, 1);
	assert_int_equal(told_of(w, 1)->code, H2_CANCEL);
	assert_true(told_of(w, 1)->by_peer);
	assert_int_equal(w->notes[H2_NOTE_RESET_IN], 1);
	assert_int_equal(w->last_code[H2_NOTE_RESET_IN], H2_CANCEL);
	/* ours, in the middle of a body: what was not pulled is dropped, and there is no END_STREAM */
	assert_int_equal(answer(w, 3, PLAIN_HEAD, false), 0);
	give(w, 3, "first", false);
	drain(w);
	give(w, 3, "never", true);
	h2_reset(w->s, 3, H2_INTERNAL_ERROR);
	h2_reset(w->s, 3, H2_INTERNAL_ERROR); /* twice is as good as once */
	assert_true(find_frame(w, F_DATA, 3));
	assert_int_equal(w->f.n, 5);
	assert_int_equal(w->f.flags, 0);
	assert_true(next_frame(w));
	assert_int_equal(w->f.type, F_RST);
	assert_int_equal(f_u32(w, 0), H2_INTERNAL_ERROR);
	assert_false(next_frame(w));
	assert_int_equal(told_of(w, 3)->closes, 1);
	assert_false(told_of(w, 3)->by_peer);
	assert_int_equal(told_of(w, 3)->give_len, 5);
	assert_int_equal(w->notes[H2_NOTE_RESET_OUT], 1);
	/* ours, and nothing more is heard of it */
	h2_detach(w->s, 5);
	h2_reset(w->s, 5, H2_CANCEL);
	expect_rst(w, 5, H2_CANCEL);
	assert_int_equal(told_of(w, 5)->closes, 0);
	/* of what is not there */
	h2_reset(w->s, 5, H2_CANCEL);
	h2_reset(w->s, 1001, H2_CANCEL);
	h2_detach(w->s, 1001);
	h2_resume(w->s, 1001);
	h2_consume(w->s, 1001, 5);
	assert_false(next_frame(w));
	assert_int_equal(h2_streams(w->s), 2);
	world_free(w);
}

/* E8: a stream without a window waits alone. */
static void test_stream_stall(void **state)
{
	struct world *w = world_new();
	static char body[100000];
	size_t got = 0;

	(void)state;
	memset(body, 'b', sizeof(body) - 1);
	get(w, 1);
	get(w, 3);
	window(w, 0, 1 << 20);
	assert_int_equal(feed(w), 0);
	assert_int_equal(answer(w, 1, PLAIN_HEAD, false), 0);
	assert_int_equal(answer(w, 3, STREAM_HEAD, false), 0);
	assert_int_equal(h2_window(w->s, 1), 65535);
	give(w, 1, body, true);
	while (next_frame(w))
		got += w->f.type == F_DATA ? w->f.n : 0;
	assert_int_equal(got, 65535);
	assert_int_equal(h2_window(w->s, 1), 0);
	assert_int_equal(h2_stats(w->s)->stalls, 1);
	assert_int_equal(w->notes[H2_NOTE_STALL], 1);
	assert_false(h2_wants_pull(w->s));
	give(w, 3, "data: x\n\n", false);
	assert_true(next_frame(w));
	assert_int_equal(w->f.id, 3);
	h2_resume(w->s, 1); /* changes nothing */
	assert_false(next_frame(w));
	window(w, 1, 100000);
	assert_int_equal(feed(w), 0);
	while (next_frame(w))
		got += w->f.n;
	assert_int_equal(got, sizeof(body) - 1);
	assert_int_equal(w->f.flags, END_STREAM);
	world_free(w);
}

/* E9: nothing goes without the connection's window, and all goes on with it. */
static void test_connection_stall(void **state)
{
	struct world *w = world_new();
	static char body[65536];

	(void)state;
	memset(body, 'b', sizeof(body) - 1);
	get(w, 1);
	get(w, 3);
	assert_int_equal(feed(w), 0);
	assert_int_equal(answer(w, 1, PLAIN_HEAD, false), 0);
	assert_int_equal(answer(w, 3, STREAM_HEAD, false), 0);
	give(w, 1, body, false);
	drain(w);
	assert_int_equal(told_of(w, 1)->give_len, 0);
	assert_int_equal(h2_window(w->s, 3), 0);
	give(w, 3, "data: x\n\n", false);
	drain(w);
	assert_int_equal(told_of(w, 3)->give_len, 9);
	window(w, 0, 9);
	assert_int_equal(feed(w), 0);
	assert_true(find_frame(w, F_DATA, 3));
	assert_int_equal(w->f.n, 9);
	world_free(w);
}

/* An upload that the upstream does not take stops at its window, and stops no other. */
static void test_upload_windows(void **state)
{
	struct world *w = world_new();
	static char chunk[16384];
	unsigned updates = 0;

	(void)state;
	headers(w, 1, 0, H2_POST);
	headers(w, 3, 0, H2_POST);
	for (unsigned i = 0; i < 4; i++) {
		frame(w, F_DATA, 0, 1, chunk, sizeof(chunk));
		frame(w, F_DATA, 0, 3, chunk, sizeof(chunk));
	}
	assert_int_equal(feed(w), 0);
	assert_int_equal(told_of(w, 1)->body.len, 65536);
	assert_false(
		next_frame(w)); /* nothing was consumed, and the connection's window is far from used up */
	h2_consume(w->s, 3, 65536);
	assert_true(next_frame(w));
	assert_int_equal(w->f.type, F_WINDOW);
	assert_int_equal(w->f.id, 3);
	assert_int_equal(f_u32(w, 0), 65536);
	assert_false(next_frame(w));
	for (unsigned i = 0; i < 1000; i++) { /* 16 MiB through one stream */
		frame(w, F_DATA, 0, 3, chunk, sizeof(chunk));
		assert_int_equal(feed(w), 0);
		h2_consume(w->s, 3, sizeof(chunk));
		while (next_frame(w))
			updates += w->f.id == 0;
	}
	assert_true(updates >= 1); /* the connection's, by itself */
	assert_int_equal(told_of(w, 1)->closes, 0);
	frame(w, F_DATA, 0, 1, chunk, 1); /* one byte too many */
	feed(w);
	while (next_frame(w) && w->f.type != F_RST && w->f.type != F_GOAWAY)
		;
	assert_true(w->f.type == F_RST || w->f.type == F_GOAWAY);
	world_free(w);
}

static void test_drain(void **state)
{
	struct world *w = world_new();

	(void)state;
	get(w, 1);
	assert_int_equal(feed(w), 0);
	assert_int_equal(answer(w, 1, STREAM_HEAD, false), 0);
	h2_shutdown_notice(w->s);
	assert_true(find_frame(w, F_GOAWAY, 0));
	assert_int_equal(f_u32(w, 0), 0x7fffffff);
	assert_int_equal(f_u32(w, 4), H2_NO_ERROR);
	get(w, 3); /* was on its way */
	assert_int_equal(feed(w), 0);
	assert_non_null(told_of(w, 3));
	h2_goaway(w->s, H2_NO_ERROR);
	assert_true(find_frame(w, F_GOAWAY, 0));
	assert_int_equal(f_u32(w, 0), 3);
	get(w, 5);
	assert_int_equal(feed(w), 0);
	assert_null(told_of(w, 5));
	assert_false(next_frame(w));
	assert_int_equal(w->notes[H2_NOTE_GOAWAY_OUT], 2);
	/* the open ones end in peace */
	assert_false(h2_is_done(w->s));
	give(w, 1, "data: last\n\n", true);
	assert_true(find_frame(w, F_DATA, 1));
	assert_int_equal(w->f.flags, END_STREAM);
	assert_false(h2_is_done(w->s));
	assert_int_equal(answer(w, 3, PLAIN_HEAD, true), 0);
	drain(w);
	assert_true(h2_is_done(w->s));
	assert_int_equal(h2_why(w->s), H2_REASON_NONE);
	world_free(w);
}

/* E17 */
static void test_peer_goes_away(void **state)
{
	struct world *w = world_new();

	(void)state;
	get(w, 1);
	frame(w, F_GOAWAY, 0, 0, "\0\0\0\0\0\0\0\0", 8);
	assert_int_equal(feed(w), 0);
	assert_int_equal(w->notes[H2_NOTE_GOAWAY_IN], 1);
	assert_false(h2_is_done(w->s));
	assert_int_equal(answer(w, 1, PLAIN_HEAD, false), 0);
	give(w, 1, "x", true);
	assert_true(find_frame(w, F_DATA, 1));
	drain(w);
	assert_true(h2_is_done(w->s));
	world_free(w);
}

static void test_terminate(void **state)
{
	struct world *w = world_new();

	(void)state;
	get(w, 1);
	assert_int_equal(feed(w), 0);
	assert_int_equal(answer(w, 1, STREAM_HEAD, false), 0);
	h2_terminate(w->s, H2_INTERNAL_ERROR);
	assert_true(h2_recv(w->s, "x", 1, 0) < 0);
	assert_int_equal(answer(w, 1, STREAM_HEAD, false), -ENOENT);
	h2_resume(w->s, 1);
	h2_reset(w->s, 1, H2_CANCEL);
	h2_consume(w->s, 1, 1);
	h2_goaway(w->s, 0);
	h2_shutdown_notice(w->s);
	assert_false(h2_is_done(w->s));
	assert_true(next_frame(w));
	assert_int_equal(w->f.type, F_GOAWAY);
	assert_int_equal(f_u32(w, 0), 1);
	assert_int_equal(f_u32(w, 4), H2_INTERNAL_ERROR);
	assert_false(next_frame(w));
	assert_true(h2_is_done(w->s));
	world_free(w);
}

/* RFC 9218: the urgent first, equals in turns. Which streams get the first frames of a full window? */
static void order(struct world *w, int32_t *ids, size_t n)
{
	static char body[60000];

	memset(body, 'b', sizeof(body) - 1);
	for (int32_t id = 1; id <= 5; id += 2) {
		assert_int_equal(answer(w, id, PLAIN_HEAD, false), 0);
		give(w, id, body, false);
	}
	for (size_t i = 0; i < n; i++) {
		assert_true(find_frame(w, F_DATA, -1));
		ids[i] = w->f.id;
	}
}

static void test_priority(void **state)
{
	struct world *w = world_new();
	int32_t ids[3];

	(void)state;
	headers(w, 1, END_STREAM, H2_GET "\2priority\1u=5, i");
	headers(w, 3, END_STREAM, H2_GET "\2priority\1i;x=1, u=0;y");
	headers(w, 5, END_STREAM, H2_GET "\2priority\1u=9, junk, u=");
	assert_int_equal(feed(w), 0);
	order(w, ids, 3);
	assert_int_equal(ids[0], 3);
	assert_int_equal(ids[1], 3);
	world_free(w);

	w = world_new(); /* nothing said: in turns, so that a download holds up no events */
	for (int32_t id = 1; id <= 5; id += 2)
		get(w, id);
	assert_int_equal(feed(w), 0);
	order(w, ids, 3);
	assert_true(ids[0] != ids[1] && ids[1] != ids[2] && ids[0] != ids[2]);
	world_free(w);

	w = world_new(); /* PRIORITY_UPDATE */
	for (int32_t id = 1; id <= 5; id += 2)
		get(w, id);
	frame(w, 0x10, 0, 0, "\0\0\0\5u=1", 7);
	frame(w, 0x10, 0, 0, "\0\0\0\77u=1", 7); /* of one that may come: nothing is kept for it */
	frame(w, 0x10, 0, 0, "\0\0\0\1", 4);
	assert_int_equal(feed(w), 0);
	order(w, ids, 2);
	assert_int_equal(ids[0], 5);
	assert_int_equal(ids[1], 5);
	world_free(w);
}

/* E18: RFC 7540's tree is not kept. */
static void test_priority_tree(void **state)
{
	struct world *w = world_new();
	size_t before = h2_stats(w->s)->memory;

	(void)state;
	for (unsigned i = 0; i < 150; i++) { /* deep, cyclic, on itself, of streams that never were */
		frame_header(w, 5, F_PRIORITY, 0, (int32_t)(2 * i + 1));
		put_u32(w, i % 3 == 0 ? 2 * i + 3 : i % 3 == 1 ? 1 | 0x80000000U : 2 * i + 101);
		put_u8(w, 255);
	}
	assert_int_equal(feed(w), 0);
	assert_true(h2_stats(w->s)->memory <= before + 1024);
	get(w, 1);
	assert_int_equal(feed(w), 0);
	assert_non_null(told_of(w, 1));
	world_free(w);
}

/* E15: what nghttp2 judges. The connection ends; nothing is told. */
static void test_frame_errors(void **state)
{
	static char big[16385];
	const struct {
		uint8_t type, flags;
		int32_t id;
		size_t n;
		enum h2_reason why;
	} bad[] = {
		{F_DATA, 0, 0, 1, H2_REASON_PROTOCOL},
		{F_DATA, 0, 1, sizeof(big), H2_REASON_FRAME_SIZE},
		{F_DATA, 0, 3, 1, H2_REASON_PROTOCOL}, /* idle */
		{F_HEADERS, END_HEADERS | END_STREAM, 0, 1, H2_REASON_PROTOCOL},
		{F_HEADERS, END_HEADERS | END_STREAM, 2, 1, H2_REASON_PROTOCOL},
		{F_CONT, END_HEADERS, 1, 1, H2_REASON_PROTOCOL},
		{F_PUSH, END_HEADERS, 1, 5, H2_REASON_PROTOCOL},
		{F_PING, 0, 0, 7, H2_REASON_FRAME_SIZE},
		{F_PING, 0, 1, 8, H2_REASON_PROTOCOL},
		{F_RST, 0, 0, 4, H2_REASON_PROTOCOL},
		{F_RST, 0, 3, 4, H2_REASON_PROTOCOL}, /* idle */
		{F_SETTINGS, 0, 0, 5, H2_REASON_FRAME_SIZE},
		{F_SETTINGS, 0, 1, 6, H2_REASON_PROTOCOL},
		{F_WINDOW, 0, 0, 3, H2_REASON_FRAME_SIZE},
		{F_WINDOW, 0, 0, 4, H2_REASON_PROTOCOL}, /* by 0 */
		{F_GOAWAY, 0, 1, 8, H2_REASON_PROTOCOL},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct world *w = world_new();

		headers(w, 1, 0, H2_POST);
		frame(w, bad[i].type, bad[i].flags, bad[i].id, big, bad[i].n);
		feed(w);
		if (!find_frame(w, F_GOAWAY, 0))
			fail_msg("row %zu: no GOAWAY", i);
		if (f_u32(w, 4) != h2_reason_code(bad[i].why) || h2_why(w->s) != bad[i].why)
			fail_msg("row %zu: code %u, %s", i, f_u32(w, 4), h2_reason_label(h2_why(w->s)));
		drain(w);
		assert_true(h2_is_done(w->s));
		assert_int_equal(told_of(w, 1)->body.len, 0);
		world_free(w);
	}
}

/* A frame inside a header block, and broken HPACK. */
static void test_header_block_errors(void **state)
{
	(void)state;
	for (int which = 0; which < 2; which++) {
		struct world *w = world_new();

		if (which == 0) {
			frame(w, F_HEADERS, END_STREAM, 1, "\x82", 1);
			frame(w, F_PING, 0, 0, "12345678", 8);
		} else {
			frame(w, F_HEADERS, END_HEADERS | END_STREAM, 1, "\xff\xff\xff\xff\xff\xff", 6);
		}
		feed(w);
		expect_goaway(w, which == 1 ? H2_REASON_COMPRESSION : H2_REASON_PROTOCOL);
		assert_int_equal(w->requests, 0);
		world_free(w);
	}
}

/* nghttp2 cannot tell an id that was left out from one that has ended: what comes for it is thrown away. */
static void test_id_goes_down(void **state)
{
	struct world *w = world_new();

	(void)state;
	get(w, 5);
	get(w, 3);
	headers(w, 7, END_STREAM, H2_GET "\2x\1still");
	assert_int_equal(feed(w), 0);
	assert_int_equal(w->requests, 2);
	assert_null(told_of(w, 3));
	assert_non_null(strstr(told_of(w, 7)->head, "x: still"));
	assert_false(next_frame(w));
	world_free(w);
}

/* What a stream costs while it is silent; the figure is in docs. */
static void test_memory_per_stream(void **state)
{
	struct world *w = world_new();
	size_t before = h2_stats(w->s)->memory, each;

	(void)state;
	for (int32_t id = 1; id <= 400; id += 2) {
		get(w, id);
		assert_int_equal(feed(w), 0);
		assert_int_equal(answer(w, id, STREAM_HEAD, false), 0);
		while (next_frame(w))
			;
	}
	each = (h2_stats(w->s)->memory - before) / 200;
	print_message("%zu bytes per silent connection, %zu per silent stream\n", before, each);
	assert_true(before < 40 * 1024 && each < 1024);
	for (int32_t id = 1; id <= 400; id += 2)
		rst(w, id, H2_CANCEL);
	assert_int_equal(feed(w), 0);
	assert_true(h2_stats(w->s)->memory < before + 8192); /* tables that have grown */
	world_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_settings),
		cmocka_unit_test(test_get),
		cmocka_unit_test(test_silent_head),
		cmocka_unit_test(test_body),
		cmocka_unit_test(test_pieces),
		cmocka_unit_test(test_request_bodies),
		cmocka_unit_test(test_length_mismatch),
		cmocka_unit_test(test_trailers),
		cmocka_unit_test(test_answer_trailers),
		cmocka_unit_test(test_heads),
		cmocka_unit_test(test_big_head),
		cmocka_unit_test(test_early_answer),
		cmocka_unit_test(test_resets),
		cmocka_unit_test(test_stream_stall),
		cmocka_unit_test(test_connection_stall),
		cmocka_unit_test(test_upload_windows),
		cmocka_unit_test(test_drain),
		cmocka_unit_test(test_peer_goes_away),
		cmocka_unit_test(test_terminate),
		cmocka_unit_test(test_priority),
		cmocka_unit_test(test_priority_tree),
		cmocka_unit_test(test_frame_errors),
		cmocka_unit_test(test_header_block_errors),
		cmocka_unit_test(test_id_goes_down),
		cmocka_unit_test(test_memory_per_stream),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
