/* Objects of one size from 64 KiB blocks, with a free list: a stream's memory is exact and its reuse is warm.
 * Owned and used by one thread. Blocks go back to the system only with the slab. */
#ifndef SLUICE_BASE_SLAB_H
#define SLUICE_BASE_SLAB_H

#include "base/util.h"

struct slab {
	size_t size; /* of one object, rounded up to 16 */
	void *free;
	void *blocks;
	size_t live;  /* objects handed out */
	size_t total; /* objects that exist */
	size_t max;   /* most objects that may live; 0 = no limit */
};

void slab_init(struct slab *s, size_t object_size, size_t max);
/* Every object must have come back. */
void slab_done(struct slab *s);
/* A zeroed object, or NULL at the limit or without memory. */
void *slab_take(struct slab *s);
/* NULL is legal. */
void slab_give(struct slab *s, void *object);

#endif
