/* The verdict's tracking of chunks and events against a reference of its own, and moves of the position both
 * ways. */
#include "rig.h"
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>

#define SLOT 5

static struct splice *k;

static int group_setup(void **state)
{
	(void)state;
	k = kern_open(16);
	return 0;
}

static int group_teardown(void **state)
{
	(void)state;
	splice_close(k);
	return 0;
}

/* The reference: the payload as one text, split into lines by LF, CRLF or CR; a blank line ends an event when
 * a line of the block is "data" or begins with "data:". Nothing of it is shared with sse.c. */
static unsigned reference_events(const char *p, size_t n)
{
	unsigned events = 0;
	bool data = false;
	size_t i = 0;

	if (n >= 3 && memcmp(p, "\xef\xbb\xbf", 3) == 0)
		i = 3;
	while (i < n) {
		size_t end = i;

		while (end < n && p[end] != '\n' && p[end] != '\r')
			end++;
		if (end == n)
			break;
		if (end == i) {
			events += data;
			data = false;
		} else if (end - i >= 4 && memcmp(p + i, "data", 4) == 0 &&
			   (end - i == 4 || p[i + 4] == ':')) {
			data = true;
		}
		i = end + 1;
		if (p[end] == '\r' && i < n && p[i] == '\n')
			i++;
	}
	return events;
}

/* `payload` as chunks of `size`, ended or not. */
static void chunked(struct buf *out, const char *payload, size_t n, size_t size, bool ended)
{
	for (size_t i = 0; i < n; i += size) {
		size_t run = MIN(size, n - i);

		assert_return_code(buf_printf(out, (i & 1) ? "%zx\r\n" : "%04zX\r\n", run), 0);
		assert_return_code(buf_append(out, payload + i, run), 0);
		assert_return_code(buf_append(out, "\r\n", 2), 0);
	}
	if (ended)
		assert_return_code(buf_append(out, "0\r\n\r\n", 5), 0);
}

static uint64_t events_of(const struct rig *g)
{
	struct sluice_flow f;

	splice_state(k, g->relay.slot, &f);
	return f.events + g->relay.events;
}

static const char events_text[] = "\xef\xbb\xbf"
				  "data: one\n\n"
				  ": comment\n\n"
				  "data\n\n"
				  "id: 7\r\ndata: two\r\ndata: more\r\n\r\n"
				  "datax: no\r\r"
				  "data:three\r\rdata:four\r\n\ndata: five\n\r\n"
				  "event: dat\nretry: 1\n\n\n\n"
				  "dat\ndata:\n\ndata: unended\n";

/* One stream, the whole body in two segments cut at `at`. Returns whether the kernel carried both. */
static bool carry_cut(const struct buf *body, size_t at, unsigned events)
{
	struct sluice_flow f;
	struct rig g;
	bool all;

	rig_open(&g, k, SLOT, &(struct rig_params){.framing = SLUICE_BODY_CHUNKED, .scan = true});
	rig_until(&g, g.relay.engaged, 1000);
	if (at) {
		assert_int_equal(origin_send(&g, body->data, at), at);
		rig_expect_bytes(&g, at, 1000);
	}
	assert_int_equal(origin_send(&g, body->data + at, body->len - at), body->len - at);
	rig_expect_bytes(&g, body->len, 1000);
	rig_until(&g, g.relay.ended, 1000);
	assert_same(g.got.data, g.got.len, body->data, body->len);
	if (events_of(&g) != events)
		fail_msg("cut at %zu: %llu events, not %u", at, (unsigned long long)events_of(&g), events);
	splice_state(k, SLOT, &f);
	all = f.passed == 0;
	if (all) {
		assert_int_equal(f.track.chunk, SLUICE_CHUNK_DONE);
		assert_int_equal(f.payload, sizeof(events_text) - 1);
	}
	rig_close(&g);
	return all;
}

static void test_every_cut(void **state)
{
	unsigned want = reference_events(events_text, sizeof(events_text) - 1);

	(void)state;
	assert_int_equal(want, 7);
	for (size_t size = 1; size < sizeof(events_text) + 20; size = size < 16 ? size + 3 : size * 3) {
		_cleanup_buf_ struct buf body = {0};

		chunked(&body, events_text, sizeof(events_text) - 1, size, true);
		for (size_t at = 0; at < body.len; at += size < 4 ? 5 : 1) {
			bool all = carry_cut(&body, at, want);

			/* Only the empty line that ends the body has to come whole. */
			assert_true(all || at == body.len - 1);
		}
	}
}

