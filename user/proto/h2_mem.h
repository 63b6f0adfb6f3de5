/* nghttp2's allocator for one connection: counts, refuses what would go over the limit, and knows every
 * block, so that all can be freed without nghttp2: after a failed allocation it is not to be trusted with its
 * own (1.52 frees a DATA item twice when the queue for it cannot grow). Private to proto/. */
#ifndef SLUICE_PROTO_H2_MEM_H
#define SLUICE_PROTO_H2_MEM_H

#include "base/list.h"
#include <nghttp2/nghttp2.h>

struct h2_mem {
	nghttp2_mem hooks;
	struct list blocks;
	size_t used, most; /* bytes, the allocator's own rounding included */
	size_t max;
	bool failed; /* some allocation was not given */
	bool denied; /* … because it would have gone over `max` */
};

void h2_mem_init(struct h2_mem *m, size_t max);
/* As calloc(1, n), within the limit. */
void *h2_mem_take(struct h2_mem *m, size_t n);
/* NULL is legal. */
void h2_mem_give(struct h2_mem *m, void *p);
/* Every block that is left. */
void h2_mem_give_all(struct h2_mem *m);

#endif
