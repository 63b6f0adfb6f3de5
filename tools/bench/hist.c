#include "hist.h"

/* A value of k bits keeps its top HIST_SUB_BITS + 1 bits; the rest only chooses nothing. Cells of one power
 * of two lie side by side: the first 2 * HIST_SUB values have a cell each. */
unsigned hist_cell(uint64_t value)
{
	unsigned bits = value ? 64 - (unsigned)__builtin_clzll(value) : 0;
	unsigned shift = bits > HIST_SUB_BITS + 1 ? bits - HIST_SUB_BITS - 1 : 0;

	return shift * HIST_SUB + (unsigned)(value >> shift);
}

uint64_t hist_cell_low(unsigned cell)
{
	unsigned shift = cell < 2 * HIST_SUB ? 0 : cell / HIST_SUB - 1;

	return (uint64_t)(cell - shift * HIST_SUB) << shift;
}

void hist_add(struct hist *h, uint64_t value)
{
	if (!h->count || value < h->min)
		h->min = value;
	if (value > h->max)
		h->max = value;
	h->count++;
	h->cells[hist_cell(value)]++;
}

void hist_merge(struct hist *to, const struct hist *from)
{
	if (!from->count)
		return;
	to->min = to->count ? MIN(to->min, from->min) : from->min;
	to->max = MAX(to->max, from->max);
	to->count += from->count;
	for (unsigned i = 0; i < HIST_CELLS; i++)
		to->cells[i] += from->cells[i];
}

static uint64_t cell_middle(unsigned cell)
{
	uint64_t low = hist_cell_low(cell);
	uint64_t high = cell + 1 < HIST_CELLS ? hist_cell_low(cell + 1) - 1 : UINT64_MAX;

	return low + (high - low) / 2;
}

uint64_t hist_quantile(const struct hist *h, double q)
{
	uint64_t rank, seen = 0;

	if (!h->count)
		return 0;
	if (q >= 1)
		return h->max;
	/* The rank-th smallest, counted from 1: the smallest rank that covers the share q. */
	rank = (uint64_t)(q * (double)h->count);
	if ((double)rank < q * (double)h->count)
		rank++;
	rank = MIN(MAX(rank, 1ULL), h->count);
	for (unsigned i = 0; i < HIST_CELLS; i++) {
		seen += h->cells[i];
		if (seen >= rank)
			return MIN(MAX(cell_middle(i), h->min), h->max);
	}
	return h->max;
}
