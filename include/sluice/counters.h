/* What the daemon has counted since it began (map `counters`, one row per worker and one for the master; or
 * the shared memory that stands in for it without BPF). Each row has one writer, which uses plain stores: an
 * increment is an increment. A reader sums the rows; each number alone is whole, two of them may be a moment
 * apart. */
#ifndef SLUICE_COUNTERS_H
#define SLUICE_COUNTERS_H

#include "sluice/abi.h"

#define SLUICE_BUCKETS 20 /* the last used one is +Inf */

/* `bucket` is not cumulative: the count is the buckets' sum. Unused ones, behind the bounds of buckets.def,
 * stay 0. */
struct sluice_histogram {
	__u64 sum; /* of the values, in nanoseconds or bytes */
	__u64 bucket[SLUICE_BUCKETS];
};

enum sluice_reject {
#define SLUICE_REJECT(id, text) SLUICE_REJECT_##id,
#include "sluice/rejects.def"
#undef SLUICE_REJECT
	SLUICE_REJECT_COUNT
};

enum sluice_tls_fail {
#define SLUICE_TLS_FAIL(id, text) SLUICE_TLS_FAIL_##id,
#include "sluice/tls_fails.def"
#undef SLUICE_TLS_FAIL
	SLUICE_TLS_FAIL_COUNT
};

enum sluice_h2_code {
#define SLUICE_H2_CODE(id, text) SLUICE_H2_##id,
#include "sluice/h2_codes.def"
#undef SLUICE_H2_CODE
	SLUICE_H2_CODE_COUNT
};

enum sluice_h2_end {
#define SLUICE_H2_END(id, text) SLUICE_H2_END_##id,
#include "sluice/h2_ends.def"
#undef SLUICE_H2_END
	SLUICE_H2_END_COUNT
};

/* The shapes of the lists of counters.def: room for words to come, so that the layout keeps. RULES are the
 * daemon's enum h1_rule; ENDS are enum sluice_end_by, and behind it the phase, enum stream_state. */
#define SLUICE_MAX_RULES       128
#define SLUICE_MAX_PHASES      16
#define SLUICE_SHAPE_RULES     [SLUICE_MAX_RULES]
#define SLUICE_SHAPE_ENDS      [16][SLUICE_MAX_PHASES]
#define SLUICE_SHAPE_REJECTS   [8]
#define SLUICE_SHAPE_TLS_FAILS [16]
#define SLUICE_SHAPE_H2_CODES  [16]
#define SLUICE_SHAPE_H2_ENDS   [32]

struct sluice_counters {
#define INTERNAL(id, help)		     __u64 id;
#define COUNTER(id, family, labels, help)    __u64 id;
#define GAUGE(id, family, labels, help)	     __u64 id;
#define LIST(id, words, family, label, help) __u64 id SLUICE_SHAPE_##words;
#define HISTOGRAM(id, bounds, family, help)  struct sluice_histogram id;
#include "sluice/counters.def"
} __attribute__((aligned(64)));

/* A server of an upstream as one worker sees it (map `servers`, by worker * about.servers): written by that
 * worker once a second. `upstream` empty: the row is free. `turn` as in struct sluice_ctl. */
struct sluice_server {
	__u32 turn;
	__u8 up;       /* requests may go there */
	__u8 resolved; /* its name has an address */
	__u8 checked;  /* it has health checks */
	__u8 reserved0;
	__u32 connections; /* in use */
	__u32 idle;	   /* kept for the next request */
	__u64 picks;	   /* requests sent there; this and the next two survive reloads */
	__u64 failures;
	__u64 checks;
	__u64 reserved1[3];
	char upstream[32];
	char address[96];
};

/* A certificate of a listener (map `certs`); the master writes it. `file` empty: the row is free. `turn` as
 * above. */
#define SLUICE_MAX_CERTS 64
struct sluice_cert {
	__u64 not_after; /* seconds since 1970 */
	__u32 turn;
	__u32 reserved0;
	char file[112];	 /* as configured, or "self-signed"; cut to fit */
	char names[128]; /* that it is for, cut to fit */
};

_Static_assert(SLUICE_END_BY_COUNT <= 16 && SLUICE_REJECT_COUNT <= 8, "counters: room for every word");
_Static_assert(SLUICE_TLS_FAIL_COUNT <= 16 && SLUICE_H2_CODE_COUNT <= 16 && SLUICE_H2_END_COUNT <= 32,
	"counters: room for every word");
_Static_assert(sizeof(struct sluice_counters) % 64 == 0, "sluice_counters: rows do not share cache lines");
_Static_assert(sizeof(struct sluice_server) == 192, "sluice_server: size");
_Static_assert(sizeof(struct sluice_cert) == 256, "sluice_cert: size");

#endif
