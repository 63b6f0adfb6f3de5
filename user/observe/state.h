/* The memory that the daemon shares with its readers (include/sluice/state.h): made by the master before it
 * forks, written by the processes of the daemon through inherited mappings, mapped read-only by sluicectl and
 * the exporter. No process can change its size, so that no reader meets a hole. */
#ifndef SLUICE_OBSERVE_STATE_H
#define SLUICE_OBSERVE_STATE_H

#include "base/util.h"
#include "sluice/state.h"

struct state {
	struct sluice_state *head; /* NULL: none */
	int fd;			   /* read-only, for readers; -1: none */
};

/* A section that is wanted: its records, zeroed, come back in *ret. */
struct state_part {
	const char *name;
	uint32_t count, size;
	void **ret;
};

/* Memory with these sections in this order. Negative errno, and nothing is changed. */
must_check int state_new(struct state *s, const struct sluice_about *about, bool spliced,
	const struct state_part *parts, size_t n);
void state_done(struct state *s);

#endif
