/* Active health checks: a GET on a connection of its own, judged on the response head alone, so that an
 * endless stream passes. One per server and worker, embedded in the server; runs in the worker's loop.
 * Private to upstream/. */
#ifndef SLUICE_UPSTREAM_HEALTH_H
#define SLUICE_UPSTREAM_HEALTH_H

#include "conf/settings.h"
#include "event/loop.h"
#include "tls/tls.h"

struct server;

struct health {
	struct server *server;
	struct timer timer;   /* the next check; while one runs, its deadline */
	struct source source; /* its connection; fd -1: no check runs */
	uint64_t began_ms;
	struct sockaddr_any addr;
	struct tls_conn *tls; /* NULL: plaintext, or not connected */
	bool connected, secured;
	struct buf request;
	size_t sent;
	struct buf in;
	struct h1_scan scan;
	unsigned passed, failed; /* in a row */
	bool down;
	uint64_t checks;
};

/* Prepares; -ENOMEM. Nothing runs until health_start. */
must_check int health_init(struct health *h, struct server *s);
/* The first check comes within a second, spread over the workers. Does nothing when checks are off. */
void health_start(struct health *h);
void health_stop(struct health *h);
void health_done(struct health *h);

#endif
