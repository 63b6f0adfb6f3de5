/* Abuse: each limit of http-rules.md by itself, with its reason, and what lies just within it (table E). */
#include "h2_client.h"
#include "conf/settings.h"

#define EVENTS "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\n\r\n"

/* Sends `n` of something at a rate that is allowed, then in a burst that is not. */
static void flood(void (*one)(struct world *w, unsigned i), unsigned per_s, enum h2_reason why)
{
	struct world *w = world_new();

	w->now += 60000;
	headers(w, 1, 0, H2_POST);
	assert_int_equal(feed(w), 0);
	for (unsigned i = 0; i < per_s * 3; i++) { /* three seconds at the full rate */
		w->now += 1000 / per_s + 1;
		one(w, i);
		assert_int_equal(feed(w), 0);
		while (next_frame(w))
			;
	}
	w->now += 1000;
	for (unsigned i = 0; i < per_s; i++)
		one(w, 10000 + i);
	assert_int_equal(feed(w), 0);
	one(w, 20000);
	assert_true(feed(w) < 0);
	assert_true(h2_recv(w->s, "x", 1, w->now) < 0);
	expect_goaway(w, why);
	assert_int_equal(h2_reason_code(why), H2_ENHANCE_YOUR_CALM);
	world_free(w);
}

static void one_ping(struct world *w, unsigned i)
{
	frame(w, F_PING, i % 2 ? ACK : 0, 0, "12345678", 8);
}

static void one_settings(struct world *w, unsigned i)
{
	setting(w, NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 65535 + i % 7);
}

static void one_empty(struct world *w, unsigned i)
{
	(void)i;
	frame(w, F_DATA, 0, 1, NULL, 0);
}

static void one_padding(struct world *w, unsigned i)
{
	(void)i;
	frame(w, F_DATA, PADDED, 1, "\3\0\0\0", 4);
}

static void one_window_update(struct world *w, unsigned i)
{
	window(w, i % 2 ? 0 : 1, 1);
}

static void one_priority(struct world *w, unsigned i)
{
	if (i % 2)
		frame(w, F_PRIORITY, 0, (int32_t)(2 * i + 1), "\0\0\0\0\20", 5);
	else
		frame(w, 0x10, 0, 0, "\0\0\0\1u=1", 7);
}

static void one_unknown(struct world *w, unsigned i)
{
	frame(w, 0x20 + i % 100, 0xff, 1, "junk", 4);
}

/* E1 */
static void one_rapid_reset(struct world *w, unsigned i)
{
	get(w, (int32_t)(2 * i + 3));
	rst(w, (int32_t)(2 * i + 3), H2_CANCEL);
}

/* E2: resets that the session is made to send */
static void one_made_reset(struct world *w, unsigned i)
{
	get(w, (int32_t)(2 * i + 3));
	window(w, (int32_t)(2 * i + 3), 0x7fffffff);
}

static void one_bad_head(struct world *w, unsigned i)
{
	headers(w, (int32_t)(2 * i + 3), END_STREAM, H2_GET "\2X\1y");
}

static void one_bad_length(struct world *w, unsigned i)
{
	headers(w, (int32_t)(2 * i + 3), 0,
		H2_POST "\2"
			"content-length\1"
			"1");
	data(w, (int32_t)(2 * i + 3), 0, "too much");
}

static void test_floods(void **state)
{
	const struct h2_limits l = H2_LIMITS_DEFAULT;

	(void)state;
	flood(one_ping, l.pings_per_s, H2_REASON_PINGS);
	flood(one_settings, l.settings_per_s, H2_REASON_SETTINGS);
	flood(one_empty, l.empty_data_per_s, H2_REASON_EMPTY_DATA);
	flood(one_padding, l.empty_data_per_s, H2_REASON_PADDING);
	flood(one_window_update, l.window_updates_per_s, H2_REASON_WINDOW_UPDATES);
	flood(one_priority, l.priorities_per_s, H2_REASON_PRIORITIES);
	flood(one_unknown, l.unknown_per_s, H2_REASON_UNKNOWN_FRAMES);
	flood(one_rapid_reset, l.resets_per_s, H2_REASON_RESETS);
}

/* One at a time, each answered before the next. `at_once`: the session counts when it refuses, else when the
 * reset leaves. */
