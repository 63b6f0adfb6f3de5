/* The event loop on real fds and the real clock; the wheel's arithmetic is test_wheel.c's. */
#include "event/loop.h"
#include "base/clock.h"
#include "event/signals.h"
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <cmocka.h>
#include <sys/socket.h>

static struct loop *loop;

struct end {
	struct source source;
	int peer;
	unsigned calls;
	uint32_t events;
	struct source *kill; /* taken out by the callback */
	bool stop;
};

static void on_end_ready(struct source *s, uint32_t events)
{
	struct end *e = container_of(s, struct end, source);

	e->calls++;
	e->events = events;
	if (e->kill)
		loop_del(loop, e->kill);
	if (e->stop)
		loop_stop(loop);
}

static void end_open(struct end *e)
{
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
	*e = (struct end){.source = {.fd = fds[0], .on_ready = on_end_ready}, .peer = fds[1], .stop = true};
}

static void end_close(struct end *e)
{
	loop_del(loop, &e->source);
	close(e->source.fd);
	if (e->peer >= 0)
		close(e->peer);
}

static int fds_poke(struct end *e)
{
	return write(e->peer, "x", 1) == 1 ? 0 : -1;
}

static void on_limit(struct timer *t)
{
	(void)t;
	loop_stop(loop);
}

/* Runs until somebody stops it, `ms` at most. True: stopped before that. */
static bool run_for(uint64_t ms)
{
	struct timer limit;
	bool early;

	timer_init(&limit, on_limit);
	timer_in(loop, &limit, ms);
	assert_int_equal(loop_run(loop), 0);
	early = limit.deadline_ms != 0;
	timer_stop(&limit);
	return early;
}

static int setup(void **state)
{
	(void)state;
	return loop_new(&loop);
}

static int teardown(void **state)
{
	(void)state;
	loop_free(loop);
	return 0;
}

static void test_ready_source_is_called(void **state)
{
	struct end e;

	(void)state;
	end_open(&e);
	assert_int_equal(loop_add(loop, &e.source, EPOLLIN), 0);
	assert_int_equal(fds_poke(&e), 0);
	assert_true(run_for(1000));
	assert_int_equal(e.calls, 1);
	assert_int_equal(e.events, EPOLLIN);
	assert_int_equal(loop_wakeups(loop), 1);
	end_close(&e);
}

static void test_bad_fd_is_refused(void **state)
{
	struct source s = {.fd = -1, .on_ready = on_end_ready};

	(void)state;
	assert_int_equal(loop_add(loop, &s, EPOLLIN), -EBADF);
	assert_int_equal(s.armed, 0);
	loop_del(loop, &s); /* legal when not in the loop */
}

static void test_mod_changes_what_is_waited_for(void **state)
{
	struct end e;

	(void)state;
	end_open(&e);
	assert_int_equal(loop_add(loop, &e.source, EPOLLIN), 0);
	assert_false(run_for(20));
	assert_int_equal(loop_mod(loop, &e.source, EPOLLIN | EPOLLOUT), 0);
	assert_true(run_for(1000));
	assert_int_equal(e.events, EPOLLOUT);
	assert_int_equal(loop_mod(loop, &e.source, EPOLLIN), 0);
	assert_false(run_for(20));
	assert_int_equal(e.calls, 1);
	end_close(&e);
}

/* A source that waits for nothing is still in epoll, which reports its hang-up: it must not outlive loop_del
 * there. */
static void test_source_that_waits_for_nothing(void **state)
{
	struct end e;

	(void)state;
	end_open(&e);
	assert_int_equal(loop_add(loop, &e.source, EPOLLIN), 0);
	assert_int_equal(loop_mod(loop, &e.source, 0), 0);
	assert_int_equal(fds_poke(&e), 0);
	assert_false(run_for(20));
	assert_int_not_equal(e.source.armed, 0);
	loop_del(loop, &e.source);
	close(e.peer);
	e.peer = -1;
	assert_false(run_for(20));
	assert_int_equal(e.calls, 0);
	assert_int_equal(loop_add(loop, &e.source, 0), 0); /* -EEXIST if it had stayed */
	loop_del(loop, &e.source);
	assert_int_equal(loop_add(loop, &e.source, EPOLLIN), 0);
	end_close(&e);
}

static void test_callback_takes_itself_out(void **state)
{
	struct end e;

	(void)state;
	end_open(&e);
	e.stop = false;
	e.kill = &e.source;
	assert_int_equal(loop_add(loop, &e.source, EPOLLIN), 0);
	assert_int_equal(fds_poke(&e), 0);
	assert_false(run_for(30)); /* level-triggered and never read: it would be called again */
	assert_int_equal(e.calls, 1);
	end_close(&e);
}

