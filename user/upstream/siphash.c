#include "upstream/siphash.h"
#include <endian.h>

static uint64_t rotl(uint64_t x, int by)
{
	return (x << by) | (x >> (64 - by));
}

static void rounds(uint64_t v[4], int n)
{
	while (n--) {
		v[0] += v[1];
		v[2] += v[3];
		v[1] = rotl(v[1], 13) ^ v[0];
		v[3] = rotl(v[3], 16) ^ v[2];
		v[0] = rotl(v[0], 32);
		v[2] += v[1];
		v[0] += v[3];
		v[1] = rotl(v[1], 17) ^ v[2];
		v[3] = rotl(v[3], 21) ^ v[0];
		v[2] = rotl(v[2], 32);
	}
}

static void take(uint64_t v[4], uint64_t word)
{
	v[3] ^= word;
	rounds(v, 2);
	v[0] ^= word;
}

uint64_t siphash(uint64_t k0, uint64_t k1, struct slice s)
{
	uint64_t v[4] = {k0 ^ 0x736f6d6570736575ULL, k1 ^ 0x646f72616e646f6dULL, k0 ^ 0x6c7967656e657261ULL,
		k1 ^ 0x7465646279746573ULL};
	uint64_t last = (uint64_t)s.n << 56, word;
	size_t at = 0;

	for (; s.n - at >= 8; at += 8) {
		memcpy(&word, s.p + at, 8);
		take(v, le64toh(word));
	}
	for (size_t i = 0; at + i < s.n; i++)
		last |= (uint64_t)(unsigned char)s.p[at + i] << (8 * i);
	take(v, last);
	v[2] ^= 0xff;
	rounds(v, 4);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}
