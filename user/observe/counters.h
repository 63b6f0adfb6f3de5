/* The rows of include/sluice/counters.h, put together for whoever reads them. */
#ifndef SLUICE_OBSERVE_COUNTERS_H
#define SLUICE_OBSERVE_COUNTERS_H

#include "base/util.h"
#include "sluice/counters.h"

/* The sum of `count` rows into *ret; each number is read once. */
void counters_sum(const struct sluice_counters *rows, uint32_t count, struct sluice_counters *ret);
/* h's values in all. */
uint64_t histogram_count(const struct sluice_histogram *h);

#endif
