/* A loop for tests that run real sockets in it. Include once per binary. */
#ifndef SLUICE_TESTS_LOOP_WORLD_H
#define SLUICE_TESTS_LOOP_WORLD_H

#include "base/clock.h"
#include "event/loop.h"
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static struct loop *loop;

struct until {
	struct timer timer;
	bool (*done)(void *arg);
	void *arg;
	uint64_t end_ns;
	bool met;
};

static inline void on_until(struct timer *t)
{
	struct until *u = container_of(t, struct until, timer);

	u->met = u->done && u->done(u->arg);
	if (u->met || clock_mono_ns() >= u->end_ns)
		loop_stop(loop);
	else
		timer_in(loop, t, 2);
}

/* Runs the loop until `done` says so; false: not within `ms`. NULL: just runs it for that long. */
static inline bool run_until(bool (*done)(void *arg), void *arg, uint64_t ms)
{
	struct until u = {.done = done, .arg = arg, .end_ns = clock_mono_ns() + ms * NS_PER_MS};

	timer_init(&u.timer, on_until);
	timer_in(loop, &u.timer, 0);
	assert_int_equal(loop_run(loop), 0);
	return u.met;
}

static inline void run_for(uint64_t ms)
{
	run_until(NULL, NULL, ms);
}

static inline int loop_setup(void **state)
{
	(void)state;
	return loop_new(&loop);
}

static inline int loop_teardown(void **state)
{
	(void)state;
	loop_free(loop);
	loop = NULL;
	return 0;
}

#define LOOP_TEST(f) cmocka_unit_test_setup_teardown(f, loop_setup, loop_teardown)

#endif
