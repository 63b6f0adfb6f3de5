/* One configured server and the upstream it belongs to, as one worker sees them. The steps around it are the
 * files of this folder: resolve, health, pool, balance. Private to upstream/. */
#ifndef SLUICE_UPSTREAM_SERVER_H
#define SLUICE_UPSTREAM_SERVER_H

#include "base/slab.h"
#include "upstream/addrs.h"
#include "upstream/health.h"
#include "upstream/resolve.h"
#include "upstream/upstream.h"

#define UPSTREAM_MAX_SERVERS 64 /* bits of pick_key.tried */

struct server {
	struct upstream *up;
	const struct server_settings *settings;
	unsigned index;
	uint64_t id;  /* hash of its address text, the same in every worker */
	int64_t turn; /* round robin */

	struct name name; /* not in use for literals and unix sockets */
	struct addrs addrs;
	bool resolving;	     /* no answer yet, good or bad */
	bool lookup_failing; /* was said */

	unsigned limit; /* connections of this worker, idle ones too; 0: none */
	unsigned leased;
	struct list idle; /* struct idle_conn, the newest first */
	unsigned nidle;

	/* passive: what requests met */
	unsigned streak;  /* failures in a row while no address worked */
	uint64_t rest_ms; /* down until then */
	bool passive_down;

	struct health health; /* active */
	uint64_t failures, picks;
};

struct upstream {
	struct upstreams *all;
	const struct upstream_settings *settings;
	struct server *servers;
	size_t n;
	struct list waiters;
	struct task wake;
};

struct upstreams {
	struct loop *loop;
	struct settings *settings;
	struct sticky *sticky;
	struct resolver *resolver; /* NULL: no name to resolve */
	struct tls *tls;	   /* lent, for health checks */
	struct slab idle_slab;
	struct upstream *list;
	size_t n;
	bool retired;
	upstreams_notice *notice;
	void *notice_arg;
};

must_check int server_init(struct server *s, struct upstream *up, const struct server_settings *settings,
	unsigned index, unsigned worker_count);
void server_done(struct server *s);

static inline struct loop *server_loop(const struct server *s)
{
	return s->up->all->loop;
}

/* False while it has no address, health checks say so, or it rests after failures in a row. */
bool server_up(const struct server *s);
/* A connection to `addr` failed, or a request on it before the response head. */
void server_failed(struct server *s, const struct sockaddr_any *addr);
/* A response head came from `addr`. */
void server_worked(struct server *s, const struct sockaddr_any *addr);
/* The health checks' verdict changed. */
void server_checked(struct server *s, bool up, const char *why);
/* A health check passed, and enough of them in a row: what requests met before is forgotten. */
void server_recovered(struct server *s);

/* Tells the upstream's waiters, at the end of this turn, that a pick may go differently now. */
void upstream_wake(struct upstream *up);

/* ---- pool.c */
size_t pool_object_size(void);
/* The newest idle connection that is still good, or -1. */
int pool_take(struct server *s, struct sockaddr_any *ret_addr, struct tls_conn **ret_tls);
/* Keeps `fd` and its session (NULL: plaintext), or closes both: the pool is full, the server is down, or
 * bytes wait where none should. */
void pool_give(struct server *s, int fd, struct tls_conn *tls, const struct sockaddr_any *addr);
void pool_close_oldest(struct server *s);
void pool_close_all(struct server *s);
/* Closes those to addresses that the name no longer has. */
void pool_close_gone(struct server *s);

#endif
