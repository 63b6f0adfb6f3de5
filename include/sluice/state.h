/* The daemon's shared memory as readers of another process get it: a memfd that the admin socket's verb
 * `state` hands out read-only. One page of head, then the sections, each an array of records of one size that
 * only their writers in the daemon change. A reader looks a section up by name and takes it only when the
 * record's size is the one that it was compiled with. Sizes do not change for the daemon's life.
 *
 *   ctl      struct sluice_ctl, by slot; only without the splice lane (with it, the pinned map of this name)
 *   counters, servers, certs   sluice/counters.h; the same
 */
#ifndef SLUICE_STATE_H
#define SLUICE_STATE_H

#include "sluice/flow.h"

#define SLUICE_STATE_MAGIC    0x65636975 /* "uice" */
#define SLUICE_STATE_SECTIONS 16

struct sluice_section {
	char name[16]; /* "": unused */
	__u64 offset;  /* of the first record, in bytes from the head; a multiple of 64 */
	__u32 count;   /* of records */
	__u32 size;    /* of one, in bytes */
};

struct sluice_state {
	__u32 magic;
	__u32 spliced; /* 1: ctl and flows are pinned maps, and not in here */
	__u64 bytes;   /* of the whole memory */
	struct sluice_about about;
	struct sluice_section sections[SLUICE_STATE_SECTIONS];
};

_Static_assert(sizeof(struct sluice_section) == 32, "sluice_section: size");
_Static_assert(sizeof(struct sluice_state) == 144 + 32 * SLUICE_STATE_SECTIONS, "sluice_state: size");

#endif
