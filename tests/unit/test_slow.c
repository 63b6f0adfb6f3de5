#include "policy/slow.h"
#include "alloc_fail.h"
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

static struct event_queue *queue(size_t max)
{
	struct event_queue *q;

	assert_int_equal(event_queue_new(max, &q), 0);
	return q;
}

static void push(struct event_queue *q, const char *text, bool ends)
{
	event_queue_push(q, slice_of(text), ends);
}

/* An event of `n` bytes, all of them `fill`. */
static void push_event(struct event_queue *q, char fill, size_t n)
{
	char bytes[8192];

	assert_true(n <= sizeof(bytes));
	memset(bytes, fill, n);
	event_queue_push(q, (struct slice){bytes, n}, true);
}

/* Takes what is next and compares. */
static void expect(struct event_queue *q, const char *text)
{
	while (*text) {
		struct slice next = event_queue_peek(q);

		assert_true(next.n > 0 && next.n <= strlen(text));
		assert_memory_equal(next.p, text, next.n);
		event_queue_pop(q, next.n);
		text += next.n;
	}
}

static void expect_event(struct event_queue *q, char fill, size_t n)
{
	while (n) {
		struct slice next = event_queue_peek(q);

		assert_true(next.n > 0 && next.n <= n);
		for (size_t i = 0; i < next.n; i++)
			assert_int_equal(next.p[i], fill);
		event_queue_pop(q, next.n);
		n -= next.n;
	}
}

static void expect_nothing(struct event_queue *q)
{
	assert_int_equal(event_queue_peek(q).n, 0);
}

static void test_sizes(void **state)
{
	struct event_queue *q = NULL;

	(void)state;
	assert_int_equal(event_queue_new(4095, &q), -EINVAL);
	assert_int_equal(event_queue_new(1UL << 31, &q), -EINVAL);
	assert_null(q);
	assert_int_equal(event_queue_new(4096, &q), 0);
	event_queue_free(q);
	event_queue_free(NULL);
}

static void test_no_memory(void **state)
{
	struct event_queue *q = NULL;

	(void)state;
	alloc_fail_needed();
	alloc_fail_at(1);
	assert_int_equal(event_queue_new(4096, &q), -ENOMEM);
	alloc_fail_at(0);
	assert_null(q);
}

static void test_in_order(void **state)
{
	struct event_queue *q = queue(4096);

	(void)state;
	assert_true(event_queue_idle(q));
	push(q, "data: 1\n\n", true);
	push(q, "data: 2\n\n", true);
	assert_false(event_queue_idle(q));
	assert_int_equal(event_queue_bytes(q), 18);
	expect(q, "data: 1\n\n");
	expect(q, "data: 2\n\n");
	expect_nothing(q);
	assert_true(event_queue_idle(q));
	assert_int_equal(event_queue_bytes(q), 0);
	event_queue_free(q);
}

static void test_half_an_event_waits(void **state)
{
	struct event_queue *q = queue(4096);

	(void)state;
	push(q, "data: ", false);
	expect_nothing(q);
	assert_false(event_queue_idle(q));
	push(q, "half", false);
	expect_nothing(q);
	push(q, "\n\n", true);
	expect(q, "data: half\n\n");
	assert_true(event_queue_idle(q));
	event_queue_free(q);
}

static void test_end_without_bytes(void **state)
{
	struct event_queue *q = queue(4096);

	(void)state;
	push(q, "", true);
	assert_true(event_queue_idle(q));
	push(q, "data: x\n\n", false);
	push(q, "", true);
	expect(q, "data: x\n\n");
	assert_true(event_queue_idle(q));
	event_queue_free(q);
}

static void test_drops_the_oldest(void **state)
{
	struct event_queue *q = queue(4096);
	uint64_t times;

	(void)state;
	for (int i = 0; i < 10; i++)
		push_event(q, (char)('0' + i), 1000);
	assert_int_equal(event_queue_dropped(q, &times), 6);
	assert_int_equal(times, 1);
	assert_int_equal(event_queue_bytes(q), 4000);
	expect(q, ": dropped 6 events\n\n");
	for (int i = 6; i < 10; i++)
		expect_event(q, (char)('0' + i), 1000);
	expect_nothing(q);
	assert_true(event_queue_idle(q));
	event_queue_free(q);
}

static void test_the_event_being_sent_stays(void **state)
{
	struct event_queue *q = queue(4096);

	(void)state;
	push_event(q, 'a', 1000);
	expect_event(q, 'a', 0);
	assert_int_equal(event_queue_peek(q).n, 1000);
	event_queue_pop(q, 10);
	for (int i = 0; i < 10; i++)
		push_event(q, (char)('0' + i), 1000);
	expect_event(q, 'a', 990);
	expect(q, ": dropped 7 events\n\n");
	for (int i = 7; i < 10; i++)
		expect_event(q, (char)('0' + i), 1000);
	assert_true(event_queue_idle(q));
	event_queue_free(q);
}

