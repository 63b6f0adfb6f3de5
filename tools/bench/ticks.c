#include "ticks.h"
#include "base/clock.h"
#include <sys/timerfd.h>

/* One turn sends at most this many events before the loop looks at its sockets again. */
#define BATCH 512

static void put(struct ticks *ts, size_t at, struct tick *t)
{
	ts->heap[at] = t;
	t->at = at;
}

static void move_up(struct ticks *ts, struct tick *t)
{
	size_t at = t->at;

	for (; at > 1 && ts->heap[at / 2]->due_ns > t->due_ns; at /= 2)
		put(ts, at, ts->heap[at / 2]);
	put(ts, at, t);
}

static void move_down(struct ticks *ts, struct tick *t)
{
	size_t at = t->at;

	for (;;) {
		size_t child = at * 2;

		if (child < ts->count && ts->heap[child + 1]->due_ns < ts->heap[child]->due_ns)
			child++;
		if (child > ts->count || ts->heap[child]->due_ns >= t->due_ns)
			break;
		put(ts, at, ts->heap[child]);
		at = child;
	}
	put(ts, at, t);
}

static int grow(struct ticks *ts)
{
	size_t cap = ts->cap ? ts->cap * 2 : 256;
	struct tick **heap = realloc(ts->heap, cap * sizeof(struct tick *));

	if (!heap)
		return -ENOMEM;
	ts->heap = heap;
	ts->cap = cap;
	return 0;
}

/* Points the timerfd at the first deadline; no system call when that is what it waits for. */
static void arm(struct ticks *ts)
{
	uint64_t first = ts->count ? MAX(ts->heap[1]->due_ns, 1ULL) : 0;
	struct itimerspec spec = {.it_value = {(time_t)(first / NS_PER_S), (long)(first % NS_PER_S)}};

	if (first == ts->armed_ns)
		return;
	timerfd_settime(ts->source.fd, TFD_TIMER_ABSTIME, &spec, NULL);
	ts->armed_ns = first;
}

int ticks_set(struct ticks *ts, struct tick *t, uint64_t due_ns)
{
	if (!t->at) {
		if (ts->count + 2 > ts->cap && grow(ts))
			return -ENOMEM;
		put(ts, ++ts->count, t);
	}
	t->due_ns = due_ns;
	move_up(ts, t);
	move_down(ts, t);
	if (t->at == 1)
		arm(ts);
	return 0;
}

void ticks_clear(struct ticks *ts, struct tick *t)
{
	size_t at = t->at;
	struct tick *last;

	if (!at)
		return;
	last = ts->heap[ts->count--];
	t->at = 0;
	if (last == t)
		return;
	put(ts, at, last);
	move_up(ts, last);
	move_down(ts, last);
}

size_t ticks_run(struct ticks *ts, uint64_t now_ns, size_t most)
{
	size_t ran = 0;

	while (ran < most && ts->count && ts->heap[1]->due_ns <= now_ns) {
		struct tick *t = ts->heap[1];

		ticks_clear(ts, t);
		t->on_due(t, now_ns);
		ran++;
	}
	return ran;
}

static void on_timer(struct source *s, uint32_t events)
{
	struct ticks *ts = container_of(s, struct ticks, source);

	(void)events;
	/* The fd is edge-triggered and never read: setting it again clears it. Past deadlines fire at once.
	 */
	ts->armed_ns = 0;
	ticks_run(ts, clock_mono_ns(), BATCH);
	arm(ts);
}

int ticks_init(struct ticks *ts, struct loop *l)
{
	int err;

	*ts = (struct ticks){.source.on_ready = on_timer};
	ts->source.fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	if (ts->source.fd < 0)
		return -errno;
	err = loop_add(l, &ts->source, EPOLLIN | EPOLLET);
	if (err) {
		close(ts->source.fd);
		ts->source.fd = -1;
	}
	return err;
}

void ticks_done(struct ticks *ts, struct loop *l)
{
	if (ts->source.fd < 0)
		return;
	loop_del(l, &ts->source);
	close(ts->source.fd);
	free(ts->heap);
	*ts = (struct ticks){.source.fd = -1};
}

uint64_t ticks_phase(uint64_t index, uint64_t now_ns, uint64_t interval_ns)
{
	/* 2^64 / golden ratio: index times this, modulo 2^64, is the fraction in 64 bits. */
	uint64_t fraction = index * 0x9E3779B97F4A7C15ULL;
	uint64_t offset = (uint64_t)((unsigned __int128)fraction * interval_ns >> 64);
	uint64_t start = now_ns - now_ns % interval_ns + offset;

	return start > now_ns ? start : start + interval_ns;
}
