/* A worker: one process, one loop, a range of slots, listeners of its own. Forked by the master; never
 * returns to it. */
#ifndef SLUICE_MAIN_WORKER_H
#define SLUICE_MAIN_WORKER_H

#include "conf/settings.h"
#include "kern/splice.h"
#include "observe/slots.h"
#include "sluice/counters.h"
#include "tls/tls.h"
#include "upstream/sticky.h"

struct worker_start {
	unsigned index, count;
	struct settings *settings;     /* the worker takes this reference */
	struct tls_material *material; /* the worker takes it */
	struct tls_tickets *tickets;
	struct slot_table *slots;
	struct sluice_counters *totals; /* this worker's row */
	struct sluice_server *servers;	/* this worker's rows */
	uint32_t server_rows;
	struct sticky *sticky;
	struct splice *splice;		   /* NULL: the splice lane is off */
	enum sluice_lane_reason no_splice; /* why; NONE while it is on */
	int control_fd;
	int log_fd;	      /* access log pipe; -1: off */
	const int *listeners; /* in the settings' order; the worker owns the fds */
};

/* Serves until told to stop. Returns the exit status. */
int worker_main(const struct worker_start *start);

#endif
