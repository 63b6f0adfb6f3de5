/* A stream whose origin and reader run on threads of their own, with random pieces and pauses. */
#ifndef SLUICE_TESTS_BPF_THREADS_H
#define SLUICE_TESTS_BPF_THREADS_H

#include "rig.h"

/* Carries `total` bytes; `step` drives the relay until everything arrived. The reader sleeps for `stall_us`
 * now and then. */
void carry_threads(struct rig *g, uint64_t total, unsigned stall_us, void (*step)(struct rig *g));

#endif
