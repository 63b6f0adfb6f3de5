#include "event/loop.h"
#include "event/wheel.h"
#include "base/clock.h"

#define BATCH 256

struct loop {
	int epfd;
	bool stop;
	uint64_t now_ns;
	uint64_t wakeups;
	struct wheel wheel;
	struct list deferred;
	struct list next_turn;
	struct epoll_event *batch; /* of this turn; what is not handed out yet can still be struck out */
	int batch_at, batch_len;
};

int loop_new(struct loop **ret_loop)
{
	_cleanup_free_ struct loop *l = calloc(1, sizeof(*l));
	_cleanup_free_ struct epoll_event *batch = calloc(BATCH, sizeof(*batch));

	if (!l || !batch)
		return -ENOMEM;
	l->epfd = epoll_create1(EPOLL_CLOEXEC);
	if (l->epfd < 0)
		return -errno;
	l->batch = take_ptr(batch);
	l->now_ns = clock_mono_ns();
	wheel_init(&l->wheel, l->now_ns / NS_PER_MS);
	list_init(&l->deferred);
	list_init(&l->next_turn);
	*ret_loop = take_ptr(l);
	return 0;
}

void loop_free(struct loop *l)
{
	if (!l)
		return;
	close(l->epfd);
	free(l->batch);
	free(l);
}

/* epoll reports these whether asked or not; said here they keep `armed` true for a source that waits for
 * nothing else. */
#define ALWAYS (EPOLLERR | EPOLLHUP)

static int ctl(struct loop *l, int op, struct source *s, uint32_t events)
{
	struct epoll_event ev = {.events = events, .data.ptr = s};

	if (epoll_ctl(l->epfd, op, s->fd, &ev))
		return -errno;
	s->armed = events;
	return 0;
}

int loop_add(struct loop *l, struct source *s, uint32_t events)
{
	return ctl(l, EPOLL_CTL_ADD, s, events | ALWAYS);
}

int loop_mod(struct loop *l, struct source *s, uint32_t events)
{
	events |= ALWAYS;
	return s->armed == events ? 0 : ctl(l, EPOLL_CTL_MOD, s, events);
}

void loop_del(struct loop *l, struct source *s)
{
	if (!s->armed)
		return;
	epoll_ctl(l->epfd, EPOLL_CTL_DEL, s->fd, NULL);
	s->armed = 0;
	for (int i = l->batch_at; i < l->batch_len; i++)
		if (l->batch[i].data.ptr == s)
			l->batch[i].data.ptr = NULL;
}

void timer_init(struct timer *t, void (*on_fire)(struct timer *t))
{
	list_init(&t->link);
	t->on_fire = on_fire;
	t->deadline_ms = 0;
}

void timer_at(struct loop *l, struct timer *t, uint64_t deadline_ms)
{
	list_remove(&t->link);
	t->deadline_ms = MAX(deadline_ms, 1ULL);
	wheel_insert(&l->wheel, t);
}

void timer_in(struct loop *l, struct timer *t, uint64_t delay_ms)
{
	uint64_t deadline;

	timer_at(l, t, __builtin_add_overflow(loop_now_ms(l), delay_ms, &deadline) ? UINT64_MAX : deadline);
}

void timer_stop(struct timer *t)
{
	list_remove(&t->link);
	t->deadline_ms = 0;
}

void task_init(struct task *t, void (*run)(struct task *t))
{
	list_init(&t->link);
	t->run = run;
}

void task_defer(struct loop *l, struct task *t)
{
	list_remove(&t->link);
	list_push_back(&l->deferred, &t->link);
}

void task_next_turn(struct loop *l, struct task *t)
{
	if (list_empty(&t->link))
		list_push_back(&l->next_turn, &t->link);
}

void task_cancel(struct task *t)
{
	list_remove(&t->link);
}

uint64_t loop_now_ms(const struct loop *l)
{
	return l->now_ns / NS_PER_MS;
}

uint64_t loop_now_ns(const struct loop *l)
{
	return l->now_ns;
}

unsigned loop_batch(const struct loop *l)
{
	return (unsigned)l->batch_len;
}

uint64_t loop_wakeups(const struct loop *l)
{
	return l->wakeups;
}

static void run_tasks(struct list *tasks)
{
	while (!list_empty(tasks)) {
		struct task *t = list_first(tasks, struct task, link);

		list_remove(&t->link);
		t->run(t);
	}
}

/* The tasks that were put off to this turn, and none that they put off again. */
static void run_next_turn(struct loop *l)
{
	struct list now;

	list_init(&now);
	while (!list_empty(&l->next_turn)) {
		struct list *node = l->next_turn.next;

		list_remove(node);
		list_push_back(&now, node);
	}
	run_tasks(&now);
}

static int turn(struct loop *l)
{
	/* `deferred` is only filled here before the loop runs: work of the start-up. */
	bool busy = !list_empty(&l->next_turn) || !list_empty(&l->deferred);
	uint64_t wait = busy ? 0 : wheel_next_ms(&l->wheel, loop_now_ms(l), 60 * MS_PER_S);
	int n = epoll_wait(l->epfd, l->batch, BATCH, (int)wait);

	if (n < 0 && errno != EINTR)
		return -errno;
	l->now_ns = clock_mono_ns();
	l->batch_at = 0;
	l->batch_len = MAX(n, 0);
	if (n > 0)
		l->wakeups++;
	while (l->batch_at < l->batch_len) {
		struct epoll_event *ev = &l->batch[l->batch_at++];
		struct source *s = ev->data.ptr;

		if (s)
			s->on_ready(s, ev->events);
	}
	run_next_turn(l);
	wheel_advance(&l->wheel, loop_now_ms(l));
	run_tasks(&l->deferred);
	return 0;
}

int loop_run(struct loop *l)
{
	int err = 0;

	l->stop = false;
	while (!l->stop && !err)
		err = turn(l);
	return err;
}

void loop_stop(struct loop *l)
{
	l->stop = true;
}
