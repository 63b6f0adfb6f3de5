/* Deadlines in nanoseconds for many event streams: a binary heap behind one timerfd. The loop's own timers
 * fire in 4 ms steps, which would send a thousand streams' events in bursts and measure the burst instead of
 * the relay. */
#ifndef SLUICE_BENCH_TICKS_H
#define SLUICE_BENCH_TICKS_H

#include "event/loop.h"

/* One deadline, embedded in its owner; zeroed at first. */
struct tick {
	void (*on_due)(struct tick *t, uint64_t now_ns);
	uint64_t due_ns;
	size_t at; /* place in the heap, from 1; 0: not set */
};

struct ticks {
	struct source source;
	struct tick **heap; /* heap[1..count] */
	size_t count, cap;
	uint64_t armed_ns; /* what the timerfd waits for; 0: nothing */
};

must_check int ticks_init(struct ticks *ts, struct loop *l);
void ticks_done(struct ticks *ts, struct loop *l);
/* Sets or moves a deadline. -ENOMEM leaves it unset. */
must_check int ticks_set(struct ticks *ts, struct tick *t, uint64_t due_ns);
/* Legal when not set. */
void ticks_clear(struct ticks *ts, struct tick *t);
/* Runs what is due at `now_ns`, at most `most` deadlines; on_due may set its own again. Returns how many it
 * ran. */
size_t ticks_run(struct ticks *ts, uint64_t now_ns, size_t most);

/* When stream number `index` has its first tick: streams of one interval are spread evenly over it, whatever
 * their number turns out to be (the golden ratio's fractions never cluster). */
uint64_t ticks_phase(uint64_t index, uint64_t now_ns, uint64_t interval_ns);

#endif
