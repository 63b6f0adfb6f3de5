/* The timer wheel alone, on a clock of the test's own. */
#include "event/wheel.h"
#include "base/rng.h"
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define COUNT 2000

struct probe {
	struct timer timer;
	uint64_t wanted_ms;
	uint64_t fired_ms; /* 0: not yet */
	unsigned times;
};

static struct wheel wheel;
static uint64_t clock_ms;

static void start(struct timer *t, uint64_t deadline_ms)
{
	list_remove(&t->link);
	t->deadline_ms = MAX(deadline_ms, (uint64_t)1);
	wheel_insert(&wheel, t);
}

static void stop(struct timer *t)
{
	list_remove(&t->link);
	t->deadline_ms = 0;
}

static void on_fire(struct timer *t)
{
	struct probe *p = container_of(t, struct probe, timer);

	p->fired_ms = clock_ms;
	p->times++;
}

static void probe_init(struct probe *p, void (*fire)(struct timer *t))
{
	*p = (struct probe){0};
	list_init(&p->timer.link);
	p->timer.on_fire = fire;
}

static void probe_at(struct probe *p, uint64_t deadline_ms)
{
	p->wanted_ms = deadline_ms;
	start(&p->timer, deadline_ms);
}

/* Sleeps as the loop does: as long as the wheel says, until `end_ms`. */
static void run_to(uint64_t end_ms)
{
	while (clock_ms < end_ms) {
		clock_ms += MAX(wheel_next_ms(&wheel, clock_ms, end_ms - clock_ms), (uint64_t)1);
		clock_ms = MIN(clock_ms, end_ms);
		wheel_advance(&wheel, clock_ms);
	}
}

static int begin_at(uint64_t now_ms)
{
	clock_ms = now_ms;
	wheel_init(&wheel, now_ms);
	return 0;
}

/* Never early, at most a tick late, when the loop sleeps for as long as it is told. */
static void check_on_time(const struct probe *p)
{
	assert_int_equal(p->times, 1);
	assert_true(p->fired_ms >= p->wanted_ms);
	assert_true(p->fired_ms <= p->wanted_ms + WHEEL_TICK_MS);
	assert_int_equal(p->timer.deadline_ms, 0);
}

static void test_each_level_on_time(void **state)
{
	/* Just around the reach of each level, from several starts. */
	static const uint64_t starts[] = {
		0, 1, 3, 255, 256, 16383, 16384, 1048575, 987654321, 67108864ULL * 3 - 4};

	(void)state;
	for (size_t s = 0; s < ARRAY_LEN(starts); s++) {
		for (int level = 0; level < 4; level++) {
			uint64_t reach = (uint64_t)WHEEL_TICK_MS << (WHEEL_BITS * (level + 1));

			for (int off = -9; off <= 9; off++) {
				struct probe p;

				begin_at(starts[s]);
				probe_init(&p, on_fire);
				probe_at(&p, starts[s] + reach + (uint64_t)(int64_t)off);
				run_to(starts[s] + reach + 100);
				check_on_time(&p);
			}
		}
	}
}

static void test_many_random(void **state)
{
	static struct probe probes[COUNT];

	(void)state;
	begin_at(123456789);
	for (size_t i = 0; i < COUNT; i++) {
		probe_init(&probes[i], on_fire);
		probe_at(&probes[i], clock_ms + 1 + rng_below(1ULL << (3 + rng_below(20))));
	}
	run_to(clock_ms + (1ULL << 23));
	for (size_t i = 0; i < COUNT; i++)
		check_on_time(&probes[i]);
}

/* Timers that are started, moved and stopped while time goes on, as a stream's are. */
static void test_moved_while_running(void **state)
{
	static struct probe probes[200];

	(void)state;
	begin_at(5000);
	for (size_t i = 0; i < ARRAY_LEN(probes); i++)
		probe_init(&probes[i], on_fire);
	for (int step = 0; step < 20000; step++) {
		struct probe *p = &probes[rng_below(ARRAY_LEN(probes))];

		if (rng_below(4) == 0) {
			stop(&p->timer);
			p->times = 0;
		} else {
			p->times = 0;
			probe_at(p, clock_ms + 1 + rng_below(1ULL << rng_below(14)));
		}
		run_to(clock_ms + rng_below(20));
		for (size_t i = 0; i < ARRAY_LEN(probes); i++) {
			if (probes[i].timer.deadline_ms)
				assert_true(clock_ms < probes[i].wanted_ms + WHEEL_TICK_MS);
			else if (probes[i].times)
				check_on_time(&probes[i]);
		}
	}
}

