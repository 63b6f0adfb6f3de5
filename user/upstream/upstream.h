/* The servers behind a name, as one worker sees them: resolved addresses, balance, health, idle connections.
 * One `struct upstreams` per worker and settings snapshot; nothing is shared between workers but the sticky
 * table. */
#ifndef SLUICE_UPSTREAM_UPSTREAM_H
#define SLUICE_UPSTREAM_UPSTREAM_H

#include "conf/settings.h"
#include "event/loop.h"
#include "tls/tls.h"
#include "upstream/sticky.h"

struct upstreams;
struct server; /* one configured server */

/* Begins resolving and health-checking. `sticky` may be NULL (then sticky falls back to least-conn). Takes a
 * reference on `settings`; `worker_count` divides max_connections. */
must_check int upstreams_new(struct loop *loop, struct settings *settings, struct sticky *sticky,
	unsigned worker_count, struct upstreams **ret);
/* The contexts for health checks over TLS; lent, and outlive `u`. Without them such checks fail. */
void upstreams_set_tls(struct upstreams *u, struct tls *tls);
/* No pick or lease may be outstanding. Idle connections are closed. */
void upstreams_free(struct upstreams *u);
/* After a reload: idle connections are closed and none is kept any more, health checks end, names are not
 * looked up again. Requests that began with these settings may still pick; upstreams_free comes when the last
 * of them has ended. */
void upstreams_retire(struct upstreams *u);

/* Told, for the log, when a server goes up or down or its name's lookups begin to fail: `why` is lent text.
 */
typedef void upstreams_notice(void *arg, const struct server *s, bool up, const char *why);
void upstreams_set_notice(struct upstreams *u, upstreams_notice *notice, void *arg);

/* What balances a request. */
struct pick_key {
	struct slice hash; /* value of the configured header or cookie; p == NULL: absent */
	/* Bit set of servers (by index, 64 at most per upstream) that already failed for this request. When
	 * no other is left, such a server is offered again for an address of its name that did not fail since
	 * `since_ms`. */
	uint64_t tried;
	uint64_t since_ms; /* loop_now_ms() at the request's first pick; 0: an address that ever failed lately
			      is not offered */
};

/* A lease counts as one connection of the server until it is returned. */
struct lease {
	struct server *server;	  /* NULL: none */
	struct sockaddr_any addr; /* dial this */
	int idle_fd;		  /* >= 0: a kept-alive connection, take it over instead; -1: dial */
	struct tls_conn *tls;	  /* of idle_fd, or given back with LEASE_REUSE; NULL: plaintext */
	unsigned index;		  /* of the server in its upstream */
	bool reused;		  /* came from the pool: its failure says nothing about the server */
};

enum pick_result {
	PICK_OK,
	PICK_WAIT, /* name not resolved yet, or all at max_connections: ask again when told (pick_waiter) */
	PICK_NONE, /* all down by health check, unresolvable or tried */
};

/* Told when a PICK_WAIT may have changed, at the end of a turn of the loop; it is out of the queue then.
 * `link` is list_init'ed (or zeroed) before the first use. */
struct pick_waiter {
	struct list link;
	void (*on_change)(struct pick_waiter *w);
};

/* `allow_idle` false: a fresh connection is wanted (a kept one just failed). On PICK_WAIT the waiter is
 * queued. A server that only requests found failing (passive) is a last resort: better a dial than an error
 * nobody tried to avoid. */
enum pick_result upstreams_pick(struct upstreams *u, size_t upstream, const struct pick_key *key,
	bool allow_idle, struct lease *ret, struct pick_waiter *w);
void upstreams_wait_cancel(struct pick_waiter *w);

/* How the connection ended: REUSE gives `fd` (out of the loop by then) to the pool, or closes it when full;
 * CLOSED: the caller closed it; FAILED: connect failed or it broke before a response head: its address is
 * left out for a while, and when the name has no other that works it counts against the server (3 in a row
 * put it down for a while even without health checks, passive, with backoff). Empties the lease (server
 * NULL); legal on an empty one. */
enum lease_end { LEASE_REUSE, LEASE_CLOSED, LEASE_FAILED };
void upstreams_return(struct lease *l, enum lease_end how, int fd);
/* A response head came: the server works (passive health). */
void upstreams_worked(struct lease *l);
/* The upstream issued `value` in its sticky header: requests that bring it go to this server. */
void upstreams_stick(struct lease *l, struct slice value);

const char *server_address(const struct server *s); /* as configured */
const struct upstream_settings *server_upstream(const struct server *s);

/* For admin views and tests. */
struct server_view {
	const char *upstream, *address;
	unsigned connections, idle;
	bool resolved, up, checked; /* checked: by health checks */
	uint64_t failures, checks, picks;
};
size_t upstreams_view(const struct upstreams *u, struct server_view *out, size_t max);

#endif