static void made_resets(void (*one)(struct world *w, unsigned i), bool at_once)
{
	struct world *w = world_new();
	unsigned sent = 0, per_s = w->limits.resets_per_s;

	for (unsigned i = 0; i < 3 * per_s && !h2_why(w->s); i++, sent++) {
		one(w, i);
		if (feed(w) < 0)
			break;
		drain(w);
	}
	assert_int_equal(sent, at_once ? per_s : per_s + 1);
	expect_goaway(w, H2_REASON_RESETS);
	assert_int_equal(h2_stats(w->s)->resets_out, sent);
	world_free(w);
}

static void test_made_resets(void **state)
{
	(void)state;
	made_resets(one_made_reset, false);
	made_resets(one_bad_head, true);
	made_resets(one_bad_length, true);
}

/* Ten thousand in one read: no more are looked at than the limit. */
static void test_bad_head_storm(void **state)
{
	struct world *w = world_new();

	(void)state;
	for (unsigned i = 0; i < 10000; i++)
		one_bad_head(w, i);
	assert_true(feed(w) < 0);
	assert_int_equal(w->refusals, 101);
	expect_goaway(w, H2_REASON_RESETS);
	world_free(w);
}

/* E1: in one write, never more than what may be open reaches the relay, and the rest is not even read. */
static void test_reset_storm(void **state)
{
	struct world *w = world_new();

	(void)state;
	for (unsigned i = 0; i < 10000; i++)
		one_rapid_reset(w, i);
	assert_true(feed(w) < 0);
	assert_true(w->requests <= 101);
	assert_int_equal(h2_streams(w->s), 1); /* the one whose reset was too many */
	expect_goaway(w, H2_REASON_RESETS);
	world_free(w);
}

/* A page that closes: streams that were answered with events are cancelled, as many as there are. */
static void test_cancelled_event_streams(void **state)
{
	struct world *w = world_new();

	(void)state;
	for (int32_t id = 1; id < 2000; id += 2) {
		get(w, id);
		assert_int_equal(feed(w), 0);
		assert_int_equal(answer(w, id, EVENTS, false), 0);
		drain(w);
		w->n = 0;
		rst(w, id, H2_CANCEL);
		assert_int_equal(feed(w), 0);
	}
	assert_int_equal(h2_stats(w->s)->cancels_in, 1000);
	assert_int_equal(h2_stats(w->s)->resets_in, 1000);
	/* but a second reset of the same one counts, and so does one before the answer */
	get(w, 2001);
	assert_int_equal(feed(w), 0);
	assert_int_equal(answer(w, 2001, EVENTS, false), 0);
	for (unsigned i = 0; i < 101; i++)
		rst(w, 2001, H2_CANCEL);
	assert_int_equal(feed(w), 0);
	rst(w, 2001, H2_CANCEL);
	assert_true(feed(w) < 0);
	assert_int_equal(h2_why(w->s), H2_REASON_RESETS);
	world_free(w);
}

/* What the relay resets of its own accord is nobody's fault. */
static void test_own_resets(void **state)
{
	struct world *w = world_new();

	(void)state;
	for (int32_t id = 1; id < 1000; id += 2) {
		get(w, id);
		assert_int_equal(feed(w), 0);
		h2_reset(w->s, id, H2_INTERNAL_ERROR);
		drain(w);
		assert_true(told_of(w, id)->closed);
		assert_false(told_of(w, id)->by_peer);
		w->n = 0;
	}
	assert_int_equal(h2_why(w->s), H2_REASON_NONE);
	w->refuse_with = H2_REFUSED_STREAM;
	for (int32_t id = 1001; id < 2000; id += 2) {
		get(w, id);
		assert_int_equal(feed(w), 0);
		expect_rst(w, id, H2_REFUSED_STREAM);
	}
	assert_int_equal(h2_why(w->s), H2_REASON_NONE);
	assert_int_equal(h2_streams(w->s), 0);
	world_free(w);
}

/* E3, E7: CONTINUATION without an end. 20 are allowed. */
static void continuations(unsigned n, size_t bytes)
{
	struct world *w = world_new();
	_cleanup_buf_ struct buf b = {0};
	char filler[600];
	size_t before = h2_stats(w->s)->memory;

	hpack_list(&b, SLICE(H2_GET));
	frame(w, F_HEADERS, END_STREAM, 1, b.data, b.len);
	memset(filler, 'f', sizeof(filler));
	for (unsigned i = 0; i < n; i++) {
		b.len = 0;
		if (bytes)
			hpack(&b, SLICE("x-f"), (struct slice){filler, bytes});
		frame(w, F_CONT, i + 1 == n ? END_HEADERS : 0, 1, b.data, b.len);
	}
	if (n <= 20) {
		assert_int_equal(feed(w), 0);
		assert_int_equal(w->requests, 1);
	} else {
		assert_true(feed(w) < 0);
		assert_int_equal(w->requests, 0);
		assert_true(h2_stats(w->s)->memory_max - before < 64 * 1024);
		expect_goaway(w, H2_REASON_CONTINUATIONS);
	}
	world_free(w);
}

