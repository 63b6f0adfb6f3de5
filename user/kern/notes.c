/* The rings that the verdict writes its notes to, one per worker. */
#include "kern/kern.h"

/* What one slot can take in its worker's ring: header and record of the one note that may wait, and of a
 * former stream's that the worker has not got to yet. */
#define NOTE_ROOM (2 * (8 + sizeof(struct sluice_note)))

static uint32_t ring_size(const struct splice *k)
{
	size_t need = MAX((size_t)(k->slots / k->workers + 1) * NOTE_ROOM, (size_t)sysconf(_SC_PAGESIZE));
	uint32_t size = 4096;

	while (size < need && size < 1U << 30)
		size *= 2;
	return size;
}

static int on_note(void *ctx, void *data, size_t size)
{
	struct note_reader *r = ctx;
	const struct sluice_note *n = data;
	struct sluice_ctl *c;

	if (size < sizeof(*n) || n->slot >= r->k->slots || !r->on_note)
		return 0;
	c = &r->k->ctl[n->slot];
	if (c->cookie != n->cookie || c->epoch != n->epoch)
		return 0;
	/* `seen` goes up before the record is looked at: what the verdict passes from now on comes with a new
	 * note. */
	__atomic_store_n(
		&c->seen, __atomic_load_n(&r->k->flows[n->slot].notes, __ATOMIC_ACQUIRE), __ATOMIC_RELEASE);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	r->count++;
	r->on_note(r->ctx, n->slot);
	return 0;
}

int notes_open(struct splice *k, int outer_fd)
{
	uint32_t size = ring_size(k);

	k->rings = calloc(k->workers, sizeof(*k->rings));
	k->ring_fds = malloc(k->workers * sizeof(*k->ring_fds));
	if (!k->rings || !k->ring_fds)
		return -ENOMEM;
	for (uint32_t w = 0; w < k->workers; w++)
		k->ring_fds[w] = -1;
	for (uint32_t w = 0; w < k->workers; w++) {
		struct note_reader *r = &k->rings[w];
		int err;

		k->ring_fds[w] = bpf_map_create(BPF_MAP_TYPE_RINGBUF, "note_ring", 0, 0, size, NULL);
		if (k->ring_fds[w] < 0)
			return -errno;
		err = bpf_map_update_elem(outer_fd, &w, &k->ring_fds[w], BPF_ANY);
		if (err)
			return err;
		r->k = k;
		r->ring = ring_buffer__new(k->ring_fds[w], on_note, r, NULL);
		if (!r->ring)
			return -errno;
	}
	return 0;
}

void notes_close(struct splice *k)
{
	for (uint32_t w = 0; w < k->workers; w++) {
		if (k->rings)
			ring_buffer__free(k->rings[w].ring);
		if (k->ring_fds && k->ring_fds[w] >= 0)
			close(k->ring_fds[w]);
	}
	free(k->rings);
	free(k->ring_fds);
}

int splice_notes_fd(const struct splice *k, uint32_t worker)
{
	return k->ring_fds[worker];
}

int splice_notes_read(struct splice *k, uint32_t worker, void (*on_slot)(void *ctx, uint32_t slot), void *ctx)
{
	struct note_reader *r = &k->rings[worker];

	r->on_note = on_slot;
	r->ctx = ctx;
	r->count = 0;
	ring_buffer__consume(r->ring);
	return r->count;
}

void splice_reap(struct splice *k, uint32_t worker, uint32_t first, uint32_t count)
{
	uint64_t cookie, next;
	bool more = bpf_map_get_next_key(k->slots_fd, NULL, &next) == 0;

	while (more) {
		uint32_t slot;

		cookie = next;
		more = bpf_map_get_next_key(k->slots_fd, &cookie, &next) == 0;
		if (bpf_map_lookup_elem(k->slots_fd, &cookie, &slot) == 0 && slot - first < count)
			bpf_map_delete_elem(k->slots_fd, &cookie);
	}
	for (uint32_t slot = first; slot - first < count && slot < k->slots; slot++) {
		k->ctl[slot].mode = 0;
		k->ctl[slot].cookie = 0;
		k->seats[slot] = (struct seat){0};
	}
	splice_notes_read(k, worker, NULL, NULL);
}
