/* A log-linear histogram of nanoseconds: exact below 256, then 128 steps per power of two up to 2^64, so that
 * any value is off by at most 0.4 % and the tail cannot fall off the end. No allocation, fixed size, adds up
 * across processes; one writer. */
#ifndef SLUICE_BENCH_HIST_H
#define SLUICE_BENCH_HIST_H

#include "base/util.h"

#define HIST_SUB_BITS 7
#define HIST_SUB      (1 << HIST_SUB_BITS) /* steps per power of two */
#define HIST_CELLS    ((64 - HIST_SUB_BITS + 1) * HIST_SUB)

struct hist {
	uint64_t count;
	uint64_t min, max; /* exact; both 0 while count is 0 */
	uint64_t cells[HIST_CELLS];
};

void hist_add(struct hist *h, uint64_t value);
/* Adds all of `from` to `to`. */
void hist_merge(struct hist *to, const struct hist *from);
/* The value that a share `q` (0..1) of all values do not exceed: the middle of its cell, within [min, max]. 0
 * when empty. */
uint64_t hist_quantile(const struct hist *h, double q);
/* Number of the cell that counts `value`. */
unsigned hist_cell(uint64_t value);
/* The smallest value of a cell. */
uint64_t hist_cell_low(unsigned cell);

#endif
