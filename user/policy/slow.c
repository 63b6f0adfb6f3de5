#include "policy/slow.h"
#include <stdio.h>

/* The ring holds records, oldest first: a header, then that many bytes. A header with GAP set has no bytes
 * behind it and says how many events are missing at this place. Order in the ring: what is left of the event
 * being sent (its header is gone), the whole records, the event that is being received. Drops happen right
 * behind the event being sent, so their number
 * (`missing`) needs no record; only an oversized event that is dropped behind older ones leaves one. */
#define HEADER sizeof(uint32_t)
#define GAP    0x80000000u
#define NO_GAP SIZE_MAX

struct event_queue {
	size_t max;  /* bytes of one event */
	size_t cap;  /* of ring */
	size_t head; /* the oldest byte */
	size_t used;
	size_t sending;	  /* bytes left of the event that was begun to be sent */
	size_t records;	  /* whole ones behind it */
	size_t receiving; /* bytes so far of the event being received */
	size_t last_gap;  /* where the newest record is, if that is a gap; else NO_GAP */
	size_t payload;	  /* bytes of events held */
	uint64_t missing; /* events dropped that no comment tells of yet */
	uint64_t dropped, times;
	size_t note_n, note_sent;
	bool open;	 /* an event is being received, its header is in the ring */
	bool skipping;	 /* the rest of a dropped event is coming in */
	bool note_shown; /* the last peek gave the comment */
	char note[48];	 /* the comment; fixed once a byte of it is out */
	char ring[];
};

int event_queue_new(size_t max, struct event_queue **ret)
{
	struct event_queue *q;
	size_t cap;

	if (max < 4096 || max >= GAP)
		return -EINVAL;
	cap = max + 2 * HEADER; /* an event of `max` bytes fits, with a gap's record before it */
	q = malloc(sizeof(*q) + cap);
	if (!q)
		return -ENOMEM;
	memset(q, 0, sizeof(*q));
	q->max = max;
	q->cap = cap;
	q->last_gap = NO_GAP;
	*ret = q;
	return 0;
}

void event_queue_free(struct event_queue *q)
{
	free(q);
}

static size_t at(const struct event_queue *q, size_t pos, size_t n)
{
	size_t p = pos + n;

	return p >= q->cap ? p - q->cap : p;
}

static void ring_write(struct event_queue *q, size_t pos, const void *from, size_t n)
{
	size_t first = MIN(n, q->cap - pos);

	memcpy(q->ring + pos, from, first);
	memcpy(q->ring, (const char *)from + first, n - first);
}

static uint32_t header_read(const struct event_queue *q, size_t pos)
{
	uint32_t header;
	size_t first = MIN(HEADER, q->cap - pos);

	memcpy(&header, q->ring + pos, first);
	memcpy((char *)&header + first, q->ring, HEADER - first);
	return header;
}

static void header_write(struct event_queue *q, size_t pos, uint32_t header)
{
	ring_write(q, pos, &header, HEADER);
}

static size_t room(const struct event_queue *q)
{
	return q->cap - q->used;
}

static void count_drop(struct event_queue *q)
{
	if (q->missing++ == 0)
		q->times++;
	q->dropped++;
}

/* Takes the oldest whole record, which begins at `pos`, out of the books; its bytes are still in the ring. */
static size_t record_forget(struct event_queue *q, size_t pos)
{
	uint32_t header = header_read(q, pos);

	q->records--;
	if (q->last_gap == pos)
		q->last_gap = NO_GAP;
	if (header & GAP) { /* counted when it was made */
		q->missing += header & ~GAP;
		return HEADER;
	}
	count_drop(q);
	q->payload -= header;
	return HEADER + header;
}

/* Moves the rest of the event being sent `by` bytes on, over the records that were dropped behind it. The
 * places overlap and either may wrap: last piece first. */
static void sending_move(struct event_queue *q, size_t by)
{
	size_t left = q->sending;

	while (left) {
		size_t from_end = at(q, q->head, left), to_end = at(q, from_end, by), n;

		from_end = from_end ? from_end : q->cap;
		to_end = to_end ? to_end : q->cap;
		n = MIN(left, MIN(from_end, to_end));
		memmove(q->ring + to_end - n, q->ring + from_end - n, n);
		left -= n;
	}
}

/* Drops the oldest whole events until `need` bytes are free or none is left. Behind a large event being sent
 * it drops a little more at once, so that moving that event costs at most 8 bytes per byte made free. */
static void make_room(struct event_queue *q, size_t need)
{
	size_t pos = at(q, q->head, q->sending), freed = 0;

	while (q->records && (room(q) + freed < need || freed < q->sending / 8)) {
		size_t n = record_forget(q, pos);

		pos = at(q, pos, n);
		freed += n;
	}
	sending_move(q, freed);
	q->head = at(q, q->head, freed);
	q->used -= freed;
}

