/* Compares contenders under the same load: runs each in turn, round after round, and keeps what every run
 * measured. Private to the files of `compare`; one process, which starts and ends all the others. */
#ifndef SLUICE_BENCH_COMPARE_H
#define SLUICE_BENCH_COMPARE_H

#include "cpu.h"
#include "memory.h"
#include "peers.h"
#include "progress.h"
#include "topology.h"
#include <sched.h>
#include <stdio.h>

#define COMPARE_CONTENDERS_MAX 8
#define COMPARE_ROUNDS_MAX     101
#define COMPARE_OVERHEAD_S     1.6     /* of a run, beside warm-up, window and pause */
#define COMPARE_QUICK_S	       110     /* what --quick takes at most, while windows of a second suffice */
#define COMPARE_REFERENCE      "nginx" /* whom the others are set against */

/* What a run measures. compare_metrics.c has the row of each. */
enum metric {
	METRIC_CONTENDER, /* us of CPU per event, by whom: the order of enum cpu_class */
	METRIC_ORIGIN,
	METRIC_LOAD,
	METRIC_KWORKER,
	METRIC_KERNEL,
	METRIC_OTHER,
	METRIC_MACHINE, /* the sum of all but METRIC_OTHER */
	METRIC_BUSY,	/* the same from /proc/stat, as a check: all but idle, other work included */
	METRIC_IRQ,	/* the part of METRIC_BUSY in interrupts and softirqs */
	METRIC_STEAL,
	METRIC_P50, /* latency in us */
	METRIC_P90,
	METRIC_P99,
	METRIC_P999,
	METRIC_MAX,
	METRIC_HEAD_P50,  /* connect to response head in us */
	METRIC_RATE,	  /* events a second that arrived */
	METRIC_WRONG,	  /* streams failed, ended or silent; events lost, repeated or damaged */
	METRIC_LATE_P99,  /* how late the origin was, us */
	METRIC_SKIPPED,	  /* events that the origin could not send */
	METRIC_PAUSE_P50, /* latency in ms of the events made while the contender was stopped */
	METRIC_PAUSE_P90,
	METRIC_PAUSE_P99,
	METRIC_PAUSE_MAX,
	METRIC_PAUSE_RATE, /* of those, a second, that arrived at last */
	METRIC_CORES,	   /* METRIC_MACHINE as CPU seconds per second: the only such figure when there are no
			      events */
	METRIC_CORES_CONTENDER,
	METRIC_CORES_OTHER,    /* unrelated work and what the hypervisor took */
	METRIC_MEMORY_USER,    /* bytes, of the contender's processes with all streams open */
	METRIC_MEMORY_SLAB,    /* bytes, of the whole kernel, above what it was without streams */
	METRIC_MEMORY_SOCKETS, /* likewise */
	METRIC_IDLE_USER,      /* bytes per stream: of the contender's processes */
	METRIC_IDLE_RESIDENT,  /* the same as resident set size */
	METRIC_IDLE_SLAB,      /* of the whole kernel */
	METRIC_IDLE_SOCKETS,   /* likewise, queued data */
	METRIC_IDLE_CPU,       /* us of the contender's CPU per stream and second */
	METRIC_SETUPS,	       /* streams that were set up a second */
	METRIC_SETUP_CPU,      /* us of the contender's CPU for each */
	METRIC_SETUP_MACHINE,  /* us of all CPU for each */
	METRIC_HEAD_P99,
	METRIC_ABORT_P50, /* us from a client's close to the upstream's */
	METRIC_ABORT_P90,
	METRIC_ABORT_P99,
	METRIC_ABORT_MAX,
	METRIC_ABORT_MISSED,  /* streams whose upstream was not closed in time */
	METRIC_STALL_USER,    /* bytes per stalled client: of the contender's processes */
	METRIC_STALL_SOCKETS, /* of the whole kernel, queued data */
	METRIC_STALL_CUT,     /* stalled streams that the contender ended */
	METRIC_STALL_P50,     /* latency of the others, us */
	METRIC_STALL_P99,
	METRIC_STALL_CPU, /* us of the contender's CPU per event that arrived meanwhile */
	METRICS
};

struct metric_row {
	const char *key; /* in the JSON */
	const char *unit;
};

extern const struct metric_row metric_rows[METRICS];

