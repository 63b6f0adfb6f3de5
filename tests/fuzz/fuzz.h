/* What the fuzz targets share: an assertion that stays in every build, and cuts that depend on the input
 * alone. */
#ifndef SLUICE_TESTS_FUZZ_H
#define SLUICE_TESTS_FUZZ_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define must(what)                                                                                           \
	do {                                                                                                 \
		if (!(what)) {                                                                               \
			fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #what);            \
			abort();                                                                             \
		}                                                                                            \
	} while (0)

/* A run of numbers that is the same for the same input, so that every crash repeats. */
struct cuts {
	uint64_t state;
};

static inline struct cuts cuts_of(const uint8_t *data, size_t size)
{
	struct cuts c = {0xcbf29ce484222325ULL ^ size};

	for (size_t i = 0; i < size && i < 64; i++)
		c.state = (c.state ^ data[i]) * 0x100000001b3ULL;
	return c;
}

/* The length of the next piece: 1 to max, and no more than what is left. */
static inline size_t cuts_next(struct cuts *c, size_t max, size_t left)
{
	size_t len;

	c->state = c->state * 6364136223846793005ULL + 1442695040888963407ULL;
	len = 1 + (size_t)(c->state >> 33) % max;
	return len < left ? len : left;
}

/* A copy of exactly n bytes: reading one too far is caught. */
static inline char *exact_copy(const void *p, size_t n)
{
	char *copy = malloc(n ? n : 1);

	must(copy);
	if (n)
		memcpy(copy, p, n);
	return copy;
}

#endif
