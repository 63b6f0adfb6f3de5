#include "upstream/sticky.h"
#include "upstream/siphash.h"
#include <sys/mman.h>
#include <sys/random.h>

#define WAYS 8 /* 192 bytes a bucket */
/* An entry's age is only compared with its neighbours': a touch that changes little does not dirty the line.
 */
#define TOUCH_MS 1000

/* `proof` is a keyed hash of session and server both. So a reader that sees the key of one write and the
 * proof of another finds no match, and no lock is needed. */
struct entry {
	uint64_t key; /* of the session */
	uint64_t proof;
	uint64_t used_ms; /* 0: never used */
};

_Static_assert(sizeof(struct entry) == 24, "24 bytes a session");

struct sticky {
	uint64_t k[2];
	size_t buckets; /* power of two */
	size_t bytes;
	struct entry entries[];
};

int sticky_new(size_t entries, struct sticky **ret)
{
	size_t buckets = 1, bytes;
	struct sticky *s;

	if (entries > SIZE_MAX / sizeof(struct entry) / 4)
		return -EINVAL;
	while (buckets * WAYS < entries)
		buckets *= 2;
	bytes = sizeof(*s) + buckets * WAYS * sizeof(struct entry);
	s = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (s == MAP_FAILED)
		return -errno;
	s->buckets = buckets;
	s->bytes = bytes;
	if (getrandom(s->k, sizeof(s->k), 0) != (ssize_t)sizeof(s->k)) {
		int err = -errno;

		munmap(s, bytes);
		return err;
	}
	*ret = s;
	return 0;
}

void sticky_free(struct sticky *s)
{
	if (s)
		munmap(s, s->bytes);
}

static uint64_t load(const uint64_t *p)
{
	return __atomic_load_n(p, __ATOMIC_RELAXED);
}

static void store(uint64_t *p, uint64_t value)
{
	__atomic_store_n(p, value, __ATOMIC_RELAXED);
}

/* The output of one hash keys the next, so that (ab, c) and (a, bc) differ. */
static uint64_t key_of(const struct sticky *s, struct slice scope, struct slice value)
{
	return siphash(s->k[0] ^ siphash(s->k[0], s->k[1], scope), s->k[1], value);
}

static uint64_t proof_of(const struct sticky *s, uint64_t key, struct slice server)
{
	return siphash(s->k[0] ^ key, ~s->k[1], server);
}

static struct entry *bucket_of(struct sticky *s, uint64_t key)
{
	return &s->entries[(key & (s->buckets - 1)) * WAYS];
}

void sticky_put(
	struct sticky *s, struct slice scope, struct slice value, struct slice server, uint64_t now_ms)
{
	uint64_t key = key_of(s, scope, value), proof = proof_of(s, key, server);
	struct entry *bucket = bucket_of(s, key);

	now_ms = MAX(now_ms, (uint64_t)1);
	for (int i = 0; i < WAYS; i++) {
		if (load(&bucket[i].key) == key) { /* known: the server may be a new one */
			store(&bucket[i].proof, proof);
			store(&bucket[i].used_ms, now_ms);
			return;
		}
	}
	/* The claim is the exchange of the oldest entry's time: another worker that wants the same entry
	 * loses it and takes the next oldest. A worker gives up after as many losses as there are entries. */
	for (int tries = 0; tries < WAYS; tries++) {
		struct entry *oldest = bucket;
		uint64_t used = load(&oldest->used_ms);

		for (int i = 1; i < WAYS; i++) {
			uint64_t other = load(&bucket[i].used_ms);

			if (other < used)
				oldest = &bucket[i], used = other;
		}
		if (__atomic_compare_exchange_n(&oldest->used_ms, &used, MAX(now_ms, used + 1), false,
			    __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {
			store(&oldest->key, key);
			store(&oldest->proof, proof);
			return;
		}
	}
}

bool sticky_is(struct sticky *s, struct slice scope, struct slice value, struct slice server, uint64_t now_ms)
{
	uint64_t key = key_of(s, scope, value), proof = proof_of(s, key, server);
	struct entry *bucket = bucket_of(s, key);

	for (int i = 0; i < WAYS; i++) {
		if (load(&bucket[i].key) != key || load(&bucket[i].proof) != proof)
			continue;
		if (now_ms > load(&bucket[i].used_ms) + TOUCH_MS)
			store(&bucket[i].used_ms, now_ms);
		return true;
	}
	return false;
}