static void test_continuations(void **state)
{
	(void)state;
	continuations(20, 600);
	continuations(20, 0);
	continuations(21, 600);
	continuations(1000, 0);
}

/* E4 */
static void table_updates(unsigned n, bool split)
{
	struct world *w = world_new();
	_cleanup_buf_ struct buf b = {0};

	for (unsigned i = 0; i < n; i++) /* to 0 and back to 4,096 */
		assert_int_equal(i % 2 ? buf_append(&b, "\x3f\xe1\x1f", 3) : buf_append(&b, "\x20", 1), 0);
	hpack_list(&b, SLICE(H2_GET));
	if (split) {
		frame_header(w, 3, F_HEADERS, END_STREAM | PADDED, 1);
		put(w, "\1\x20", 3);
		frame(w, F_CONT, 0, 1, b.data + 1, 3);
		frame(w, F_CONT, END_HEADERS, 1, b.data + 4, b.len - 4);
	} else {
		frame(w, F_HEADERS, END_STREAM | END_HEADERS, 1, b.data, b.len);
	}
	w->step = split;
	if (n <= 4) {
		assert_int_equal(feed(w), 0);
		assert_int_equal(w->requests, 1);
	} else {
		assert_true(feed(w) < 0);
		expect_goaway(w, H2_REASON_TABLE_UPDATES);
	}
	world_free(w);
}

static void test_table_updates(void **state)
{
	(void)state;
	table_updates(2, false);
	table_updates(4, true);
	table_updates(5, false);
	table_updates(6, true);
	table_updates(3000, false);
}

/* E4: one table entry of 4,000 bytes, named sixteen thousand times in one frame. */
static void test_hpack_bomb(void **state)
{
	struct world *w = world_new();
	_cleanup_buf_ struct buf b = {0};
	static char value[4000];

	(void)state;
	memset(value, 'v', sizeof(value));
	hpack_list(&b, SLICE(H2_GET));
	assert_int_equal(buf_append(&b, "\x40", 1), 0); /* with indexing */
	hpack_text(&b, "x", 1);
	hpack_text(&b, value, sizeof(value));
	while (b.len < 16384)
		assert_int_equal(buf_append(&b, "\xbe", 1), 0); /* entry 62 */
	frame(w, F_HEADERS, END_STREAM | END_HEADERS, 1, b.data, b.len);
	assert_int_equal(feed(w), 0);
	assert_int_equal(w->requests, 0);
	assert_int_equal(w->last_rule, H1_RULE_HEAD_TOO_LARGE);
	assert_true(h2_stats(w->s)->memory_max < 128 * 1024);
	get(w, 3);
	assert_int_equal(feed(w), 0);
	assert_int_equal(w->requests, 1);
	world_free(w);
}

/* E6: acks that nobody reads, at a rate that is allowed. */
static void test_unread_acks(void **state)
{
	struct world *w = world_new();
	unsigned n = 0;

	(void)state;
	for (; n < 5000 && w->err == 0; n++) {
		w->now += 20;
		frame(w, F_PING, 0, 0, "12345678", 8);
		feed(w);
	}
	assert_in_range(n, 900, 1002);
	assert_true(find_frame(w, F_GOAWAY, 0)); /* and not a thousand acks in front of it */
	assert_int_equal(h2_why(w->s), H2_REASON_QUEUE);
	assert_true(h2_is_done(w->s));
	assert_true(h2_stats(w->s)->memory_max < 512 * 1024);
	world_free(w);
}

/* E7: a window of one byte makes frames of one byte. */
static void test_dribble(void **state)
{
	struct world *w = world_with(NULL);
	static char body[4096];
	unsigned i = 0;

	(void)state;
	memset(body, 'b', sizeof(body) - 1);
	put(w, H2_PREFACE, H2_PREFACE_LEN);
	setting(w, NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 1);
	frame_header(w, 0, F_SETTINGS, ACK, 0);
	get(w, 1);
	assert_int_equal(feed(w), 0);
	assert_int_equal(answer(w, 1, EVENTS, false), 0);
	give(w, 1, body, false);
	for (; i < 1000 && !h2_why(w->s); i++) {
		drain(w);
		window(w, 1, 1);
		if (feed(w) < 0)
			break;
	}
	assert_in_range(i, 99, 102);
	expect_goaway(w, H2_REASON_DRIBBLE);
	world_free(w);
}