/* The event being received cannot be kept: forgets it and leaves word of that at its place. */
static void drop_newest(struct event_queue *q)
{
	if (q->open) {
		q->used -= HEADER + q->receiving;
		q->payload -= q->receiving;
		q->open = false;
		q->receiving = 0;
	}
	if (q->records && q->last_gap == NO_GAP && room(q) < HEADER)
		make_room(q, HEADER);
	if (!q->records) {
		count_drop(q);
		return;
	}
	q->dropped++;
	if (q->last_gap != NO_GAP) {
		uint32_t header = header_read(q, q->last_gap);

		if (header != UINT32_MAX)
			header_write(q, q->last_gap, header + 1);
		return;
	}
	q->times++;
	q->last_gap = at(q, q->head, q->used);
	header_write(q, q->last_gap, GAP | 1);
	q->used += HEADER;
	q->records++;
}

static void receive(struct event_queue *q, struct slice bytes)
{
	if (!q->open) {
		q->open = true;
		q->receiving = 0;
		q->used += HEADER;
	}
	ring_write(q, at(q, q->head, q->used), bytes.p, bytes.n);
	q->used += bytes.n;
	q->receiving += bytes.n;
	q->payload += bytes.n;
}

void event_queue_push(struct event_queue *q, struct slice bytes, bool ends)
{
	size_t own = q->open ? HEADER + q->receiving : 0;
	size_t need = bytes.n + (q->open ? 0 : HEADER);

	if (q->skipping) {
		q->skipping = !ends;
		return;
	}
	if (!q->open && !bytes.n)
		return;
	/* Too large, or no drop of others would make it fit. */
	if (bytes.n > q->max - q->receiving || need > q->cap - q->sending - own) {
		drop_newest(q);
		q->skipping = !ends;
		return;
	}
	if (need > room(q))
		make_room(q, need);
	receive(q, bytes);
	if (!ends)
		return;
	header_write(q, at(q, q->head, q->used - q->receiving - HEADER), (uint32_t)q->receiving);
	q->open = false;
	q->receiving = 0;
	q->records++;
	q->last_gap = NO_GAP;
}

/* The comment is due when the event before it is out and no part of it was sent yet. */
static void note_prepare(struct event_queue *q)
{
	while (q->records) { /* gap records that have come to the front */
		uint32_t header = header_read(q, q->head);

		if (!(header & GAP))
			break;
		record_forget(q, q->head);
		q->head = at(q, q->head, HEADER);
		q->used -= HEADER;
	}
	if (q->missing)
		q->note_n = (size_t)snprintf(q->note, sizeof(q->note), ": dropped %llu events\n\n",
			(unsigned long long)q->missing);
}

struct slice event_queue_peek(struct event_queue *q)
{
	size_t pos, n;

	q->note_shown = false;
	if (!q->sending) {
		if (!q->note_sent)
			note_prepare(q);
		if (q->note_n) {
			q->note_shown = true;
			return (struct slice){q->note + q->note_sent, q->note_n - q->note_sent};
		}
		if (!q->records)
			return (struct slice){NULL, 0};
	}
	pos = q->sending ? q->head : at(q, q->head, HEADER);
	n = q->sending ? q->sending : header_read(q, q->head);
	return (struct slice){q->ring + pos, MIN(n, q->cap - pos)};
}

static void note_pop(struct event_queue *q, size_t n)
{
	if (n && !q->note_sent)
		q->missing = 0; /* told; later drops get a comment of their own */
	q->note_sent += n;
	if (q->note_sent == q->note_n)
		q->note_n = q->note_sent = 0;
}

void event_queue_pop(struct event_queue *q, size_t n)
{
	if (!n)
		return;
	if (q->note_shown) {
		note_pop(q, n);
		return;
	}
	if (!q->sending) { /* begun with this byte */
		q->sending = header_read(q, q->head);
		q->head = at(q, q->head, HEADER);
		q->used -= HEADER;
		q->records--;
	}
	q->head = at(q, q->head, n);
	q->used -= n;
	q->sending -= n;
	q->payload -= n;
}

size_t event_queue_bytes(const struct event_queue *q)
{
	return q->payload;
}

bool event_queue_idle(const struct event_queue *q)
{
	return !q->used && !q->skipping && !q->missing && !q->note_n;
}

uint64_t event_queue_dropped(const struct event_queue *q, uint64_t *ret_times)
{
	if (ret_times)
		*ret_times = q->times;
	return q->dropped;
}
