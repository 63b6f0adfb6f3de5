#include "event/wheel.h"

void wheel_init(struct wheel *w, uint64_t now_ms)
{
	memset(w, 0, sizeof(*w));
	for (int level = 0; level < WHEEL_LEVELS; level++)
		for (int slot = 0; slot < WHEEL_SLOTS; slot++)
			list_init(&w->slots[level][slot]);
	w->tick = now_ms / WHEEL_TICK_MS;
}

/* The tick at which a deadline has passed: rounded up, so that a timer is never early. */
static uint64_t due_tick(uint64_t deadline_ms)
{
	return deadline_ms / WHEEL_TICK_MS + (deadline_ms % WHEEL_TICK_MS != 0);
}

void wheel_insert(struct wheel *w, struct timer *t)
{
	uint64_t due = MAX(due_tick(t->deadline_ms), w->tick + 1);
	uint64_t span = (uint64_t)1 << (WHEEL_BITS * WHEEL_LEVELS);
	int level = 0;

	/* Farther than the wheel reaches: park at its end, to be placed again from there. */
	due = MIN(due, w->tick + span - 1);
	while (level < WHEEL_LEVELS - 1 && (due ^ w->tick) >> (WHEEL_BITS * (level + 1)))
		level++;
	unsigned slot = (due >> (WHEEL_BITS * level)) & (WHEEL_SLOTS - 1);
	list_push_back(&w->slots[level][slot], &t->link);
	w->occupied[level] |= (uint64_t)1 << slot;
}

/* Moves a slot's timers to `to`, which then can be walked while callbacks stop or start timers. */
static void take_slot(struct wheel *w, int level, unsigned slot, struct list *to)
{
	struct list *from = &w->slots[level][slot];

	list_init(to);
	w->occupied[level] &= ~((uint64_t)1 << slot);
	if (list_empty(from))
		return;
	to->next = from->next;
	to->prev = from->prev;
	to->next->prev = to;
	to->prev->next = to;
	list_init(from);
}

static void spread(struct wheel *w, int level)
{
	struct list due;

	take_slot(w, level, (w->tick >> (WHEEL_BITS * level)) & (WHEEL_SLOTS - 1), &due);
	while (!list_empty(&due)) {
		struct timer *t = list_first(&due, struct timer, link);

		list_remove(&t->link);
		/* Due at this very tick: the level-0 slot is run right after this. */
		if (due_tick(t->deadline_ms) <= w->tick) {
			unsigned slot = w->tick & (WHEEL_SLOTS - 1);

			list_push_back(&w->slots[0][slot], &t->link);
			w->occupied[0] |= (uint64_t)1 << slot;
		} else {
			wheel_insert(w, t);
		}
	}
}

static void run_slot(struct wheel *w)
{
	struct list due;

	take_slot(w, 0, w->tick & (WHEEL_SLOTS - 1), &due);
	while (!list_empty(&due)) {
		struct timer *t = list_first(&due, struct timer, link);

		list_remove(&t->link);
		t->deadline_ms = 0;
		t->on_fire(t);
	}
}

/* The first tick after the current one at which a slot is spread out or run; UINT64_MAX: none. */
static uint64_t next_tick(const struct wheel *w)
{
	uint64_t best = UINT64_MAX;

	for (int level = 0; level < WHEEL_LEVELS; level++) {
		unsigned shift = (unsigned)(WHEEL_BITS * level);
		unsigned at = (w->tick >> shift) & (WHEEL_SLOTS - 1);
		uint64_t bits = w->occupied[level];

		if (!bits)
			continue;
		/* Rotate so that bit 0 is the slot after the current one. */
		unsigned turn = (at + 1) & (WHEEL_SLOTS - 1);
		bits = turn ? (bits >> turn) | (bits << (WHEEL_SLOTS - turn)) : bits;
		uint64_t ahead = (uint64_t)__builtin_ctzll(bits) + 1;
		best = MIN(best, ((w->tick >> shift) + ahead) << shift);
	}
	return best;
}

void wheel_advance(struct wheel *w, uint64_t now_ms)
{
	uint64_t now = now_ms / WHEEL_TICK_MS;

	while (w->tick < now) {
		/* Straight over the ticks that have nothing: a sleep of a minute is not 15,000 steps. */
		w->tick = MIN(next_tick(w), now);
		for (int level = WHEEL_LEVELS - 1; level > 0; level--)
			if ((w->tick & (((uint64_t)1 << (WHEEL_BITS * level)) - 1)) == 0)
				spread(w, level);
		run_slot(w);
	}
}

uint64_t wheel_next_ms(const struct wheel *w, uint64_t now_ms, uint64_t max_ms)
{
	uint64_t next = next_tick(w);

	if (next == UINT64_MAX)
		return max_ms;
	if (next <= now_ms / WHEEL_TICK_MS)
		return 0;
	return MIN(max_ms, next * WHEEL_TICK_MS - now_ms);
}
