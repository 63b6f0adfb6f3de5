/* nghttp2's allocator for one connection: counts, and refuses what would go over the limit. Private to
 * proto/. */
#ifndef SLUICE_PROTO_H2_MEM_H
#define SLUICE_PROTO_H2_MEM_H

#include "base/util.h"
#include <nghttp2/nghttp2.h>

struct h2_mem {
	nghttp2_mem hooks;
	size_t used, most; /* bytes, the allocator's own rounding included */
	size_t max;
	bool denied; /* an allocation would have gone over `max` */
};

void h2_mem_init(struct h2_mem *m, size_t max);
/* As calloc(1, n), within the limit. */
void *h2_mem_take(struct h2_mem *m, size_t n);
void h2_mem_give(struct h2_mem *m, void *p);

#endif