/* Both are ready in one turn; whoever is called first takes the other out, which then must not be called. */
static void test_callback_takes_another_out(void **state)
{
	struct end a, b;

	(void)state;
	end_open(&a);
	end_open(&b);
	a.kill = &b.source;
	b.kill = &a.source;
	assert_int_equal(loop_add(loop, &a.source, EPOLLIN), 0);
	assert_int_equal(loop_add(loop, &b.source, EPOLLIN), 0);
	assert_int_equal(fds_poke(&a), 0);
	assert_int_equal(fds_poke(&b), 0);
	assert_true(run_for(1000));
	assert_int_equal(a.calls + b.calls, 1);
	end_close(&a);
	end_close(&b);
}

static void test_edge_triggered(void **state)
{
	struct end e;

	(void)state;
	end_open(&e);
	e.stop = false;
	assert_int_equal(loop_add(loop, &e.source, EPOLLIN | EPOLLET), 0);
	assert_int_equal(fds_poke(&e), 0);
	assert_false(run_for(20));
	assert_int_equal(e.calls, 1);
	assert_int_equal(fds_poke(&e), 0);
	assert_false(run_for(20));
	assert_int_equal(e.calls, 2);
	end_close(&e);
}

struct clock_probe {
	struct timer timer;
	uint64_t fired_ns;
};

static void on_clock(struct timer *t)
{
	container_of(t, struct clock_probe, timer)->fired_ns = clock_mono_ns();
	loop_stop(loop);
}

static void test_timer_is_not_early(void **state)
{
	struct clock_probe p = {0};
	uint64_t begin = clock_mono_ns();

	(void)state;
	timer_init(&p.timer, on_clock);
	timer_at(loop, &p.timer, begin / NS_PER_MS + 1 + 50);
	assert_true(run_for(2000));
	assert_true(p.fired_ns >= begin + 50 * NS_PER_MS);
	assert_true(p.fired_ns < begin + 1000 * NS_PER_MS);
	assert_int_equal(p.timer.deadline_ms, 0);
}

static void test_timer_moved_and_stopped(void **state)
{
	struct clock_probe p = {0};

	(void)state;
	timer_init(&p.timer, on_clock);
	timer_in(loop, &p.timer, 10);
	timer_in(loop, &p.timer, 100000); /* the later word counts */
	assert_false(run_for(40));
	assert_int_equal(p.fired_ns, 0);
	timer_in(loop, &p.timer, 5);
	assert_true(run_for(1000));
	assert_int_not_equal(p.fired_ns, 0);
	p.fired_ns = 0;
	timer_in(loop, &p.timer, 5);
	timer_stop(&p.timer);
	timer_stop(&p.timer);
	assert_false(run_for(30));
	assert_int_equal(p.fired_ns, 0);
}

static void test_timer_that_never_comes(void **state)
{
	struct clock_probe p = {0};

	(void)state;
	timer_init(&p.timer, on_clock);
	timer_in(loop, &p.timer, UINT64_MAX);
	assert_false(run_for(20));
	assert_int_equal(p.fired_ns, 0);
	timer_stop(&p.timer);
}

static char order[16];

struct letter {
	struct task task;
	char name;
	unsigned again; /* puts itself off to the next turn this often */
	struct task *cancel;
};

static void on_letter(struct task *t)
{
	struct letter *l = container_of(t, struct letter, task);
	size_t n = strlen(order);

	if (n + 1 < sizeof(order))
		order[n] = l->name;
	if (l->cancel)
		task_cancel(l->cancel);
	if (l->again) {
		l->again--;
		task_next_turn(loop, t);
	} else if (l->name == 'z') {
		loop_stop(loop);
	}
}

static void letter_init(struct letter *l, char name)
{
	*l = (struct letter){.name = name};
	task_init(&l->task, on_letter);
}

static void test_tasks_run_once_and_in_order(void **state)
{
	struct letter a, b, c, z;

	(void)state;
	memset(order, 0, sizeof(order));
	letter_init(&a, 'a');
	letter_init(&b, 'b');
	letter_init(&c, 'c');
	letter_init(&z, 'z');
	a.cancel = &c.task;
	task_defer(loop, &a.task);
	task_defer(loop, &b.task);
	task_defer(loop, &c.task);
	task_defer(loop, &b.task); /* twice is once; it goes to the end */
	task_defer(loop, &z.task);
	task_next_turn(loop, &z.task); /* already waiting: stays where it is */
	assert_true(run_for(1000));    /* deferred before the loop ran: it does not sleep over them */
	assert_string_equal(order, "abz");
}

