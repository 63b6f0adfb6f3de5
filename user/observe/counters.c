#include "observe/counters.h"

_Static_assert(sizeof(struct sluice_counters) % sizeof(uint64_t) == 0, "counters only");

void counters_sum(const struct sluice_counters *rows, uint32_t count, struct sluice_counters *ret)
{
	uint64_t *to = (uint64_t *)ret;

	memset(ret, 0, sizeof(*ret));
	for (uint32_t row = 0; row < count; row++) {
		const uint64_t *from = (const uint64_t *)&rows[row];

		for (size_t i = 0; i < sizeof(*ret) / sizeof(*to); i++)
			to[i] += __atomic_load_n(&from[i], __ATOMIC_RELAXED);
	}
}

uint64_t histogram_count(const struct sluice_histogram *h)
{
	uint64_t n = 0;

	for (size_t i = 0; i < ARRAY_LEN(h->bucket); i++)
		n += h->bucket[i];
	return n;
}
