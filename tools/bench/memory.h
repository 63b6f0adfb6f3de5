/* What a relay and its sockets hold in memory, in user space and in the kernel. The kernel's part is the
 * whole machine's: its worth is in differences, before and after, and with and without a relay. Owned by
 * `compare`. */
#ifndef SLUICE_BENCH_MEMORY_H
#define SLUICE_BENCH_MEMORY_H

#include "base/util.h"
#include <sys/types.h>

struct memory_sample {
	uint64_t user;	   /* bytes: proportional set size (PSS) of a process and all below it */
	uint64_t resident; /* bytes: resident set size of the same, what they share counted in each */
	uint64_t slab; /* bytes in slab objects in use: sockets, files, epoll entries, packet heads. Caches of
			  file systems are left out: other work fills them. */
	uint64_t sockets; /* bytes that TCP charges for queued data (sockstat's `mem`) */
};

/* `root` 0: no process. What cannot be read (slabinfo takes root) is 0. Negative errno when nothing can. */
must_check int memory_sample_take(struct memory_sample *ret, pid_t root);

/* Pure parts. */
/* Adds a line of /proc/slabinfo to *sum. Lines that are no cache, or a file system's, add nothing. */
void memory_add_slab(const char *line, uint64_t *sum);
/* The pages of "TCP: … mem N" of /proc/net/sockstat. -EINVAL when the text has none. */
must_check int memory_parse_sockstat(const char *text, uint64_t *ret_pages);

#endif
