#include "view/private.h"
#include "base/clock.h"
#include "observe/merge.h"
#include "observe/slots.h"
#include <sched.h>

#define PATIENCE 100 /* times that the writer of a record gets the CPU before the stream is left out */

/* Goes through the slots that hold a stream, each worker's to the first that never was in use. */
struct walk {
	uint32_t worker; /* the next one */
	uint32_t next, end;
};

static bool walk_next(const struct view *v, struct walk *w, uint32_t *ret_slot)
{
	const struct slot_table table = {.count = v->about.slots};
	uint32_t n;

	for (;;) {
		while (w->next < w->end && slot_was_used(&v->ctl[w->next])) {
			*ret_slot = w->next++;
			if (__atomic_load_n(&v->ctl[*ret_slot].id, __ATOMIC_RELAXED))
				return true;
		}
		if (w->worker >= v->about.workers)
			return false;
		slots_range(&table, w->worker++, v->about.workers, &w->next, &n);
		w->end = w->next + n;
	}
}

/* A whole copy of both halves, or false: the slot is free. */
static bool record_read(const struct view *v, uint32_t slot, struct view_stream *s)
{
	const struct sluice_ctl *c = &v->ctl[slot];

	for (int i = 0; i < PATIENCE; i++) {
		uint32_t turn = __atomic_load_n(&c->turn, __ATOMIC_ACQUIRE);

		if (!__atomic_load_n(&c->id, __ATOMIC_RELAXED))
			return false;
		if (ctl_read(c, &s->c)) {
			if (v->flows)
				s->f = v->flows[slot];
			__atomic_thread_fence(__ATOMIC_ACQUIRE);
			/* The end of a stream adds the kernel's counts to the record: no mix of before and
			 * after. */
			if (__atomic_load_n(&c->turn, __ATOMIC_RELAXED) == s->c.turn)
				return true;
		}
		if (turn & 1)
			sched_yield();
	}
	return false;
}

static void finish(const struct view *v, struct view_stream *s, uint32_t slot, uint64_t now_ns)
{
	s->slot = slot;
	s->spliced = v->flows && merge_is_live(&s->c, &s->f);
	if (s->spliced)
		merge_flow(&s->c, &s->f, now_ns);
	else
		memset(&s->f, 0, sizeof(s->f));
}

static int grow(struct view_shot *shot)
{
	size_t cap = shot->cap ? shot->cap * 2 : 256;
	struct view_stream *p = realloc(shot->streams, cap * sizeof(*p));

	if (!p)
		return -ENOMEM;
	shot->streams = p;
	shot->cap = cap;
	return 0;
}

int view_snapshot(const struct view *v, struct view_shot *shot)
{
	struct walk walk = {0};
	uint32_t slot;

	shot->n = 0;
	shot->now_ns = clock_mono_ns();
	while (walk_next(v, &walk, &slot)) {
		if (shot->n == shot->cap && grow(shot))
			return -ENOMEM;
		if (!record_read(v, slot, &shot->streams[shot->n]))
			continue;
		finish(v, &shot->streams[shot->n], slot, shot->now_ns);
		shot->n++;
	}
	return 0;
}

void view_shot_done(struct view_shot *shot)
{
	free(shot->streams);
	*shot = (struct view_shot){0};
}

bool view_stream(const struct view *v, uint64_t id, struct view_stream *ret)
{
	struct walk walk = {0};
	uint32_t slot;

	while (id && walk_next(v, &walk, &slot)) {
		if (__atomic_load_n(&v->ctl[slot].id, __ATOMIC_RELAXED) != id)
			continue;
		if (!record_read(v, slot, ret) || ret->c.id != id)
			return false;
		finish(v, ret, slot, clock_mono_ns());
		return true;
	}
	return false;
}
