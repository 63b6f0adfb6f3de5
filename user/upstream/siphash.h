/* SipHash-2-4 (Aumasson, Bernstein 2012): a keyed hash that an attacker who does not know the key cannot
 * steer. Pure. */
#ifndef SLUICE_UPSTREAM_SIPHASH_H
#define SLUICE_UPSTREAM_SIPHASH_H

#include "base/slice.h"

uint64_t siphash(uint64_t k0, uint64_t k1, struct slice s);

#endif
