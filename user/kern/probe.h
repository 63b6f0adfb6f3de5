/* What this kernel can do for the splice lane, found by trying, never guessed from a version. Data for
 * `sluice probe`. */
#ifndef SLUICE_KERN_PROBE_H
#define SLUICE_KERN_PROBE_H

#include "kern/selftest.h"

#define PROBE_MAX 32

struct probe_result {
	const char *name;
	bool ok;
	char detail[160];     /* what was found */
	const char *since;    /* kernel version and commit that added it; NULL: not a matter of the kernel's
				 version */
	const char *fallback; /* what happens without it */
};

struct probe {
	struct probe_result results[PROBE_MAX];
	size_t count;
	bool splice; /* the lane can be used */
};

/* Tries everything, the whole splice program and its self-test included; loads nothing that stays. Needs root
 * for a yes. */
void probe_run(struct probe *ret);

#endif
