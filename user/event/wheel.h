/* Hierarchical timer wheel, 4 ms a tick: start and stop are O(1), so a stream can carry several deadlines.
 * Private to event/. */
#ifndef SLUICE_EVENT_WHEEL_H
#define SLUICE_EVENT_WHEEL_H

#include "event/loop.h"

#define WHEEL_LEVELS  5
#define WHEEL_BITS    6
#define WHEEL_SLOTS   (1 << WHEEL_BITS)
#define WHEEL_TICK_MS 4 /* 5 levels x 6 bits x 4 ms = 49 days */

struct wheel {
	struct list slots[WHEEL_LEVELS][WHEEL_SLOTS];
	uint64_t occupied[WHEEL_LEVELS]; /* a bit per slot that may hold timers */
	uint64_t tick;			 /* the last tick that was run */
};

void wheel_init(struct wheel *w, uint64_t now_ms);
void wheel_insert(struct wheel *w, struct timer *t);
/* Fires all that is due at `now_ms`. */
void wheel_advance(struct wheel *w, uint64_t now_ms);
/* Milliseconds until something may be due, at most `max_ms`. A higher level's slot counts from when it is
 * spread out, so this can be early, never late. */
uint64_t wheel_next_ms(const struct wheel *w, uint64_t now_ms, uint64_t max_ms);

#endif
