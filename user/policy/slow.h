/* The queue of a slow client under policy `drop`: whole events in one ring of fixed size, oldest dropped
 * first. Allocated only while a client lags; no allocation per event. Owned by one stream. */
#ifndef SLUICE_POLICY_SLOW_H
#define SLUICE_POLICY_SLOW_H

#include "base/slice.h"

struct event_queue;

/* `max` bytes of events (>= 4 KiB). */
must_check int event_queue_new(size_t max, struct event_queue **ret);
void event_queue_free(struct event_queue *q);

/* Appends bytes of the event that is being received; `ends` when its blank line is in them. Makes room by
 * dropping the oldest whole events that were not begun to be sent; an event larger than the queue is itself
 * dropped whole. Never fails. */
void event_queue_push(struct event_queue *q, struct slice bytes, bool ends);
/* The next bytes to send: parts of one whole event, or the comment ": dropped N events\n\n" where events are
 * missing. n == 0: nothing complete is queued. Valid until the next call on q. */
struct slice event_queue_peek(struct event_queue *q);
/* `n` bytes of the last peek went out. */
void event_queue_pop(struct event_queue *q, size_t n);
/* Bytes held. */
size_t event_queue_bytes(const struct event_queue *q);
/* Nothing is queued and no event is half received: the plain path may be taken again. */
bool event_queue_idle(const struct event_queue *q);
/* Events dropped so far, and how often a drop began. */
uint64_t event_queue_dropped(const struct event_queue *q, uint64_t *ret_times);

#endif