/* One number of each round; what is told of them. */
struct spread {
	double median, min, max;
};

struct run {
	double values[METRICS]; /* NAN: not measured */
};

struct contest {
	const struct peer *peer;
	char version[96];
	char left_out[256]; /* why it could not run (any more); "" while it can */
	struct run runs[COMPARE_ROUNDS_MAX];
	size_t count;
};

/* How clients come. */
struct client {
	const char *name;
	bool tls;
	unsigned http;
	const char *contenders; /* when the user names none */
	const char *about;
};

/* NULL when there is none of that name: h1 tls h2. */
const struct client *client_find(const char *name);

struct scenario;

struct compare {
	const struct scenario *scenario;
	const struct client *client;
	uint64_t per_connection; /* streams, with HTTP/2 */
	uint64_t streams, size, rounds, processes;
	uint64_t workers; /* of every contender */
	double rate, seconds, warmup, pause;
	bool quick, unpinned;
	const char *contenders, *json_path, *sluice, *peers_dir, *topology_name, *client_name, *plots,
		*scenario_name;
	const char *self;		      /* this program's path: the origin is one of its commands */
	cpu_set_t contender_cpus, other_cpus; /* the same when not pinned apart */
	bool pinned;
	struct contest *contests;
	size_t count;
	size_t round; /* the one that runs, from 0 */
	struct topology topology;
	struct progress progress; /* in seconds that the runs are meant to take */
};

/* compare_run.c: one run of one contender. 0, -EINTR when the user wants to stop, or a negative errno with
 * c->left_out filled. */
must_check int compare_run(struct compare *cmp, struct contest *c);
/* Seconds that one takes beside its window, about. */
double compare_overhead(const struct compare *cmp);
/* Set by SIGINT and SIGTERM. */
extern volatile int compare_interrupted;

/* compare_pause.c: stops (SIGSTOP) every process of a group and waits until all stand still; -ETIMEDOUT when
 * one does not. */
must_check int compare_stop_group(pid_t group);
/* Lets them go on. Legal for a group that is not stopped or is gone. */
void compare_continue_group(pid_t group);

/* compare_targets.c: what the issues ask of a lane, and whether these runs met it. Pure. */
#define COMPARE_VERDICTS_MAX 16
struct verdict {
	const char *of, *key, *what; /* the contender; the target for programs and for eyes */
	double value, limit;	     /* the median over the rounds, and what it must not exceed */
	const char *unit;
	bool pass, unreliable; /* unreliable: other work took part of the machine */
};
/* Fills up to COMPARE_VERDICTS_MAX; targets whose contenders did not run are left out. Returns how many. */
size_t compare_judge(const struct compare *cmp, struct verdict *ret);
/* CPU that unrelated work and the hypervisor took meanwhile, as a share of one CPU, in c's median round and
 * in its worst. */
double compare_noise(const struct compare *cmp, const struct contest *c);
double compare_noise_worst(const struct compare *cmp, const struct contest *c);
#define COMPARE_NOISE_SHARE 0.05 /* above it a reader should know */
#define COMPARE_PAUSE_SHARE                                                                                  \
	0.95 /* of the rate before: so many of a stopped second's events have to arrive at last */

/* compare_metrics.c: figures of many runs. Pure. */
/* Zeros when it was not measured. */
struct spread compare_spread(const struct contest *c, enum metric m);
/* The same; false when it was not measured. */
bool compare_measured(const struct contest *c, enum metric m, struct spread *ret);
/* Of c's values divided by those of `by` in the same round. False when there are none. */
bool compare_ratio(const struct contest *c, const struct contest *by, enum metric m, struct spread *ret);
/* Of the differences, c minus `by`, round by round. */
bool compare_above(const struct contest *c, const struct contest *by, enum metric m, struct spread *ret);
/* Of what c is above `floor`, divided by what `by` is above it in the same round. */
bool compare_above_ratio(const struct contest *c, const struct contest *by, const struct contest *floor,
	enum metric m, struct spread *ret);
/* The contest of that name that has runs, or NULL. */
const struct contest *compare_find(const struct compare *cmp, const char *name);

/* compare_report.c */
void compare_print(FILE *to, const struct compare *cmp);
/* compare_json.c: 0 or a negative errno. */
must_check int compare_write_json(const struct compare *cmp, const char *path);

#endif
