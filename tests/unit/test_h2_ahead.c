/* DATA that goes ahead of nghttp2: the frames are right, the windows come out even, and where it must not be
 * it is not. */
#include "h2_client.h"

#define STREAM_HEAD "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"
#define EVENT	    "data: x\n\n"
#define EVENT_LEN   (sizeof(EVENT) - 1)

static struct world *world_with_streams(unsigned n)
{
	struct world *w = world_new();

	for (unsigned i = 0; i < n; i++)
		get(w, (int32_t)(2 * i + 1));
	assert_int_equal(feed(w), 0);
	for (unsigned i = 0; i < n; i++)
		assert_int_equal(answer(w, (int32_t)(2 * i + 1), STREAM_HEAD, false), 0);
	while (next_frame(w))
		;
	return w;
}

static struct h2_stream *body(struct world *w, int32_t id)
{
	struct h2_stream *b = h2_body(w->s, id);

	assert_non_null(b);
	return b;
}

static bool send_n(struct world *w, int32_t id, size_t n)
{
	char to[H2_FRAME_HEADER];

	return h2_send_ahead(w->s, body(w, id), n, to, n + H2_FRAME_HEADER);
}

static void catch_up(struct world *w)
{
	h2_tell_ahead(w->s);
	assert_false(next_frame(w)); /* the telling is no frame */
	assert_false(h2_is_ahead(w->s));
}

static void test_frame_and_windows(void **state)
{
	struct world *w = world_with_streams(2);
	char to[64];

	(void)state;
	assert_false(h2_is_ahead(w->s));
	assert_true(h2_send_ahead(w->s, body(w, 3), EVENT_LEN, to, EVENT_LEN + H2_FRAME_HEADER));
	assert_memory_equal(to, "\0\0\x09\0\0\0\0\0\x03", H2_FRAME_HEADER);
	assert_true(h2_is_ahead(w->s));
	assert_true(h2_body_is_ahead(w->s, body(w, 3)));
	assert_false(h2_body_is_ahead(w->s, body(w, 1)));
	assert_int_equal(h2_window(w->s, 3), 65535 - 9);
	assert_int_equal(h2_window(w->s, 1), 65535 - 9); /* the connection's */
	assert_int_equal(h2_stats(w->s)->data_frames_out, 1);
	assert_int_equal(h2_stats(w->s)->data_bytes_out, 9);
	catch_up(w);
	assert_int_equal(h2_window(w->s, 3), 65535 - 9);
	assert_int_equal(h2_window(w->s, 1), 65535 - 9);
	assert_int_equal(h2_stats(w->s)->data_frames_out, 1);
	/* and then both ways in turn */
	give(w, 3, EVENT, false);
	assert_true(find_frame(w, F_DATA, 3));
	assert_int_equal(w->f.n, 9);
	assert_true(send_n(w, 3, 100));
	give(w, 3, EVENT, true);
	assert_true(find_frame(w, F_DATA, 3));
	assert_int_equal(w->f.n, 9);
	assert_int_equal(w->f.flags, END_STREAM);
	assert_int_equal(h2_window(w->s, 1), 65535 - 127);
	assert_false(h2_is_ahead(w->s));
	world_free(w);
}

static void test_where_it_must_not_be(void **state)
{
	struct world *w = world_new();
	char to[H2_FRAME_HEADER];

	(void)state;
	get(w, 1);
	get(w, 3);
	assert_int_equal(feed(w), 0);
	assert_null(h2_body(w->s, 5));
	assert_false(send_n(w, 1, 9)); /* no head yet */
	assert_int_equal(answer(w, 1, STREAM_HEAD, false), 0);
	assert_false(send_n(w, 1, 9)); /* nor did it go */
	while (next_frame(w))
		;
	assert_false(send_n(w, 1, 0));
	assert_false(h2_send_ahead(w->s, body(w, 1), 9, to, 17)); /* no room */
	assert_false(send_n(w, 1, 16385));			  /* more than a frame */
	give(w, 1, EVENT, false);
	assert_false(send_n(w, 1, 9)); /* bytes in front of it wait */
	assert_true(find_frame(w, F_DATA, 1));
	drain(w);
	assert_true(send_n(w, 1, 9));
	/* more than nghttp2 can be told at once */
	assert_false(send_n(w, 1, 16384 - 8));
	assert_true(send_n(w, 1, 16384 - 9));
	assert_false(send_n(w, 1, 1)); /* it is to be told now: h2_resume() was called */
	drain(w);
	assert_false(h2_is_ahead(w->s));
	assert_true(send_n(w, 1, 1));
	catch_up(w);
	h2_reset(w->s, 1, H2_CANCEL);
	assert_false(send_n(w, 1, 1));
	h2_terminate(w->s, H2_NO_ERROR);
	assert_null(h2_body(w->s, 3));
	assert_false(h2_is_ahead(w->s));
	world_free(w);
}

