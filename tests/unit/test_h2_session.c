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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_settings),
		cmocka_unit_test(test_get),
		cmocka_unit_test(test_silent_head),
		cmocka_unit_test(test_body),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
