/* CPU time of the kernel's worker threads, which come and go: what each has used since it was last looked at
 * is added up, so that the sum never falls. */
#ifndef SLUICE_EXPORTER_KWORKER_H
#define SLUICE_EXPORTER_KWORKER_H

#include "base/util.h"

struct kworker {
	struct kworker_seen {
		int pid;
		uint64_t start; /* ticks since boot: a pid that is used again is another thread */
		uint64_t ticks;
	} * seen; /* by pid */
	size_t count;
	uint64_t ticks; /* in all */
	bool begun;
};

/* Looks at /proc. The time in seconds since the first look; negative: /proc cannot be read. */
double kworker_seconds(struct kworker *k);
void kworker_done(struct kworker *k);

/* The parts of a line of /proc/PID/stat. False: no kworker's. */
bool kworker_parse(const char *line, uint64_t *ret_ticks, uint64_t *ret_start);

#endif