/* The last byte of a window is nghttp2's: what follows from a used-up one is counted there. */
static void test_windows_are_not_used_up(void **state)
{
	struct world *w = world_with_streams(2);
	size_t sent = 0;

	(void)state;
	while (send_n(w, 1, 1000) || (catch_up(w), send_n(w, 1, 1000)))
		sent += 1000;
	assert_int_equal(sent, 65000);
	assert_false(send_n(w, 1, 535));
	assert_false(send_n(w, 3, 535)); /* the connection's is the same */
	assert_true(send_n(w, 3, 534));
	catch_up(w);
	assert_int_equal(h2_window(w->s, 1), 1);
	assert_int_equal(h2_stats(w->s)->stalls, 0);
	window(w, 0, 2000);
	assert_int_equal(feed(w), 0);
	assert_false(send_n(w, 1, 535)); /* the stream's own */
	assert_true(send_n(w, 3, 600));
	catch_up(w);
	window(w, 1, 100);
	assert_int_equal(feed(w), 0);
	assert_true(send_n(w, 1, 634));
	catch_up(w);
	/* a smaller initial window makes that of an open stream smaller, even negative (RFC 9113 6.9.2) */
	setting(w, 4, 1000);
	assert_int_equal(feed(w), 0);
	assert_false(send_n(w, 1, 1));
	assert_int_equal(h2_window(w->s, 1), 0);
	world_free(w);
}

/* A window may be as large as there is; an update for bytes that nghttp2 did not know of would overflow it.
 */
static void test_updates_of_the_largest_window(void **state)
{
	struct world *w = world_with_streams(1);

	(void)state;
	window(w, 0, 0x7fffffff - 65535);
	window(w, 1, 0x7fffffff - 65535);
	assert_int_equal(feed(w), 0);
	for (int i = 0; i < 100; i++) {
		assert_true(send_n(w, 1, 9));
		catch_up(w);
		window(w, 0, 9);
		window(w, 1, 9);
		assert_int_equal(feed(w), 0);
	}
	while (next_frame(w))
		assert_int_not_equal(w->f.type, F_RST);
	assert_int_equal(h2_window(w->s, 1), 0x7fffffff);
	world_free(w);
}

/* The session resets stream 1 for its peer's mistake. Bytes that went ahead of that would never be told. */
static void test_not_in_front_of_a_reset(void **state)
{
	struct world *w = world_with_streams(2);

	(void)state;
	window(w, 1, 0x7fffffff); /* overflows (RFC 9113 6.9.1) */
	assert_int_equal(feed(w), 0);
	assert_false(send_n(w, 1, 9));
	assert_false(send_n(w, 3, 9)); /* which of them it is about is not looked up */
	assert_true(find_frame(w, F_RST, 1));
	drain(w);
	assert_true(send_n(w, 3, 9));
	catch_up(w);
	assert_int_equal(h2_window(w->s, 3), 65535 - 9);
	world_free(w);
}

static void test_forgotten_telling_ends_it(void **state)
{
	struct world *w = world_with_streams(1);

	(void)state;
	assert_true(send_n(w, 1, 9));
	window(w, 0, 9);
	assert_int_equal(feed(w), -EPROTO);
	assert_int_equal(h2_why(w->s), H2_REASON_INTERNAL);
	world_free(w);
}

/* Any mixture of both ways, updates and ends: the peer's own account of its windows is the session's. */
static void test_mixture(void **state)
{
	struct world *w = world_with_streams(4);
	int64_t all = 65535, one[4] = {65535, 65535, 65535, 65535};
	static char text[3000];

	(void)state;
	memset(text, 'e', sizeof(text) - 1);
	srandom(7);
	for (int i = 0; i < 20000; i++) {
		unsigned k = (unsigned)random() % 4;
		int32_t id = (int32_t)(2 * k + 1);
		size_t n = 1 + (size_t)random() % 2000;

		switch (random() % 8) {
		case 0:
			catch_up(w);
			window(w, 0, (uint32_t)n);
			window(w, id, (uint32_t)n);
			assert_int_equal(feed(w), 0);
			all += (int64_t)n;
			one[k] += (int64_t)n;
			break;
		case 1:
			if ((int64_t)n > MIN(all, one[k]))
				break;
			give(w, id, text + sizeof(text) - 1 - n, false);
			while (next_frame(w)) {
				assert_int_equal(w->f.type, F_DATA);
				assert_int_equal(w->f.id, id);
				all -= (int64_t)w->f.n;
				one[k] -= (int64_t)w->f.n;
			}
			break;
		default:
			if (!send_n(w, id, n)) {
				drain(w);
				break;
			}
			all -= (int64_t)n;
			one[k] -= (int64_t)n;
		}
		assert_true(all >= 0 && one[k] >= 0);
		assert_int_equal(h2_window(w->s, id), MIN(all, one[k]));
	}
	assert_true(h2_stats(w->s)->data_frames_out > 1000);
	world_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_frame_and_windows),
		cmocka_unit_test(test_where_it_must_not_be),
		cmocka_unit_test(test_windows_are_not_used_up),
		cmocka_unit_test(test_updates_of_the_largest_window),
		cmocka_unit_test(test_not_in_front_of_a_reset),
		cmocka_unit_test(test_forgotten_telling_ends_it),
		cmocka_unit_test(test_mixture),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
