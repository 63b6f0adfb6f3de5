#include "observe/slots.h"

void slots_range(const struct slot_table *t, uint32_t worker, uint32_t workers, uint32_t *ret_first,
	uint32_t *ret_count)
{
	*ret_first = (uint32_t)((uint64_t)t->count * worker / workers);
	*ret_count = (uint32_t)((uint64_t)t->count * (worker + 1) / workers) - *ret_first;
}

/* Everything but the turn: whoever looks at this moment must not take the slot for one that never was in use.
 */
static void clear(struct sluice_ctl *c)
{
	const size_t behind = offsetof(struct sluice_ctl, turn) + sizeof(c->turn);

	c->id = 0;
	memset((char *)c + behind, 0, sizeof(*c) - behind);
}

/* What a dead predecessor left. The lowest free slot is always taken first, so behind the first one that
 * never was in use there is no other: the rest of the memory is not looked at, and so never comes into being.
 */
static void wipe_used(struct slots *s)
{
	struct sluice_ctl *c = &s->table->records[s->first], *end = c + s->count;

	for (; c < end && slot_was_used(c); c++) {
		if (c->id)
			s->next_id = MAX(s->next_id, (c->id & 0xffffffffffffULL) + 1);
		if (!(c->turn & 1)) /* odd: it died while writing */
			ctl_begin(c);
		clear(c);
		ctl_end(c);
	}
}

int slots_init(struct slots *s, struct slot_table *t, uint32_t worker, uint32_t workers)
{
	uint32_t end;

	*s = (struct slots){.table = t, .worker = worker};
	slots_range(t, worker, workers, &s->first, &s->count);
	end = s->first + s->count;
	/* A restarted worker must not repeat its predecessor's ids; the worker's number keeps the ranges
	 * apart. */
	s->next_id = 1;
	s->free = calloc(MAX(s->count, 1U), sizeof(*s->free));
	if (!s->free)
		return -ENOMEM;
	for (uint32_t i = 0; i < s->count; i++)
		s->free[s->nfree++] = end - 1 - i;
	wipe_used(s);
	return 0;
}

void slots_done(struct slots *s)
{
	free(s->free);
	s->free = NULL;
	s->nfree = 0;
}

struct sluice_ctl *slots_take(struct slots *s)
{
	struct sluice_ctl *c;

	if (!s->nfree)
		return NULL;
	c = &s->table->records[s->free[--s->nfree]];
	clear(c);
	c->worker = s->worker;
	c->id = ((uint64_t)s->worker << 48) | s->next_id++;
	return c;
}

void slots_give(struct slots *s, struct sluice_ctl *c)
{
	if (!c)
		return;
	ctl_begin(c);
	c->id = 0;
	ctl_end(c);
	s->free[s->nfree++] = slots_number(s, c);
}

uint32_t slots_number(const struct slots *s, const struct sluice_ctl *c)
{
	return (uint32_t)(c - s->table->records);
}

bool ctl_read(const struct sluice_ctl *c, struct sluice_ctl *ret)
{
	for (int tries = 0; tries < 64; tries++) {
		uint32_t turn = __atomic_load_n(&c->turn, __ATOMIC_ACQUIRE);

		if (turn & 1)
			continue;
		memcpy(ret, c, sizeof(*ret));
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
		if (__atomic_load_n(&c->turn, __ATOMIC_RELAXED) == turn)
			return ret->id != 0;
	}
	return false;
}
