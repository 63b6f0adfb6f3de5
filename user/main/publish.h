/* What a worker shows of its upstreams to other processes: once a second its view of each server goes to the
 * worker's rows of shared memory (`servers`, include/sluice/counters.h). On the worker's loop; no request
 * waits for it. */
#ifndef SLUICE_MAIN_PUBLISH_H
#define SLUICE_MAIN_PUBLISH_H

#include "stream/env.h"

struct publisher {
	struct env *env;
	struct timer timer;
	struct sluice_server *rows;
	uint32_t count;
	struct server_view *last; /* what each row's counters already hold */
	struct server_view *views;
};

/* Begins. `rows` may hold a predecessor's: its counters go on. -ENOMEM. */
must_check int publisher_init(
	struct publisher *p, struct env *env, struct sluice_server *rows, uint32_t count);
/* The env has new settings, whose servers have counted nothing yet. */
void publisher_restart(struct publisher *p);
void publisher_done(struct publisher *p);

#endif
