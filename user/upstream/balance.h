/* Which server gets a request. Pure functions over what the caller knows of its servers; each returns an
 * index, or -1 when no view is usable. */
#ifndef SLUICE_UPSTREAM_BALANCE_H
#define SLUICE_UPSTREAM_BALANCE_H

#include "base/util.h"

struct balance_view {
	bool usable;
	unsigned weight; /* 1 or more */
	unsigned connections;
	uint64_t id;   /* a hash of the server's address: its place in the rendezvous does not depend on the
			  others */
	int64_t *turn; /* round robin's memory, zero at first */
};

/* Fewest connections for its weight; among equals `random` decides, so that workers, and the first requests
 * after a restart, do not all run to the first server. */
int balance_least_conn(const struct balance_view *v, size_t n, uint64_t random);
/* Smooth weighted round robin: weights 5,1,1 give a a b a c a a. Changes the turns of usable servers. */
int balance_round_robin(const struct balance_view *v, size_t n);
/* Weighted rendezvous: every server draws a number from (key, id), the highest wins; a server that is lost
 * moves its own keys only. Source: Thaler, Ravishankar 1998; weights after Schindelhauer, Schomaker 2005. */
int balance_hash(const struct balance_view *v, size_t n, uint64_t key);

#endif
