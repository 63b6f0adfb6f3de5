/* Names to addresses without blocking: c-ares in the worker's loop. Sole user of c-ares. A name is looked up
 * again when its answer's TTL is over (1 s to 5 min, with jitter) and after a failure (1 s to 30 s,
 * doubling). Owned by `struct upstreams`; one per worker that has names to resolve. Never calls back from
 * inside resolver_watch. */
#ifndef SLUICE_UPSTREAM_RESOLVE_H
#define SLUICE_UPSTREAM_RESOLVE_H

#include "conf/settings.h"
#include "event/loop.h"

#define RESOLVE_MAX_ADDRESSES 256  /* kept of one answer */
#define RESOLVE_TIMEOUT_MS    1000 /* of the first try; three tries, doubling */

struct resolver;

/* One name that is kept resolved. Embedded in its owner, which outlives the resolver. */
struct name {
	const char *host;
	uint16_t port; /* goes into the addresses */
	/* A lookup ended: n > 0 addresses of which the list is only lent, or n == 0 and `why`. */
	void (*on_answer)(struct name *name, const struct sockaddr_any *list, size_t n, const char *why);
	/* private */
	struct list link;
	struct resolver *resolver;
	struct timer timer;
	unsigned failures; /* in a row */
	bool asked, busy;
};

/* `server` is "address:port" of a DNS server, NULL: what /etc/resolv.conf says. */
must_check int resolver_new(
	struct loop *loop, const char *server, unsigned timeout_ms, struct resolver **ret);
/* Lookups under way end without a call. */
void resolver_free(struct resolver *r);
/* Looks `name` up, in the loop's next turn, and keeps doing so. */
void resolver_watch(struct resolver *r, struct name *name);
/* Names that were looked up are not looked up again. */
void resolver_settle(struct resolver *r);

/* When to look up again: after an answer with this TTL; after the `failures`-th failure in a row. `random` is
 * 64 random bits. */
uint64_t resolve_ttl_ms(int ttl_s, uint64_t random);
uint64_t resolve_backoff_ms(unsigned failures, uint64_t random);

#endif
