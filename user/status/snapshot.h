/* One moment of the daemon as one line of JSON, for the status page: sums, distributions and the slowest
 * streams, never a row for each stream. Reads the daemon's records and counters, writes nothing to them.
 * Rates are differences to the snapshot before. */
#ifndef SLUICE_STATUS_SNAPSHOT_H
#define SLUICE_STATUS_SNAPSHOT_H

#include "base/buf.h"
#include "sluice/counters.h"
#include "sluice/ctl.h"
#include "sluice/flow.h"

#define SNAPSHOT_SLOWEST 10
#define SNAPSHOT_ROUTES	 64 /* distinct route names that are told apart; the rest is "(others)" */

/* What is looked at; all of it belongs to somebody else. */
struct snapshot_source {
	const char *instance;
	const struct sluice_ctl *records;
	const struct sluice_flow *flows; /* by slot; NULL without the splice lane */
	uint32_t slots;
	const struct sluice_counters *counters; /* a row per worker, and the master's */
	uint32_t workers;
	uint64_t start_ns; /* CLOCK_MONOTONIC, when the daemon began */
};

/* What was counted of a slot's stream the last time. */
struct snapshot_slot {
	uint64_t id, events, bytes;
};

struct snapshot {
	struct snapshot_source from;
	struct snapshot_slot *before; /* by slot */
	uint64_t before_ns;	      /* 0: there is no snapshot before */
};

/* -ENOMEM. */
must_check int snapshot_init(struct snapshot *s, const struct snapshot_source *from);
void snapshot_done(struct snapshot *s);
/* Nobody has looked for a while: the next one has no rates, because they would be those of the gap. */
void snapshot_forget(struct snapshot *s);
/* Appends the JSON of now. -ENOMEM. */
must_check int snapshot_take(struct snapshot *s, uint64_t now_ns, struct buf *out);

#endif
