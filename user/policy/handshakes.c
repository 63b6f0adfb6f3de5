#include "policy/handshakes.h"
#include "base/rng.h"

/* Sets of WAYS: a source is looked for in one set only, and takes the place there of the one that lost least
 * by being forgotten. An attacker cannot aim at a set, the hash is seeded. 4,096 sources take 96 KiB. */
#define SETS 512
#define WAYS 8
#define ONE  1000U /* thousandths of a handshake: rate a second is rate thousandths a millisecond */

struct bucket {
	uint64_t source; /* 0: free */
	uint64_t at_ms;
	uint64_t tokens; /* thousandths, at `at_ms` */
};

struct handshakes {
	unsigned rate;
	uint64_t full; /* thousandths */
	uint64_t seed;
	struct bucket sets[SETS][WAYS];
};

int handshakes_new(unsigned rate, unsigned burst, struct handshakes **ret)
{
	struct handshakes *h = calloc(1, sizeof(*h));

	if (!h)
		return -ENOMEM;
	h->seed = rng_next();
	handshakes_set(h, rate, burst);
	*ret = h;
	return 0;
}

void handshakes_free(struct handshakes *h)
{
	free(h);
}

void handshakes_set(struct handshakes *h, unsigned rate, unsigned burst)
{
	h->rate = rate;
	h->full = (uint64_t)burst * ONE;
}

/* An IPv4 address where no IPv6 source can be (ffff::/16 is multicast), with ::ffff:a.b.c.d being the same.
 * Never 0. */
static uint64_t source_of(const struct sockaddr_any *a)
{
	uint32_t v4;
	uint64_t v6;

	if (a->sa.sa_family == AF_INET)
		return 0xffff000000000000ULL | a->in4.sin_addr.s_addr;
	if (IN6_IS_ADDR_V4MAPPED(&a->in6.sin6_addr)) {
		memcpy(&v4, &a->in6.sin6_addr.s6_addr[12], sizeof(v4));
		return 0xffff000000000000ULL | v4;
	}
	memcpy(&v6, &a->in6.sin6_addr, sizeof(v6));
	return v6 ? v6 : 1;
}

/* The finalizer of MurmurHash3. */
static uint64_t mix(uint64_t x)
{
	x = (x ^ x >> 33) * 0xff51afd7ed558ccdULL;
	x = (x ^ x >> 33) * 0xc4ceb9fe1a85ec53ULL;
	return x ^ x >> 33;
}

static uint64_t tokens_now(const struct handshakes *h, const struct bucket *b, uint64_t now_ms)
{
	uint64_t gained;

	if (!b->source || __builtin_mul_overflow(now_ms - b->at_ms, (uint64_t)h->rate, &gained))
		return h->full;
	return MIN(b->tokens + MIN(gained, h->full), h->full);
}

/* The source's bucket, or the fullest of its set, emptied for it. */
static struct bucket *find(struct handshakes *h, uint64_t source, uint64_t now_ms)
{
	struct bucket *set = h->sets[mix(source ^ h->seed) % SETS], *best = set;

	for (size_t i = 0; i < WAYS; i++) {
		if (set[i].source == source)
			return &set[i];
		if (tokens_now(h, &set[i], now_ms) > tokens_now(h, best, now_ms))
			best = &set[i];
	}
	*best = (struct bucket){.source = source, .at_ms = now_ms, .tokens = h->full};
	return best;
}

bool handshakes_take(struct handshakes *h, const struct sockaddr_any *source, uint64_t now_ms)
{
	struct bucket *b;

	if (!h->rate || source->sa.sa_family == AF_UNIX)
		return true;
	b = find(h, source_of(source), now_ms);
	b->tokens = tokens_now(h, b, now_ms);
	b->at_ms = now_ms;
	if (b->tokens < ONE)
		return false;
	b->tokens -= ONE;
	return true;
}
