/* The parts of the origin that need no connection: requests, deadlines. */
#include "cmocka_first.h"
#include "../request.h"
#include "../ticks.h"
#include "base/rng.h"

static int parse(const char *text, struct request *r)
{
	size_t n = 0;
	int err = request_parse(text, strlen(text), r, &n);

	return err ? err : (int)n;
}

static void test_request(void **state)
{
	static const char text[] =
		"GET /events?rate=5&n=10 HTTP/1.1\r\nHost: x\r\nLAST-EVENT-ID:  41 \r\n\r\nrest";
	struct request r;
	struct slice v;

	(void)state;
	assert_int_equal(parse(text, &r), sizeof(text) - 1 - 4);
	assert_int_equal(r.method, REQUEST_GET);
	assert_true(slice_eq(r.path, SLICE("/events")));
	assert_int_equal(r.last_event_id, 41);
	assert_true(r.keep_alive);
	assert_true(request_query(r.query, SLICE("n"), &v) && slice_eq(v, SLICE("10")));
	assert_true(request_query(r.query, SLICE("rate"), &v) && slice_eq(v, SLICE("5")));
	assert_false(request_query(r.query, SLICE("rat"), &v));
	assert_int_equal(parse("GET / HTTP/1.1\r\nHost:", &r), 0);
	assert_int_equal(parse("POST /echo HTTP/1.0\r\nContent-Length: 12\r\n\r\n", &r), 43);
	assert_true(r.length == 12 && !r.keep_alive && r.minor == 0 && r.method == REQUEST_POST);
	assert_true(parse("GET / HTTP/1.1\r\nConnection: Close\r\nLast-Event-ID: a1\r\n\r\n", &r) > 0);
	assert_true(!r.keep_alive && r.last_event_id == 0);
}

static void test_bad_requests(void **state)
{
	static const char *const bad[] = {
		"GET http://x/ HTTP/1.1\r\n\r\n",
		"GET / HTTP/2.0\r\n\r\n",
		"GET /\r\n\r\n",
		"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
		"POST / HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\n",
		"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n",
	};
	struct request r;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		if (parse(bad[i], &r) != -EBADMSG)
			fail_msg("taken as good: %s", bad[i]);
}

struct counted {
	struct tick tick;
	struct ticks *ticks;
	uint64_t *last;
	unsigned runs;
	uint64_t again_after; /* sets itself again so much later; 0: no */
};

static void on_due(struct tick *t, uint64_t now_ns)
{
	struct counted *c = container_of(t, struct counted, tick);

	(void)now_ns;
	assert_true(t->due_ns >= *c->last); /* in the order of their deadlines */
	*c->last = t->due_ns;
	c->runs++;
	if (c->again_after)
		assert_int_equal(ticks_set(c->ticks, t, t->due_ns + c->again_after), 0);
}

#define TICKS  500
#define FAR_NS (1ULL << 60) /* the timerfd must not fire during the test */

static void test_ticks_run_in_order(void **state)
{
	static struct counted all[TICKS];
	struct loop *loop;
	struct ticks ts;
	uint64_t last = 0;

	(void)state;
	assert_int_equal(loop_new(&loop), 0);
	assert_int_equal(ticks_init(&ts, loop), 0);
	for (int i = 0; i < TICKS; i++) {
		all[i] = (struct counted){.tick.on_due = on_due, .ticks = &ts, .last = &last};
		assert_int_equal(ticks_set(&ts, &all[i].tick, FAR_NS + rng_below(1000)), 0);
	}
	for (int i = 0; i < TICKS; i += 3) /* some are moved, some taken out, one twice */
		assert_int_equal(ticks_set(&ts, &all[i].tick, FAR_NS + rng_below(1000)), 0);
	for (int i = 0; i < TICKS; i += 5)
		ticks_clear(&ts, &all[i].tick);
	ticks_clear(&ts, &all[0].tick);
	all[1].again_after = 100;
	assert_int_equal(ticks_run(&ts, FAR_NS - 1, 1000000), 0);
	assert_int_equal(ticks_run(&ts, FAR_NS + 5000, 10), 10);
	assert_true(ticks_run(&ts, FAR_NS + 5000, 1000000) > TICKS * 4 / 5 - 11);
	for (int i = 0; i < TICKS; i++)
		assert_true(i == 1 ? all[i].runs >= 40 : all[i].runs == (i % 5 ? 1 : 0));
	ticks_clear(&ts, &all[1].tick);
	assert_int_equal(ts.count, 0);
	ticks_done(&ts, loop);
	loop_free(loop);
}

static int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

/* Whatever the number of streams, no two come closer than a third of their even distance, and no gap exceeds
 * two of it. */
static void test_phases_are_spread(void **state)
{
	static const size_t counts[] = {2, 10, 100, 777, 1000};
	static uint64_t at[1000];
	const uint64_t interval = 25000000, now = 123456789012345;

	(void)state;
	for (size_t k = 0; k < ARRAY_LEN(counts); k++) {
		size_t n = counts[k];

		for (size_t i = 0; i < n; i++) {
			at[i] = ticks_phase(i + 1, now, interval);
			assert_in_range(at[i], now + 1, now + interval);
		}
		qsort(at, n, sizeof(at[0]), by_value);
		for (size_t i = 0; i + 1 < n; i++)
			assert_in_range(at[i + 1] - at[i], interval / n / 3, 2 * interval / n);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_request),
		cmocka_unit_test(test_bad_requests),
		cmocka_unit_test(test_ticks_run_in_order),
		cmocka_unit_test(test_phases_are_spread),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
