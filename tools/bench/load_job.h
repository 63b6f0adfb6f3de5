/* A running load: P forked processes that hold N event streams together, and the shared memory in which they
 * count. Owned by the process that started it, which also decides when the window of measurement opens;
 * `load` and `compare` both drive it. */
#ifndef SLUICE_BENCH_LOAD_JOB_H
#define SLUICE_BENCH_LOAD_JOB_H

#include "hist.h"
#include "net.h"
#include <sched.h>
#include <stdatomic.h>

#define LOAD_PROCESSES_MAX 64
#define LOAD_DRAIN_NS	   1000000000ULL /* events sent within the window may still arrive so long after it */

/* What the streams do once they are open. */
enum load_mode {
	LOAD_WATCH, /* read */
	LOAD_SETUP, /* close when the head is there, and open anew: `streams` at a time, without end */
	LOAD_ABORT, /* read; within the window each is closed once, evenly over it */
	LOAD_STALL, /* read; when the second window opens, `stalled` of them stop reading */
};

struct load_settings {
	enum load_mode mode;
	uint64_t stalled; /* LOAD_STALL */
	struct net_url to;
	unsigned http;		 /* 1, or 2: over TLS by ALPN, else with prior knowledge */
	uint64_t per_connection; /* streams on one connection, at most; 1 with HTTP/1.1 */
	uint64_t streams;
	uint64_t processes;
	const cpu_set_t *cpus; /* where the processes may run; NULL: anywhere */
	bool pause; /* a second window follows, load_job_pause(): the streams stay open until then */
};

/* What one process found, or all of them. Written by one process. */
struct load_result {
	uint64_t opened;	 /* streams with a 200 head of an event stream */
	uint64_t failed;	 /* streams without */
	uint64_t ended;		 /* opened streams that ended before the run did */
	uint64_t silent;	 /* opened streams without any event in the window */
	uint64_t events;	 /* arrived within the window: what CPU time is divided by */
	uint64_t bytes;		 /* payload of those */
	uint64_t lost, repeated; /* by sequence numbers, over the whole run */
	uint64_t damaged;	 /* events whose lines contradict each other */
	uint64_t comments;	 /* heartbeats and the like */
	uint64_t setups;	 /* LOAD_SETUP: heads that came within the window */
	uint64_t cut; /* LOAD_STALL: streams that stopped reading and whose connection the relay ended */
	uint64_t open_first_ns, open_last_ns; /* first connect and last head */
	struct hist latency; /* of the events *sent* within the window: none is left out for being late */
	struct hist head;    /* from wanting a stream to its complete response head: with a connection of
				its own that begins with connect() */
	struct hist connect; /* of connections: connect() to ready for a request, TLS and SETTINGS included */
	struct hist pause;   /* latency of the events sent within the second window */
	char why[160];	     /* of the first failure; "" when none */
};

/* One process's place in the shared memory. */
struct load_worker {
	_Atomic uint64_t settled;     /* streams that are open or failed */
	_Atomic uint64_t live_events; /* for progress lines; every event ever */
	struct load_result result;
};

struct load_shared {
	_Atomic uint64_t start_ns, stop_ns; /* the window; both 0 until it is known */
	_Atomic uint64_t pause_start_ns, pause_stop_ns;
	_Atomic uint64_t *aborts; /* LOAD_ABORT: when stream N was closed, at N - 1 */
	_Atomic bool quit;	  /* the run is over before any window was opened */
	struct load_worker workers[];
};

struct load_job;

/* Forks the processes, which begin to open streams. Negative errno. */
must_check int load_job_start(const struct load_settings *settings, struct load_job **ret);
/* Ends what still runs. NULL is legal. */
void load_job_free(struct load_job *job);
/* How many streams are open or have failed; done when it is all of them. */
uint64_t load_job_settled(const struct load_job *job);
uint64_t load_job_live_events(const struct load_job *job);
/* -ECHILD when a process died. */
must_check int load_job_check(struct load_job *job);
/* Opens the window now, for `seconds`. */
void load_job_measure(struct load_job *job, double seconds);
/* Opens the second window now, for `seconds`; only for a job that was started with `pause`. */
void load_job_pause(struct load_job *job, double seconds);
/* LOAD_ABORT: when the stream that asked with tag=`tag` was closed; 0: not. */
uint64_t load_job_aborted(const struct load_job *job, uint64_t tag);
/* Waits for the processes to end by themselves and adds up. Negative errno; *ret is large: not for the stack.
 */
must_check int load_job_finish(struct load_job *job, struct load_result *ret);

/* load_worker.c: the life of one process; returns when the run is over. */
must_check int load_worker_run(
	const struct load_settings *settings, unsigned index, struct load_shared *shared);

#endif
