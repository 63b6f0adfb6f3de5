/* The epoll loop of one thread: fds, timers, deferred work. Sole user of epoll. Sources and timers are
 * embedded in their owner's struct and never allocated here; a callback may delete any source or timer, its
 * own too. */
#ifndef SLUICE_EVENT_LOOP_H
#define SLUICE_EVENT_LOOP_H

#include "base/list.h"
#include <sys/epoll.h>

struct loop;

/* One fd. `on_ready` gets the EPOLL* bits that epoll reported. */
struct source {
	void (*on_ready)(struct source *s, uint32_t events);
	int fd;
	uint32_t armed; /* what epoll was asked for, EPOLLERR and EPOLLHUP always with it; 0 = not in the loop
			 */
};

/* One deadline. Inactive while `deadline_ms` is 0. May fire up to one tick (4 ms) late, never early. */
struct timer {
	struct list link;
	void (*on_fire)(struct timer *t);
	uint64_t deadline_ms;
};

/* Work for the end of this turn of the loop: freeing what a caller up the stack still holds, or going on with
 * a busy fd after the others had their turn. */
struct task {
	struct list link;
	void (*run)(struct task *t);
};

must_check int loop_new(struct loop **ret_loop);
void loop_free(struct loop *l);

/* Arms `s` (fd and on_ready set) for `events` (EPOLLIN, EPOLLET, …). Negative errno. */
must_check int loop_add(struct loop *l, struct source *s, uint32_t events);
/* Changes what `s` waits for. No system call when nothing changes. */
must_check int loop_mod(struct loop *l, struct source *s, uint32_t events);
/* Takes `s` out; events of this turn that were not yet handed out are dropped. Legal when not in the loop. */
void loop_del(struct loop *l, struct source *s);

void timer_init(struct timer *t, void (*on_fire)(struct timer *t));
/* (Re)starts: fires once when loop_now_ms() >= deadline_ms. */
void timer_at(struct loop *l, struct timer *t, uint64_t deadline_ms);
void timer_in(struct loop *l, struct timer *t, uint64_t delay_ms);
/* Legal when inactive. */
void timer_stop(struct timer *t);

void task_init(struct task *t, void (*run)(struct task *t));
/* Runs once, at the end of this turn, before the loop sleeps. Twice is once. */
void task_defer(struct loop *l, struct task *t);
/* The same in the next turn, after epoll was asked again (without sleeping). */
void task_next_turn(struct loop *l, struct task *t);
void task_cancel(struct task *t);

/* Monotonic time of this turn of the loop. */
uint64_t loop_now_ms(const struct loop *l);
uint64_t loop_now_ns(const struct loop *l);

/* Until loop_stop(). 0, or the negative errno of epoll_wait. */
must_check int loop_run(struct loop *l);
void loop_stop(struct loop *l);

/* How many events this turn began with: above one, more are likely to be waiting by now. */
unsigned loop_batch(const struct loop *l);
/* How often epoll_wait returned with events, ever: what "wake-ups" means in the metrics. */
uint64_t loop_wakeups(const struct loop *l);

#endif
