/* The splice lane tried out on loopback, before any stream depends on it: each case is a way in which some
 * kernel lost, repeated or stalled bytes. Run by the master at start and by `sluice probe`; takes some tens
 * of milliseconds and blocks for them. */
#ifndef SLUICE_KERN_SELFTEST_H
#define SLUICE_KERN_SELFTEST_H

#include "kern/splice.h"

#define SELFTEST_MAX 16

struct selftest_case {
	const char *name;
	bool ok;
	uint32_t us;	  /* that it took */
	char reason[120]; /* why it failed: one line for the operator */
};

struct selftest {
	struct selftest_case cases[SELFTEST_MAX];
	size_t count;
	uint32_t us;
	bool ok; /* all of them */
};

/* Runs every case on `slot`, which must be free and is free again afterwards; uses worker 0's ring. No worker
 * may run yet. Returns 0 when all passed, -EPROTO with the first failed case's name and reason in `why`
 * otherwise. */
must_check int selftest_run(struct splice *k, uint32_t slot, struct selftest *ret, char *why, size_t size);

#endif