static void test_a_comment_that_is_out_stays_true(void **state)
{
	struct event_queue *q = queue(4096);
	struct slice note;
	uint64_t times;

	(void)state;
	for (int i = 0; i < 5; i++)
		push_event(q, 'a', 1000);
	note = event_queue_peek(q);
	assert_memory_equal(note.p, ": dropped 1 events\n\n", note.n);
	event_queue_pop(q, 3);
	push_event(q, 'b', 1000); /* drops one more, of which the comment on its way cannot tell */
	expect(q, "ropped 1 events\n\n");
	expect(q, ": dropped 1 events\n\n");
	expect_event(q, 'a', 3000);
	expect_event(q, 'b', 1000);
	assert_int_equal(event_queue_dropped(q, &times), 2);
	assert_int_equal(times, 2);
	event_queue_free(q);
}

static void test_a_comment_not_yet_begun_is_updated(void **state)
{
	struct event_queue *q = queue(4096);

	(void)state;
	for (int i = 0; i < 5; i++)
		push_event(q, 'a', 1000);
	assert_int_equal(event_queue_peek(q).n, strlen(": dropped 1 events\n\n"));
	push_event(q, 'a', 1000);
	expect(q, ": dropped 2 events\n\n");
	event_queue_free(q);
}

static void test_largest_event_fits(void **state)
{
	struct event_queue *q = queue(4096);
	uint64_t times;

	(void)state;
	push_event(q, 'x', 100);
	push_event(q, 'y', 4096);
	assert_int_equal(event_queue_dropped(q, &times), 1);
	expect(q, ": dropped 1 events\n\n");
	expect_event(q, 'y', 4096);
	assert_true(event_queue_idle(q));
	event_queue_free(q);
}

static void test_too_large_an_event_leaves_the_others(void **state)
{
	struct event_queue *q = queue(4096);

	(void)state;
	push_event(q, 'a', 1000);
	push_event(q, 'b', 4097);
	push_event(q, 'c', 4097);
	push_event(q, 'd', 1000);
	expect_event(q, 'a', 1000);
	expect(q, ": dropped 2 events\n\n");
	expect_event(q, 'd', 1000);
	assert_true(event_queue_idle(q));
	event_queue_free(q);
}

static void test_gaps_stay_where_they_are(void **state)
{
	struct event_queue *q = queue(4096);
	uint64_t times;

	(void)state;
	push_event(q, 'a', 1000);
	push_event(q, 'B', 5000);
	push_event(q, 'c', 1000);
	push_event(q, 'D', 5000);
	push_event(q, 'E', 5000);
	push_event(q, 'f', 1000);
	assert_int_equal(event_queue_dropped(q, &times), 3);
	assert_int_equal(times, 2);
	expect_event(q, 'a', 1000);
	expect(q, ": dropped 1 events\n\n");
	expect_event(q, 'c', 1000);
	expect(q, ": dropped 2 events\n\n");
	expect_event(q, 'f', 1000);
	assert_true(event_queue_idle(q));
	event_queue_free(q);
}

static void test_too_large_in_pieces(void **state)
{
	struct event_queue *q = queue(4096);
	char piece[1000];
	uint64_t times;

	(void)state;
	memset(piece, 'x', sizeof(piece));
	for (int i = 0; i < 5; i++)
		event_queue_push(q, (struct slice){piece, sizeof(piece)}, false);
	assert_int_equal(event_queue_dropped(q, &times), 1);
	assert_false(event_queue_idle(q)); /* its end is still to come */
	expect(q, ": dropped 1 events\n\n");
	event_queue_push(q, (struct slice){piece, sizeof(piece)}, true);
	expect_nothing(q);
	assert_true(event_queue_idle(q));
	push(q, "data: next\n\n", true);
	expect(q, "data: next\n\n");
	event_queue_free(q);
}

static void test_gap_at_a_full_ring(void **state)
{
	struct event_queue *q = queue(4096);
	uint64_t times;

	(void)state;
	push_event(q, 'a', 96);
	push_event(q, 'b', 4096 - 96);
	push_event(q, 'c', 5000); /* no room even for its record: the oldest gives way */
	assert_int_equal(event_queue_dropped(q, &times), 2);
	expect(q, ": dropped 1 events\n\n");
	expect_event(q, 'b', 4000);
	expect(q, ": dropped 1 events\n\n");
	assert_true(event_queue_idle(q));
	event_queue_free(q);
}

/* -- a random run against what must hold of any queue -- */