/* Each byte its own segment, and a change of hands after each: the position survives both ways at every
 * place. */
static void test_flip_at_every_byte(void **state)
{
	_cleanup_buf_ struct buf body = {0};
	unsigned want = reference_events(events_text, sizeof(events_text) - 1);
	struct rig g;

	(void)state;
	chunked(&body, events_text, sizeof(events_text) - 1, 11, true);
	for (int phase = 0; phase < 3; phase++) {
		rig_open(&g, k, SLOT, &(struct rig_params){.framing = SLUICE_BODY_CHUNKED, .scan = true});
		rig_until(&g, g.relay.engaged, 1000);
		for (size_t i = 0; i < body.len; i++) {
			bool copy = i % 3 == (size_t)phase;

			g.relay.may_engage = !copy;
			if (copy)
				relay_disengage(&g.relay);
			else
				rig_until(&g,
					g.relay.engaged || g.relay.chunk.state == CHUNK_DONE ||
						g.relay.chunk.state == CHUNK_TRAILER,
					1000);
			assert_int_equal(origin_send(&g, body.data + i, 1), 1);
			rig_expect_bytes(&g, i + 1, 1000);
		}
		rig_until(&g, g.relay.ended, 1000);
		assert_same(g.got.data, g.got.len, body.data, body.len);
		assert_int_equal(events_of(&g), want);
		assert_int_equal(g.relay.error, 0);
		rig_close(&g);
	}
}

/* Random bytes from a small alphabet, random cuts. */
static void test_random_events(void **state)
{
	static const char *const words[] = {"data", ":", " ", "\n", "\r", "\r\n", "\n\n", "id", "dat", "a",
		"\xef\xbb\xbf",
		"data: "
		"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"};
	unsigned seed = 12345;

	(void)state;
	for (int round = 0; round < 60; round++) {
		_cleanup_buf_ struct buf text = {0}, body = {0};
		struct rig g;
		size_t sent = 0;

		while (text.len < 3000)
			assert_return_code(
				buf_printf(&text, "%s", words[rand_r(&seed) % ARRAY_LEN(words)]), 0);
		chunked(&body, text.data, text.len, 1 + (size_t)rand_r(&seed) % 500, true);
		rig_open(&g, k, SLOT, &(struct rig_params){.framing = SLUICE_BODY_CHUNKED, .scan = true});
		rig_until(&g, g.relay.engaged, 1000);
		while (sent < body.len) {
			size_t n = MIN(1 + (size_t)rand_r(&seed) % 300, body.len - sent);

			sent += origin_send(&g, body.data + sent, n);
			if (rand_r(&seed) % 4 == 0)
				relay_disengage(&g.relay);
			relay_turn(&g.relay, 0);
		}
		rig_expect_bytes(&g, body.len, 2000);
		rig_until(&g, g.relay.ended, 1000);
		assert_same(g.got.data, g.got.len, body.data, body.len);
		if (events_of(&g) != reference_events(text.data, text.len))
			fail_msg("round %d: %llu events, not %u", round, (unsigned long long)events_of(&g),
				reference_events(text.data, text.len));
		rig_close(&g);
	}
}

