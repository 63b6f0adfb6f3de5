/* Histograms of counters.h: where a value goes, and the bounds for whoever shows them. A handful of
 * instructions, no division, no lock: the row has one writer. */
#ifndef SLUICE_OBSERVE_HISTOGRAM_H
#define SLUICE_OBSERVE_HISTOGRAM_H

#include "base/util.h"
#include "sluice/counters.h"

struct histogram_bounds {
	const uint64_t *values; /* inclusive upper bounds, ascending, in nanoseconds or bytes */
	unsigned count;
	bool seconds; /* shown in seconds */
};

/* bounds_of_ID for each histogram of counters.def. */
#define HISTOGRAM(id, bounds, family, help) extern const struct histogram_bounds bounds_of_##id;
#include "sluice/counters.def"

static inline void histogram_add(struct sluice_histogram *h, const struct histogram_bounds *b, uint64_t value)
{
	unsigned i = 0;

	while (i < b->count && value > b->values[i])
		i++;
	h->bucket[i]++;
	h->sum += value;
}

/* HISTOGRAM_ADD(env->totals, time_to_head, ns) */
#define HISTOGRAM_ADD(counters, id, value) histogram_add(&(counters)->id, &bounds_of_##id, value)

#endif
