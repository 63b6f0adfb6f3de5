/* Which server issued a session id (`Mcp-Session-Id` and the like): a fixed table in memory that all workers
 * share, so that a session finds its server through any of them. Lock-free: 64-bit keyed hashes in and server
 * hashes out, written with atomics; the oldest entry of a bucket gives way. Made by the master before it
 * forks. */
#ifndef SLUICE_UPSTREAM_STICKY_H
#define SLUICE_UPSTREAM_STICKY_H

#include "base/slice.h"

struct sticky;

/* Anonymous shared memory for about `entries` sessions, 24 bytes each. */
must_check int sticky_new(size_t entries, struct sticky **ret);
void sticky_free(struct sticky *s);
/* `scope` is the upstream's name, `server` the server's address text: both survive a reload. */
void sticky_put(
	struct sticky *s, struct slice scope, struct slice value, struct slice server, uint64_t now_ms);
/* True when `value` was issued by `server` (and touches the entry). */
bool sticky_is(
	struct sticky *s, struct slice scope, struct slice value, struct slice server, uint64_t now_ms);

#endif
