/* A note from the verdict to the worker that owns a slot (ring buffers in map `notes`, one per worker). It
 * only says "look at this slot": at most one per slot waits in the ring, and the record in `flows` tells what
 * there is to do. */
#ifndef SLUICE_NOTE_H
#define SLUICE_NOTE_H

#include "sluice/abi.h"

enum sluice_note_kind {
	SLUICE_NOTE_PASSED = 1, /* bytes wait for recv() on the upstream socket */
	SLUICE_NOTE_END = 2,	/* the body's last byte was redirected */
};

struct sluice_note {
	__u64 cookie; /* of the upstream socket */
	__u32 slot;
	__u32 epoch; /* cookie and epoch not ctl's: a former stream's note */
	__u8 kind;   /* enum sluice_note_kind */
	__u8 why;    /* PASSED: enum sluice_pass */
	__u8 reserved[6];
};

_Static_assert(sizeof(struct sluice_note) == 24, "sluice_note: size");

#endif
