/* Cheap random numbers for jitter and sampling; seeded from getrandom(2). Not for secrets. */
#ifndef SLUICE_BASE_RNG_H
#define SLUICE_BASE_RNG_H

#include <stdint.h>

uint64_t rng_next(void);
/* Evenly in [0, n); 0 for n == 0. */
uint64_t rng_below(uint64_t n);

#endif
