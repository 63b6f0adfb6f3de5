/* Allocation n fails, for every n, in a connection's whole life: nothing crashes, nothing leaks, each
 * accepted stream is let go once, and the connection either goes on or ends with INTERNAL_ERROR. The same
 * with the connection's own memory limit. */
#include "alloc_fail.h"
#include "h2_client.h"
#include <malloc.h>

static struct {
	int accepted, closed, ended;
	size_t body;
} seen;
static struct h2_session *trails; /* stream 3 of it has trailers */
static int streams[8];		  /* what on_request stores: its address is the user */

static uint32_t count_request(void *arg, int32_t id, const struct h1_request *req, bool end, void **ret_user)
{
	(void)arg;
	(void)req;
	(void)end;
	seen.accepted++;
	*ret_user = &streams[id / 2];
	return 0;
}

static void count_refused(void *arg, int32_t id, void *user, enum h1_rule rule)
{
	(void)arg;
	(void)id;
	(void)user;
	(void)rule;
}

static void count_data(void *arg, void *user, const char *p, size_t n)
{
	(void)arg;
	(void)user;
	(void)p;
	seen.body += n;
}

static void count_end(void *arg, void *user)
{
	(void)arg;
	(void)user;
	seen.ended++;
}

static void count_closed(void *arg, void *user, uint32_t code, bool by_peer)
{
	(void)arg;
	(void)user;
	(void)code;
	(void)by_peer;
	seen.closed++;
}

static size_t give_end(void *arg, void *user, char *to, size_t n, bool *ret_end)
{
	(void)arg;
	memset(to, 'x', MIN(n, 100));
	*ret_end = true;
	if (user == &streams[3 / 2]) {
		int told = h2_trailers(trails, 3, SLICE("X-Sum: 1\r\nX-Other: a b c\r\n\r\n"));

		assert_true(told == 0 || told == -ENOMEM || told == -ENOBUFS || told == -ENOENT);
		*ret_end = told == 0;
	}
	return MIN(n, 100);
}

static const struct h2_events counted = {
	count_request, count_refused, count_data, count_end, count_closed, give_end, NULL};

static char room[1 << 15];
static struct buf first, second, third; /* what the client sends, made once */

static void build(void)
{
	struct world w = {0};
	_cleanup_buf_ struct buf b = {0};

	preface(&w);
	frame_header(&w, 0, F_SETTINGS, ACK, 0);
	headers(&w, 1, END_STREAM,
		H2_GET "\2"
		       "cookie\1"
		       "a=b\2"
		       "cookie\1"
		       "c=d\2priority\1u=1");
	headers(&w, 3, 0,
		H2_POST "\2"
			"content-length\1"
			"4");
	data(&w, 3, END_STREAM, "body");
	first = w.out;
	w.out = (struct buf){0};
	headers(&w, 5, END_STREAM, H2_GET "\2X\1y");
	hpack_list(&b, SLICE(H2_POST));
	assert_int_equal(buf_append(&b, "\x40", 1), 0); /* into the dynamic table */
	hpack_text(&b, "x-t", 3);
	hpack_text(&b, "y", 1);
	frame(&w, F_HEADERS, END_HEADERS, 7, b.data, b.len);
	frame(&w, F_PING, 0, 0, "12345678", 8);
	frame(&w, 0x10, 0, 0, "\0\0\0\7u=0", 7);
	data(&w, 7, 0, "more");
	second = w.out;
	w.out = (struct buf){0};
	headers(&w, 7, END_STREAM,
		"x-sum\1"
		"1");
	rst(&w, 1, H2_CANCEL);
	get(&w, 9);
	third = w.out;
}

static bool pulled(struct h2_session *s)
{
	ssize_t n = h2_pull_into(s, room, sizeof(room));

	assert_true(n >= 0);
	return n > 0;
}

/* 0, -ENOMEM from h2_new(), or the error that ended it. */
static int life(const struct h2_limits *limits)
{
	static const struct slice head = {
		"HTTP/1.1 200 OK\r\nX-Long: 0123456789012345678901234567890123456789\r\n\r\n", 69};
	struct h2_session *s;
	const struct buf *parts[] = {&first, &second, &third};
	int err = h2_new(limits, &counted, NULL, &s);

	memset(&seen, 0, sizeof(seen));
	if (err)
		return err;
	trails = s;
	for (unsigned i = 0; i < ARRAY_LEN(parts) && !err; i++) {
		err = h2_recv(s, parts[i]->data, parts[i]->len, 1000 + i);
		if (i == 0 && !err) {
			int told = h2_head(s, 1, SLICE("HTTP/1.1 103 Early Hints\r\nA: b\r\n\r\n"), false);

			told = told ? told : h2_head(s, 3, head, false);
			assert_true(told == 0 || told == -ENOMEM || told == -ENOBUFS || told == -ENOENT);
		}
		if (i == 1 && !err) {
			h2_consume(s, 7, 4);
			h2_shutdown_notice(s);
			h2_resume(s, 3);
			h2_reset(s, 7, H2_CANCEL);
		}
		while (pulled(s))
			;
	}
	if (!err) {
		h2_goaway(s, H2_NO_ERROR);
		h2_terminate(s, H2_NO_ERROR);
	}
	while (pulled(s))
		;
	assert_true(h2_is_done(s));
	if (h2_why(s)) {
		err = -EPROTO;
		assert_true(h2_why(s) == H2_REASON_INTERNAL || h2_why(s) == H2_REASON_MEMORY);
	}
	assert_true(seen.closed <= seen.accepted && seen.ended <= seen.accepted && seen.body <= 8);
	assert_int_equal(h2_streams(s), seen.accepted - seen.closed);
	h2_free(s);
	return err;
}