struct run {
	struct event_queue *q;
	uint64_t random;
	size_t max;
	uint64_t pushed, got; /* events begun to be pushed; number of the last one that came out */
	uint64_t told;	      /* dropped, by the comments */
	uint64_t gap;	      /* told since the last event that came out */
	size_t left;	      /* bytes of the event being pushed */
	size_t size;	      /* of it, in all */
	char line[64];	      /* comment or event head being read */
	size_t line_n;
	size_t skip; /* filler bytes of the event coming out */
};

static uint64_t roll(struct run *r, uint64_t n)
{
	r->random ^= r->random << 13;
	r->random ^= r->random >> 7;
	r->random ^= r->random << 17;
	return r->random % n;
}

/* "E<number> <filler bytes>\n" and that many fillers: an event that can be told apart. */
static void push_some(struct run *r)
{
	char bytes[16384];
	size_t n;

	if (!r->left) {
		int head;

		r->size = roll(r, 20) ? roll(r, 400) : roll(r, 2 * r->max);
		head = snprintf(bytes, sizeof(bytes), "E%" PRIu64 " %zu\n", ++r->pushed, r->size);
		r->left = r->size;
		event_queue_push(r->q, (struct slice){bytes, (size_t)head}, r->left == 0);
		return;
	}
	/* Mostly as reads bring it; now and then all at once. */
	n = roll(r, 4) ? 1 + roll(r, MIN(r->left, (size_t)600)) : MIN(r->left, sizeof(bytes));
	memset(bytes, 'x', n);
	r->left -= n;
	event_queue_push(r->q, (struct slice){bytes, n}, r->left == 0);
}

static void line_done(struct run *r)
{
	uint64_t number;
	size_t filler;

	r->line[r->line_n] = 0;
	if (sscanf(r->line, ": dropped %" SCNu64 " events", &number) == 1) {
		assert_true(number > 0);
		r->gap += number;
		r->told += number;
	} else if (r->line_n) {
		assert_int_equal(sscanf(r->line, "E%" SCNu64 " %zu", &number, &filler), 2);
		assert_int_equal(number, r->got + r->gap + 1); /* every gap is told, where it is */
		r->got = number;
		r->gap = 0;
		r->skip = filler;
	}
	r->line_n = 0;
}

static void pop_some(struct run *r)
{
	struct slice next = event_queue_peek(r->q);
	size_t n = next.n ? 1 + roll(r, next.n) : 0;

	for (size_t i = 0; i < n; i++) {
		if (r->skip) {
			assert_int_equal(next.p[i], 'x');
			r->skip--;
		} else if (next.p[i] == '\n') {
			line_done(r);
		} else {
			assert_true(r->line_n < sizeof(r->line) - 1);
			r->line[r->line_n++] = next.p[i];
		}
	}
	event_queue_pop(r->q, n);
}

static void random_run(uint64_t seed, uint64_t pushes_of_ten)
{
	struct run r = {.random = seed, .max = 4096 + seed % 3000};
	uint64_t times;

	r.q = queue(r.max);
	for (int i = 0; i < 20000; i++) {
		if (roll(&r, 10) < pushes_of_ten)
			push_some(&r);
		else
			pop_some(&r);
		assert_true(event_queue_bytes(r.q) <= r.max + 2 * sizeof(uint32_t));
	}
	while (r.left)
		push_some(&r);
	while (event_queue_peek(r.q).n)
		pop_some(&r);
	assert_true(event_queue_idle(r.q));
	assert_int_equal(event_queue_bytes(r.q), 0);
	assert_int_equal(r.got + r.gap, r.pushed);
	assert_int_equal(r.told, event_queue_dropped(r.q, &times));
	assert_true(times <= r.told);
	event_queue_free(r.q);
}

static void test_random(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 40; seed++)
		random_run(seed * 0x9e3779b97f4a7c15u, 3 + seed % 6);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_no_memory),
		cmocka_unit_test(test_in_order),
		cmocka_unit_test(test_half_an_event_waits),
		cmocka_unit_test(test_end_without_bytes),
		cmocka_unit_test(test_drops_the_oldest),
		cmocka_unit_test(test_the_event_being_sent_stays),
		cmocka_unit_test(test_a_comment_that_is_out_stays_true),
		cmocka_unit_test(test_a_comment_not_yet_begun_is_updated),
		cmocka_unit_test(test_largest_event_fits),
		cmocka_unit_test(test_too_large_an_event_leaves_the_others),
		cmocka_unit_test(test_gaps_stay_where_they_are),
		cmocka_unit_test(test_too_large_in_pieces),
		cmocka_unit_test(test_gap_at_a_full_ring),
		cmocka_unit_test(test_random),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
