/* The network that a comparison runs over: this host's loopback, or three network namespaces joined by veth
 * pairs (client, relay, origin; the relay's one forwards IP, so that the run without a proxy crosses the same
 * hosts). The namespaces have no names: fds hold them, so the kernel removes them however this process ends.
 * Owned by `compare` and `scale`; moves the calling thread between namespaces, which must be the only one. */
#ifndef SLUICE_BENCH_TOPOLOGY_H
#define SLUICE_BENCH_TOPOLOGY_H

#include "net.h"
#include <sched.h>
#include <stdio.h>
#include <sys/types.h>

enum place { PLACE_CLIENT, PLACE_RELAY, PLACE_ORIGIN, PLACES };

struct topology {
	bool remote;
	int own_fd;	 /* where the process came from; -1 when local */
	int fds[PLACES]; /* the namespaces */
	uint16_t ports;	 /* given out so far */
	char why[200];	 /* what failed, after a negative errno of topology_open() */
};

/* "local" or "remote". */
must_check int topology_parse(const char *name, bool *ret_remote);
/* Remote: makes the namespaces and goes into the client's. Needs root. Negative errno with t->why filled;
 * close it then too. */
must_check int topology_open(struct topology *t, bool remote);
/* Back to where the process came from; the namespaces go with their last process. */
void topology_close(struct topology *t);
/* "ADDR:PORT" there that nobody has used before; `out` has NET_TEXT_MAX bytes. Negative errno. */
must_check int topology_address(struct topology *t, enum place where, char *out);
/* As spawn(), with the program in that place. */
must_check int topology_spawn(const struct topology *t, enum place where, char *const argv[],
	const char *log_path, const cpu_set_t *cpus, pid_t *ret_pid);
/* One line for the reader: what the events crossed. */
const char *topology_about(const char *name);

#endif