static void test_every_allocation(void **state)
{
	const struct h2_limits limits = H2_LIMITS_DEFAULT;
	size_t before, after;
	unsigned survived = 0, ended = 0;
	long nth;

	(void)state;
	alloc_fail_needed();
	assert_int_equal(life(&limits), 0);
	assert_int_equal(seen.accepted, 4);
	assert_int_equal(life(&limits), 0);
	before = mallinfo2().uordblks;
	for (nth = 1;; nth++) {
		bool hit;
		int err;

		alloc_fail_at(nth);
		err = life(&limits);
		hit = alloc_fail_hit();
		alloc_fail_at(0);
		after = mallinfo2().uordblks;
		if (after != before)
			fail_msg("allocation %ld fails: %zd bytes left behind", nth,
				(ssize_t)(after - before));
		if (!hit)
			break;
		survived += err == 0;
		ended += err != 0;
	}
	print_message(
		"%ld allocations: %u failures ended the connection, %u did not\n", nth - 1, ended, survived);
	assert_true(nth > 40 && ended > 10 && survived > 0);
}

/* A reset that there is no memory for ends the connection. Until that is told, nothing that the peer sends is
 * for the stream whose owner has let it go. */
static void test_nothing_is_told_after_a_failure(void **state)
{
	const struct h2_limits limits = H2_LIMITS_DEFAULT;
	struct h2_session *s;
	struct world w = {0};

	(void)state;
	alloc_fail_needed();
	memset(&seen, 0, sizeof(seen));
	assert_int_equal(h2_new(&limits, &counted, NULL, &s), 0);
	assert_int_equal(h2_recv(s, first.data, first.len, 1000), 0);
	headers(&w, 5, 0, H2_POST);
	assert_int_equal(h2_recv(s, w.out.data, w.out.len, 1001), 0);
	assert_int_equal(seen.accepted, 3);
	seen.body = 0;
	w.out.len = 0;
	data(&w, 5, 0, "more");
	alloc_fail_at(1);
	h2_reset(s, 5, H2_INTERNAL_ERROR);
	assert_true(alloc_fail_hit());
	h2_detach(s, 5);
	assert_int_equal(h2_recv(s, w.out.data, w.out.len, 1002), -EPROTO);
	assert_int_equal(seen.body, 0);
	while (pulled(s))
		;
	assert_true(h2_is_done(s));
	h2_free(s);
	buf_reset(&w.out);
}

/* The connection's own limit, at every size up to what it needs. */
static void test_every_limit(void **state)
{
	struct h2_limits limits = H2_LIMITS_DEFAULT;
	unsigned ended = 0, whole = 0;
	size_t before;

	(void)state;
	assert_int_equal(life(&limits), 0);
	before = mallinfo2().uordblks;
	for (limits.memory = 1024; limits.memory < 160 * 1024; limits.memory += 96) {
		int err = life(&limits);

		ended += err != 0;
		whole += err == 0 && seen.accepted == 4;
	}
	assert_true(ended > 10 && whole > 10);
#ifndef __SANITIZE_ADDRESS__
	assert_int_equal(mallinfo2().uordblks, before);
#endif
	(void)before;
}

int main(int argc, char **argv)
{
	static const char tunables[] = "glibc.malloc.tcache_count=0";
	const char *now = getenv("GLIBC_TUNABLES");
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_allocation),
		cmocka_unit_test(test_every_limit),
		cmocka_unit_test(test_nothing_is_told_after_a_failure),
	};

	(void)argc;
	/* mallinfo2 takes what lies in the thread's cache for used; the cache can only be switched off at the
	 * start. */
	if (!now || strcmp(now, tunables) != 0) {
		if (setenv("GLIBC_TUNABLES", tunables, 1) == 0)
			execv("/proc/self/exe", argv);
		return 1;
	}
	build();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
