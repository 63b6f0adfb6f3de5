/* What a worker lends to all its streams: the loop, the settings that new requests get, memory, counters. One
 * per worker, used on its thread only, wired in main/worker.c. */
#ifndef SLUICE_STREAM_ENV_H
#define SLUICE_STREAM_ENV_H

#include "base/slab.h"
#include "conf/settings.h"
#include "event/loop.h"
#include "kern/splice.h"
#include "observe/access_log.h"
#include "observe/histogram.h"
#include "observe/slots.h"
#include "policy/handshakes.h"
#include "tls/tls.h"
#include "upstream/upstream.h"

#define SCRATCH_BYTES (64 * 1024)

/* Connections with an fd above `fd_limit - FD_RESERVE_CLIENTS` are told 503: what is left keeps the live
 * streams' upstreams, logs and admin going. The kernel hands out the lowest free number, so the number tells
 * how many are open. */
#define FD_RESERVE_CLIENTS   64
#define FD_RESERVE_UPSTREAMS 16

/* Settings and what was built from them. A reload makes a new one; streams keep theirs alive. */
struct generation {
	int refs;
	struct settings *settings;
	struct upstreams *upstreams;
	struct tls *tls; /* contexts of its TLS listeners and upstreams */
	struct route_state {
		uint32_t streams;	/* live now, for max_streams */
		uint64_t warned_ms;	/* last warning about this route; the next one keeps a distance */
		uint64_t tls_warned_ms; /* the same of its upstream's TLS */
	} routes[];
};

struct env {
	struct loop *loop;
	struct generation *now; /* of new requests */
	struct slots slots;
	struct stream **by_slot;	   /* slots.count, by slot - slots.first */
	struct splice *splice;		   /* NULL: the splice lane is off */
	enum sluice_lane_reason no_splice; /* why; NONE while it is on */
	struct source notes;		   /* its ring of this worker; fd -1 without it */
	struct access_log log;
	struct sluice_counters *totals; /* this worker's row: plain increments */
	struct tls_tickets *tickets;	/* shared by all workers */
	struct handshakes *handshakes;
	struct slab streams, clients, h2_slots;
	struct list all_clients;
	struct list idle_clients;  /* between requests, the longest idle first */
	char *scratch;		   /* SCRATCH_BYTES; any callback may use it, none may keep it */
	char *frames;		   /* SCRATCH_BYTES for HTTP/2, whose callbacks use `scratch` */
	struct h1_request request; /* scratch: the head being looked at */
	struct h1_response response;
	int fd_limit;
	unsigned workers;
	bool draining;
	uint64_t drain_end_ms;
	/* Called when the last client has gone while draining. */
	void (*on_drained)(struct env *env);
};

/* A request or connection was turned away. */
static inline void env_count_reject(struct env *env, enum sluice_reject why)
{
	env->totals->overloads++;
	env->totals->rejected[why]++;
}

/* Takes over the caller's reference on `settings`, on error too. `material`: their certificates and keys; not
 * kept. */
must_check int generation_new(struct env *env, struct settings *settings, const struct tls_material *material,
	struct sticky *sticky, struct generation **ret);
/* Replaced by a reload: its idle connections and health checks end now, its streams go on. Gives up one
 * reference. */
void generation_retire(struct generation *g);
struct generation *generation_ref(struct generation *g);
void generation_unref(struct generation *g);

#endif