/* A fast download on many streams: each window ends in a small frame, behind larger ones. */
static void test_small_tails_are_no_dribble(void **state)
{
	struct world *w = world_new();
	static char body[1 << 20];

	(void)state;
	memset(body, 'b', sizeof(body) - 1);
	get(w, 1);
	window(w, 0, 1 << 24);
	assert_int_equal(feed(w), 0);
	assert_int_equal(answer(w, 1, EVENTS, false), 0);
	give(w, 1, body, false);
	for (unsigned i = 0; i < 1000 && told_of(w, 1)->give_len; i++) {
		while (next_frame(w))
			;
		window(w, 1, i % 2 ? 500 : 1); /* one byte, then more, a thousand times in no time */
		assert_int_equal(feed(w), 0);
	}
	assert_true(h2_stats(w->s)->stalls > 900);
	assert_int_equal(h2_why(w->s), H2_REASON_NONE);
	world_free(w);
}

/* E5 */
static void test_settings(void **state)
{
	struct world *w = world_new();

	(void)state;
	setting(w, NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 0x80000000U);
	feed(w);
	expect_goaway(w, H2_REASON_FLOW_CONTROL);
	world_free(w);
	w = world_new();
	frame_header(w, (size_t)6 * 2000, F_SETTINGS, 0, 0);
	for (unsigned i = 0; i < 2000; i++)
		put(w, "\0\4\0\0\1\0", 6);
	feed(w);
	expect_goaway(w, H2_REASON_SETTINGS);
	assert_true(h2_stats(w->s)->memory_max < 128 * 1024);
	world_free(w);
}

/* E10, and before the client can know the limit. */
static void test_too_many_streams(void **state)
{
	struct world *w = world_with(NULL);
	int32_t id = 1;

	(void)state;
	preface(w);
	for (; id < 2 * 1000; id += 2)
		get(w, id);
	assert_int_equal(feed(w), 0);
	assert_int_equal(w->requests, 250);
	assert_int_equal(h2_streams(w->s), 250);
	expect_rst(w, 501, H2_REFUSED_STREAM);
	for (unsigned i = 0; i < 749; i++)
		assert_true(find_frame(w, F_RST, -1));
	assert_false(next_frame(w));
	assert_int_equal(h2_why(w->s), H2_REASON_NONE);
	/* once it knows, each is a reset that it caused */
	frame_header(w, 0, F_SETTINGS, ACK, 0);
	assert_int_equal(feed(w), 0);
	for (unsigned i = 0; i < 100; i++, id += 2) {
		get(w, id);
		assert_int_equal(feed(w), 0);
		expect_rst(w, id, H2_REFUSED_STREAM);
	}
	assert_int_equal(h2_streams(w->s), 250);
	get(w, id);
	assert_true(feed(w) < 0);
	expect_goaway(w, H2_REASON_RESETS);
	world_free(w);
}

static void test_stream_flood_unread(void **state)
{
	struct world *w = world_with(NULL);

	(void)state;
	preface(w);
	for (int32_t id = 1; id < 2 * 3000; id += 2)
		get(w, id);
	assert_true(feed(w) < 0);
	assert_int_equal(w->requests, 250);
	assert_int_equal(h2_why(w->s), H2_REASON_QUEUE);
	assert_true(h2_stats(w->s)->memory_max < 2 * 1024 * 1024);
	world_free(w);
}

/* The limit itself, and that streams are refused before it is reached. */
static void test_memory(void **state)
{
	struct h2_limits l = H2_LIMITS_DEFAULT;
	struct world *w;
	int32_t id = 1;
	unsigned refused = 0;
	static char big[60000];

	(void)state;
	l.memory = 256 * 1024;
	l.max_streams = 10000;
	w = world_with(&l);
	greet(w);
	for (; id < 4000 && !refused; id += 2) {
		get(w, id);
		assert_int_equal(feed(w), 0);
		while (next_frame(w))
			refused += w->f.type == F_RST && f_u32(w, 0) == H2_REFUSED_STREAM;
	}
	assert_true(refused && w->requests > 100 && w->requests < 1000);
	assert_true(h2_stats(w->s)->memory <= l.memory);
	/* a head that no room is left for is refused, and nothing else happens */
	memcpy(big, "HTTP/1.1 200 OK\r\nx: ", 20);
	memset(big + 20, 'x', sizeof(big) - 25);
	memcpy(big + sizeof(big) - 5, "\r\n\r\n", 5);
	assert_int_equal(answer(w, 1, big, true), -ENOBUFS);
	assert_int_equal(h2_why(w->s), H2_REASON_NONE);
	world_free(w);
}