/* What follows the end never reaches the client: not in the same segment, not in the next. */
static void test_beyond_the_end(void **state)
{
	static const struct {
		enum sluice_framing framing;
		const char *body, *extra;
	} rows[] = {
		{SLUICE_BODY_CHUNKED, "5\r\nhello\r\n0\r\n\r\n", "HTTP/1.1 200 OK\r\n"},
		{SLUICE_BODY_CHUNKED, "5\r\nhello\r\n0\r\n\r\n", "x"},
		{SLUICE_BODY_LENGTH, "0123456789", "x"},
		{SLUICE_BODY_LENGTH, "0123456789", "HTTP/1.1 200 OK\r\n"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		for (int together = 0; together < 2; together++) {
			struct rig_params p = {.framing = rows[i].framing, .length = strlen(rows[i].body)};
			size_t n = strlen(rows[i].body), extra = strlen(rows[i].extra);
			_cleanup_buf_ struct buf all = {0};
			struct rig g;

			assert_return_code(buf_printf(&all, "%s%s", rows[i].body, rows[i].extra), 0);
			rig_open(&g, k, SLOT, &p);
			rig_until(&g, g.relay.engaged, 1000);
			if (together) {
				assert_int_equal(origin_send(&g, all.data, all.len), all.len);
			} else {
				assert_int_equal(origin_send(&g, all.data, n), n);
				rig_expect_bytes(&g, n, 1000);
				assert_int_equal(origin_send(&g, rows[i].extra, extra), extra);
			}
			rig_until(&g, g.relay.ended, 1000);
			for (int turns = 0; turns < 5; turns++) {
				relay_turn(&g.relay, 1);
				reader_take(&g, SIZE_MAX);
			}
			assert_same(g.got.data, g.got.len, rows[i].body, n);
			/* Not to be reused: userspace has seen why, or the kernel says so. */
			if (together)
				assert_int_equal(g.relay.beyond, extra);
			else
				assert_int_equal(splice_release(k, SLOT), -EBUSY);
			rig_close(&g);
		}
	}
}

/* What the verdict does not follow, userspace does: byte-exact, and the kernel carries on behind it. */
static void test_punts(void **state)
{
	static const struct {
		const char *odd, *rest;
		int error;
	} rows[] = {
		{"3;name=\"v\"\r\nabc\r\n", "2\r\nok\r\n0\r\n\r\n", 0},
		{"3;name\r\nabc\r\n", "2\r\nok\r\n0\r\n\r\n", 0},
		{"0\r\nX-Trailer: 1\r\n", "\r\n", 0},
		{"0\r\n\r", "\n", 0},
		{"0\r\n", "\r\n", 0},
		{"0\r\nX-", "T: 1\r\n\r\n", 0},
		{"0\r\n\n\n", "", -EPROTO},
		{"3\nabc\r\n", "", -EPROTO},
		{"abc", "g\r\n", -EPROTO},
		{"\r\n", "", -EPROTO},
		{"3\r\nabcd\r\n", "", -EPROTO},
		{"fffffffffffffffff\r\n", "", -EPROTO},
		{"8000000000000000\r\n", "", -EPROTO},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		_cleanup_buf_ struct buf all = {0};
		struct rig g;

		assert_return_code(buf_printf(&all, "4\r\nwell\r\n%s%s", rows[i].odd, rows[i].rest), 0);
		rig_open(&g, k, SLOT, &(struct rig_params){.framing = SLUICE_BODY_CHUNKED, .scan = true});
		rig_until(&g, g.relay.engaged, 1000);
		assert_int_equal(origin_send(&g, "4\r\nwell\r\n", 9), 9);
		rig_expect_bytes(&g, 9, 1000);
		assert_int_equal(origin_send(&g, rows[i].odd, strlen(rows[i].odd)), strlen(rows[i].odd));
		if (!rows[i].error)
			rig_expect_bytes(&g, 9 + strlen(rows[i].odd), 1000);
		origin_send(&g, rows[i].rest, strlen(rows[i].rest));
		rig_until(&g, g.relay.ended || g.relay.error, 1000);
		assert_int_equal(g.relay.error, rows[i].error);
		if (!rows[i].error) {
			while (g.got.len < all.len && reader_take(&g, SIZE_MAX) >= 0)
				;
			assert_same(g.got.data, g.got.len, all.data, all.len);
		}
		rig_close(&g);
	}
}

/* Content-Length: the end is seen at the byte, whatever the segments. */
static void test_length(void **state)
{
	static char text[20000];

	(void)state;
	pattern_fill(text, sizeof(text), 3);
	for (size_t n = 1; n < sizeof(text); n = n * 2 + 7) {
		struct sluice_flow f;
		struct rig g;

		rig_open(&g, k, SLOT, &(struct rig_params){.framing = SLUICE_BODY_LENGTH, .length = n});
		rig_until(&g, g.relay.engaged, 1000);
		rig_carry(&g, text, n, 1000);
		rig_until(&g, g.relay.ended, 1000);
		splice_state(k, SLOT, &f);
		assert_true(f.redirected > 0);
		assert_int_equal(f.redirected + f.passed, n);
		assert_int_equal(splice_release(k, SLOT), 0);
		rig_close(&g);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_cut),
		cmocka_unit_test(test_flip_at_every_byte),
		cmocka_unit_test(test_random_events),
		cmocka_unit_test(test_beyond_the_end),
		cmocka_unit_test(test_punts),
		cmocka_unit_test(test_length),
	};

	return cmocka_run_group_tests_name("splice_framing", tests, group_setup, group_teardown);
}
