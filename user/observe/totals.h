/* What one worker counted since the daemon began, in shared memory: written by the worker alone, read by the
 * master's admin socket. Survives a worker's restart. */
#ifndef SLUICE_OBSERVE_TOTALS_H
#define SLUICE_OBSERVE_TOTALS_H

#include "proto/h1.h"
#include "sluice/abi.h"

struct totals {
#define TOTAL(id, text) uint64_t id;
#include "observe/totals.def"
#undef TOTAL
	uint64_t ended[SLUICE_END_BY_COUNT]; /* streams, by who ended them */
	uint64_t refused[H1_RULE_COUNT];     /* requests, by rule */
};

#endif
