/* The table of live streams: one `struct sluice_ctl` per slot, in memory that the master makes before it
 * forks and that every process sees (the BPF map `ctl` when the splice lane is loaded, observe/state.h
 * otherwise). Each worker owns a range and is the only one to take, write and give back slots in it.
 */
#ifndef SLUICE_OBSERVE_SLOTS_H
#define SLUICE_OBSERVE_SLOTS_H

#include "base/util.h"
#include "sluice/ctl.h"

struct slot_table {
	struct sluice_ctl *records;
	uint32_t count; /* of all workers */
};

/* One worker's range. */
struct slots {
	struct slot_table *table;
	uint32_t first, count;
	uint32_t *free; /* stack of slot numbers */
	uint32_t nfree;
	uint64_t next_id;
	uint32_t worker;
};

/* Which slots are whose. */
void slots_range(const struct slot_table *t, uint32_t worker, uint32_t workers, uint32_t *ret_first,
	uint32_t *ret_count);
/* The range of `worker` of `workers`; what a dead predecessor left in it is wiped. -ENOMEM. */
must_check int slots_init(struct slots *s, struct slot_table *t, uint32_t worker, uint32_t workers);
void slots_done(struct slots *s);
/* A zeroed record with id and worker set, or NULL when the range is full. */
struct sluice_ctl *slots_take(struct slots *s);
void slots_give(struct slots *s, struct sluice_ctl *c);
uint32_t slots_number(const struct slots *s, const struct sluice_ctl *c);

/* Writers of the text and turn fields bracket their stores, so that readers can tell a torn record. */
static inline void ctl_begin(struct sluice_ctl *c)
{
	__atomic_store_n(&c->turn, c->turn + 1, __ATOMIC_RELEASE);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

static inline void ctl_end(struct sluice_ctl *c)
{
	__atomic_store_n(&c->turn, c->turn + 1, __ATOMIC_RELEASE);
}

/* Behind a worker's first slot that never was there are no others, because it takes the lowest free one: who
 * stops there lets memory that nobody has needed yet not come into being by being looked at. */
static inline bool slot_was_used(const struct sluice_ctl *c)
{
	return __atomic_load_n(&c->id, __ATOMIC_RELAXED) || __atomic_load_n(&c->turn, __ATOMIC_RELAXED);
}

/* A consistent copy of a record; false when the slot is free or kept changing. */
bool ctl_read(const struct sluice_ctl *c, struct sluice_ctl *ret);

#endif
