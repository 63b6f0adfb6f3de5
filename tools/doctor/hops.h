/* Which programs a response came through, as far as its head tells, and what to write into their
 * configurations. Tables; pure. */
#ifndef SLUICE_DOCTOR_HOPS_H
#define SLUICE_DOCTOR_HOPS_H

#include "doctor/observe.h"

enum hop_id {
#define HOP(id, word, name, silent) HOP_##id,
#include "doctor/hops.def"
#undef HOP
	HOP_COUNT
};

struct hop {
	const char *word, *name;
	bool silent;
};

extern const struct hop hops[HOP_COUNT];

struct hop_seen {
	enum hop_id id;
	char evidence[96]; /* the field that gave it away: "Server: nginx/1.22.1" */
};

/* Fills `ret` (HOP_COUNT places) in the order of the table; returns how many. */
size_t hops_see(const struct observation *o, struct hop_seen *ret);

enum fix_kind {
	FIX_NONE,
	FIX_BUFFER,
	FIX_COMPRESS,
	FIX_IDLE,
	FIX_AGE,
	FIX_HEARTBEAT,
	FIX_HTTP10,
	FIX_CACHE,
	FIX_ACCEL,
	FIX_TYPE,
	FIX_H2,
	FIX_COUNT
};

/* What to write for that hop, lines divided by newlines; NULL when it has no part in this. HOP_COUNT: what
 * the application itself should do. */
const char *fix_text(enum fix_kind kind, enum hop_id hop);

/* Whose default timeout is (about) that long: "nginx proxy_read_timeout, …"; NULL: nobody's. */
const char *timeout_owner(int64_t ms);

#endif