/* Work put off to the next turn lets epoll be asked between, and is not slept over. */
static void test_next_turn_lets_others_in(void **state)
{
	struct letter z;
	struct end e;

	(void)state;
	memset(order, 0, sizeof(order));
	letter_init(&z, 'z');
	z.again = 3;
	end_open(&e);
	e.stop = false;
	assert_int_equal(loop_add(loop, &e.source, EPOLLIN), 0);
	assert_int_equal(fds_poke(&e), 0);
	task_next_turn(loop, &z.task);
	assert_true(run_for(1000));
	assert_string_equal(order, "zzzz");
	assert_int_equal(e.calls, 4);
	end_close(&e);
}

static void test_cancelled_next_turn(void **state)
{
	struct letter a, b;

	(void)state;
	memset(order, 0, sizeof(order));
	letter_init(&a, 'a');
	letter_init(&b, 'b');
	a.cancel = &b.task; /* due in the same turn */
	task_next_turn(loop, &a.task);
	task_next_turn(loop, &b.task);
	assert_false(run_for(20));
	assert_string_equal(order, "a");
}

struct deferring {
	struct source source;
	struct task task;
	bool freed;
};

static void on_free(struct task *t)
{
	container_of(t, struct deferring, task)->freed = true;
	loop_stop(loop);
}

static void on_defer(struct source *s, uint32_t events)
{
	struct deferring *d = container_of(s, struct deferring, source);

	(void)events;
	loop_del(loop, s);
	task_defer(loop, &d->task);
	assert_false(d->freed); /* not before the turn ends */
}

static void test_deferred_runs_in_the_same_turn(void **state)
{
	struct end e;
	struct deferring d = {0};

	(void)state;
	end_open(&e);
	d.source = (struct source){.fd = e.source.fd, .on_ready = on_defer};
	task_init(&d.task, on_free);
	assert_int_equal(loop_add(loop, &d.source, EPOLLIN), 0);
	assert_int_equal(fds_poke(&e), 0);
	assert_true(run_for(1000));
	assert_true(d.freed);
	assert_int_equal(loop_wakeups(loop), 1);
	end_close(&e);
}

static void test_more_sources_than_one_batch(void **state)
{
	enum { MANY = 600 };
	static struct end ends[MANY];

	(void)state;
	for (int i = 0; i < MANY; i++) {
		end_open(&ends[i]);
		ends[i].stop = false;
		assert_int_equal(loop_add(loop, &ends[i].source, EPOLLIN | EPOLLET), 0);
		assert_int_equal(fds_poke(&ends[i]), 0);
	}
	assert_false(run_for(50));
	for (int i = 0; i < MANY; i++) {
		assert_int_equal(ends[i].calls, 1);
		end_close(&ends[i]);
	}
}

static int last_signal;

static void on_signal(struct signals *s, int signo)
{
	(void)s;
	last_signal = signo;
	loop_stop(loop);
}

static void test_signals(void **state)
{
	static const int signos[] = {SIGUSR1, SIGUSR2};
	struct signals s;

	(void)state;
	assert_int_equal(signals_init(&s, loop, signos, ARRAY_LEN(signos), on_signal), 0);
	assert_int_equal(kill(getpid(), SIGUSR2), 0);
	assert_true(run_for(1000));
	assert_int_equal(last_signal, SIGUSR2);
	signals_done(&s);
	signals_done(&s);
	assert_false(run_for(10));
}

#define LOOP_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		LOOP_TEST(test_ready_source_is_called),
		LOOP_TEST(test_bad_fd_is_refused),
		LOOP_TEST(test_mod_changes_what_is_waited_for),
		LOOP_TEST(test_source_that_waits_for_nothing),
		LOOP_TEST(test_callback_takes_itself_out),
		LOOP_TEST(test_callback_takes_another_out),
		LOOP_TEST(test_edge_triggered),
		LOOP_TEST(test_timer_is_not_early),
		LOOP_TEST(test_timer_moved_and_stopped),
		LOOP_TEST(test_timer_that_never_comes),
		LOOP_TEST(test_tasks_run_once_and_in_order),
		LOOP_TEST(test_next_turn_lets_others_in),
		LOOP_TEST(test_cancelled_next_turn),
		LOOP_TEST(test_deferred_runs_in_the_same_turn),
		LOOP_TEST(test_more_sources_than_one_batch),
		LOOP_TEST(test_signals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