/* E16 */
static void test_preface(void **state)
{
	static const char *const wrong[] = {"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
		"PRI * HTTP/2.0\r\n\r\nSX\r\n\r\n", "PRI * HTTP/2.1\r\n\r\nSM\r\n\r\n", "\x16\3\1\2\0\1"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		struct world *w = world_with(NULL);

		put(w, wrong[i], strlen(wrong[i]));
		w->step = i % 2;
		assert_true(feed(w) < 0);
		assert_int_equal(h2_why(w->s), H2_REASON_PREFACE);
		drain(w);
		assert_true(h2_is_done(w->s));
		world_free(w);
	}
}

/* 16 MiB of junk behind a good preface: closed at its first bytes. */
static void test_junk(void **state)
{
	struct world *w = world_new();
	static char junk[65536];

	(void)state;
	memset(junk, 'j', sizeof(junk));
	for (unsigned i = 0; i < 256; i++) {
		put(w, junk, sizeof(junk));
		feed(w);
		if (i == 0) {
			drain(w);
			assert_true(h2_is_done(w->s));
		}
	}
	assert_true(h2_stats(w->s)->memory_max < 64 * 1024);
	world_free(w);
}

static void test_buckets_at_time_jumps(void **state)
{
	struct world *w = world_new();

	(void)state;
	w->now = UINT64_MAX - 10;
	for (unsigned i = 0; i < 60; i++)
		one_ping(w, 0);
	assert_int_equal(feed(w), 0);
	w->now = 0; /* back: nothing is forgiven, nothing is charged */
	for (unsigned i = 0; i < 40; i++)
		one_ping(w, 0);
	assert_int_equal(feed(w), 0);
	one_ping(w, 0);
	assert_true(feed(w) < 0);
	world_free(w);
}

/* Each reason has a word of its own, and the config's defaults are the header's. */
static void test_lists_agree(void **state)
{
	static const struct proxy_options options = {.listen = "127.0.0.1:0", .to = "http://a/"};
	static const struct h2_limits l = H2_LIMITS_DEFAULT;
	struct settings *s;
	struct buf errors = {0};

	(void)state;
	for (unsigned r = 1; r < H2_REASON_COUNT; r++) {
		enum h2_reason reason = (enum h2_reason)r;

		assert_int_equal(h2_reason_code(reason) == H2_ENHANCE_YOUR_CALM, r >= H2_REASON_RESETS);
		assert_true(strlen(h2_reason_text(reason)) > 10);
		for (unsigned other = r + 1; other < H2_REASON_COUNT; other++)
			assert_string_not_equal(
				h2_reason_label(reason), h2_reason_label((enum h2_reason)other));
	}
	assert_int_equal(settings_from_options(&options, &s, &errors), 0);
	assert_memory_equal(&s->http2, &l, sizeof(l));
	settings_unref(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_floods),
		cmocka_unit_test(test_made_resets),
		cmocka_unit_test(test_bad_head_storm),
		cmocka_unit_test(test_reset_storm),
		cmocka_unit_test(test_cancelled_event_streams),
		cmocka_unit_test(test_own_resets),
		cmocka_unit_test(test_continuations),
		cmocka_unit_test(test_table_updates),
		cmocka_unit_test(test_hpack_bomb),
		cmocka_unit_test(test_unread_acks),
		cmocka_unit_test(test_dribble),
		cmocka_unit_test(test_small_tails_are_no_dribble),
		cmocka_unit_test(test_settings),
		cmocka_unit_test(test_too_many_streams),
		cmocka_unit_test(test_stream_flood_unread),
		cmocka_unit_test(test_memory),
		cmocka_unit_test(test_preface),
		cmocka_unit_test(test_junk),
		cmocka_unit_test(test_buckets_at_time_jumps),
		cmocka_unit_test(test_lists_agree),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
