/* The status page: an HTTP server of its own process, forked by the master, that shows one page and feeds it
 * with an event stream of snapshots (snapshot.h), one a second and only while somebody looks. It can read the
 * daemon's shared memory and nothing else: no privileges, no descriptors but its listener, no way to ask the
 * daemon for anything.
 *
 *   GET /        the page
 *   GET /events  text/event-stream: each event's data is one snapshot
 *
 * There is no authentication: whoever reaches the listener sees clients' addresses and the streams' paths. */
#ifndef SLUICE_STATUS_STATUS_H
#define SLUICE_STATUS_STATUS_H

#include "base/slice.h"
#include "status/snapshot.h"

#define STATUS_CLIENTS 32 /* connections at a time */

struct status_params {
	int fd;	     /* listening, non-blocking; taken over */
	bool remote; /* names other than an address or localhost are taken in Host: no guard against DNS
			rebinding */
	struct snapshot_source source;
};

/* Serves until the parent process has ended. 0, or a negative errno when it cannot begin. */
must_check int status_serve(const struct status_params *p);

/* ---- between its files */

/* The page with its nonce put in; -ENOMEM. */
must_check int page_make(const char *nonce, struct buf *out);
/* A Host field that a page of somebody else's name cannot bring about (DNS rebinding): an IP address or
 * localhost, with or without a port. */
bool status_host_is_safe(struct slice host);

#endif