static void test_stopped_never_fires(void **state)
{
	struct probe p;

	(void)state;
	begin_at(1000);
	probe_init(&p, on_fire);
	probe_at(&p, 1100);
	stop(&p.timer);
	run_to(5000);
	assert_int_equal(p.times, 0);
	stop(&p.timer); /* legal when inactive */
}

static void test_past_deadline_fires_at_once(void **state)
{
	struct probe p;

	(void)state;
	begin_at(1000000);
	probe_init(&p, on_fire);
	probe_at(&p, 10);
	run_to(clock_ms + WHEEL_TICK_MS);
	assert_int_equal(p.times, 1);
}

static struct probe again, victim;
static unsigned rounds;

static void on_again(struct timer *t)
{
	if (++rounds < 5)
		start(t, clock_ms); /* due at once: must wait for the next tick, not spin */
	stop(&victim.timer);	    /* due in the same slot */
}

static void test_callback_starts_itself_and_stops_another(void **state)
{
	(void)state;
	begin_at(1000);
	rounds = 0;
	probe_init(&again, on_again);
	probe_init(&victim, on_fire);
	probe_at(&again, 1100);
	probe_at(&victim, 1100);
	clock_ms = 1101;
	wheel_advance(&wheel, clock_ms);
	assert_int_equal(rounds, 1);
	assert_int_equal(victim.times, 0);
	run_to(1200);
	assert_int_equal(rounds, 5);
}

static void test_farther_than_the_wheel_reaches(void **state)
{
	uint64_t span_ms = (uint64_t)WHEEL_TICK_MS << (WHEEL_BITS * WHEEL_LEVELS);
	struct probe p;

	(void)state;
	begin_at(77777);
	probe_init(&p, on_fire);
	probe_at(&p, 77777 + span_ms + span_ms / 3);
	/* By leaps: stepping 60 days tick by tick is not what is tested. */
	while (!p.times && clock_ms < 77777 + 2 * span_ms) {
		uint64_t wait = wheel_next_ms(&wheel, clock_ms, span_ms);

		clock_ms += MAX(wait, (uint64_t)1);
		wheel_advance(&wheel, clock_ms);
	}
	check_on_time(&p);
}

static void test_deadline_that_never_comes(void **state)
{
	struct probe p;

	(void)state;
	begin_at(1000);
	probe_init(&p, on_fire);
	probe_at(&p, UINT64_MAX);
	run_to(100000);
	assert_int_equal(p.times, 0);
	stop(&p.timer);
}

static void test_next_is_never_late(void **state)
{
	struct probe near, far;

	(void)state;
	begin_at(4000);
	assert_int_equal(wheel_next_ms(&wheel, clock_ms, 60000), 60000);
	probe_init(&near, on_fire);
	probe_init(&far, on_fire);
	probe_at(&far, 4000 + 500000);
	probe_at(&near, 4000 + 40);
	assert_int_equal(wheel_next_ms(&wheel, clock_ms, 60000), 40);
	assert_int_equal(wheel_next_ms(&wheel, clock_ms, 10), 10);
	stop(&near.timer);
	assert_true(wheel_next_ms(&wheel, clock_ms, 600000) <= 500000);
	stop(&far.timer);
}

/* A worker that was stopped (SIGSTOP, a slow disk) comes back to many overdue timers: each fires once, none
 * is lost. */
static void test_clock_leaps(void **state)
{
	static struct probe probes[100];

	(void)state;
	begin_at(60000);
	for (size_t i = 0; i < ARRAY_LEN(probes); i++) {
		probe_init(&probes[i], on_fire);
		probe_at(&probes[i], clock_ms + 1 + i * 997);
	}
	clock_ms += 200000;
	wheel_advance(&wheel, clock_ms);
	for (size_t i = 0; i < ARRAY_LEN(probes); i++)
		assert_int_equal(probes[i].times, 1);
	wheel_advance(&wheel, clock_ms - 5000); /* backwards: nothing happens */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_level_on_time),
		cmocka_unit_test(test_many_random),
		cmocka_unit_test(test_moved_while_running),
		cmocka_unit_test(test_stopped_never_fires),
		cmocka_unit_test(test_past_deadline_fires_at_once),
		cmocka_unit_test(test_callback_starts_itself_and_stops_another),
		cmocka_unit_test(test_farther_than_the_wheel_reaches),
		cmocka_unit_test(test_deadline_that_never_comes),
		cmocka_unit_test(test_next_is_never_late),
		cmocka_unit_test(test_clock_leaps),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
