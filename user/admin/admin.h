/* The admin socket: one verb a connection, JSON back. Lives in the master, on its loop; answers from shared
 * memory, so it costs the streams nothing. Protocol (also include/sluice/admin.h): a line "VERB [ARG]\n", the
 * answer is one JSON document. */
#ifndef SLUICE_ADMIN_ADMIN_H
#define SLUICE_ADMIN_ADMIN_H

#include "event/loop.h"
#include "observe/slots.h"
#include "observe/state.h"
#include "sluice/counters.h"
#include <jansson.h>

struct admin;

struct admin_worker {
	pid_t pid;
	unsigned restarts;
	uint64_t age_ms;
};

/* What the master lets the operator see and do. Callbacks return 0 or negative errno; `why` (256 bytes) is
 * told to the caller. */
struct admin_hooks {
	void *arg;
	const struct state *state; /* handed to readers, its head says who we are */
	const struct slot_table *slots;
	const struct sluice_flow *flows;      /* by slot; NULL without the splice lane */
	const struct sluice_counters *totals; /* a row per worker, and the master's */
	unsigned workers;
	int (*reload)(void *arg, char *why);
	int (*drain)(void *arg, char *why);
	int (*kill)(void *arg, uint64_t stream_id, char *why);
	/* splice: may be spliced again; else it leaves that lane for good */
	int (*lane)(void *arg, uint64_t stream_id, bool splice, char *why);
	int (*log_level)(void *arg, const char *level, char *why);
	/* New references, objects */
	json_t *(*settings)(void *arg);
	json_t *(*lanes)(void *arg);
	void (*worker)(void *arg, unsigned index, struct admin_worker *ret);
};

/* Listens on `path`, mode 0600. -EADDRINUSE: another daemon answers there. A dead one's socket file is
 * replaced. */
must_check int admin_new(
	struct loop *l, const char *path, const struct admin_hooks *hooks, struct admin **ret);
/* Removes the socket file. NULL is legal. */
void admin_free(struct admin *a);
/* In a forked child: closes the fds, leaves the file. */
void admin_forget(struct admin *a);

#endif
