/* What the master's files share. Private to main/. */
#ifndef SLUICE_MAIN_MASTER_STATE_H
#define SLUICE_MAIN_MASTER_STATE_H

#include "admin/admin.h"
#include "event/signals.h"
#include "kern/selftest.h"
#include "main/worker.h"

struct master;

struct child {
	struct master *master;
	unsigned index;
	pid_t pid;	       /* 0: not running */
	struct source control; /* fd -1: none */
	struct timer restart;
	uint64_t started_ms;
	unsigned restarts;
	bool ready;
	int *listeners; /* one fd per listener of the settings, kept open for the worker's successor */
};

struct master {
	struct loop *loop;
	struct signals signals;
	struct admin *admin;
	struct settings *settings;
	const char *config;
	struct splice *splice;		   /* NULL: every stream is copied */
	enum sluice_lane_reason no_splice; /* why; NONE while it is there */
	struct selftest selftest;	   /* of the splice lane, at the start; count 0: it was not run */
	char splice_why[256];		   /* why the lane is off; "": it is on */
	struct state
		state; /* what readers may map; holds the next two, but for slots that are the map `ctl` */
	struct slot_table slots;
	struct sluice_counters *totals; /* shared memory: a row per worker, and the master's own */
	struct sluice_server *servers;	/* shared memory: server_rows of each worker */
	uint32_t server_rows;
	struct sluice_cert *certs; /* shared memory: SLUICE_MAX_CERTS */
	struct sticky *sticky;
	struct tls_material *material; /* of the settings; workers that are forked inherit it */
	struct tls_tickets *tickets;
	struct timer ticket_timer;
	struct child *children;
	unsigned nchildren;
	int log_fd;
	pid_t log_pid;
	int status_fd;	  /* the status page's listener; -1: none */
	pid_t status_pid; /* 0: not running */
	struct timer status_timer;
	bool announced; /* "listening on" was said */
	bool stopping;
	bool failed;		 /* a worker could not start at all */
	struct timer kill_timer; /* a worker that does not end when told */
};

/* ---- children.c */
must_check int child_start(struct child *c);
void children_say(struct master *m, uint32_t kind, uint64_t arg);
/* After SIGCHLD: collects the dead, restarts workers. */
void children_reap(struct master *m);
bool children_alive(const struct master *m);
void children_kill(struct master *m);

/* ---- listeners.c */
/* Opens what `next` asks for, for every worker, keeping the fds of listeners that `m` has already (same
 * text). On success ret[worker][listener]; on error nothing is changed and `why` says what failed. */
must_check int listeners_open(
	struct master *m, const struct settings *next, int ***ret, char *why, size_t why_size);
/* Replaces the children's fds with these, closing those that are not used any more. */
void listeners_replace(struct master *m, int **fds, const struct settings *next);
void listeners_close(struct master *m);

/* ---- certificates.c */
/* Reads the certificates that the settings name. Mistakes and warnings go to the log; `why`, unless NULL,
 * gets the first mistake. */
must_check int certificates_load(
	const struct settings *s, struct tls_material **ret, char *why, size_t why_size);
/* The listeners' certificates for readers of the map `certs`. */
void certificates_show(struct master *m);
/* Ticket keys, and the timer that renews them; the settings' interval counts from each renewal. */
must_check int certificates_start(struct master *m);
/* One line per line of `lines`, as an error; the first one goes to `why` if that is empty. */
void log_lines(const char *what, const struct buf *lines, char *why, size_t why_size);

/* ---- inspect.c: for the admin socket, `arg` is the master */
json_t *inspect_settings(void *arg);
json_t *inspect_lanes(void *arg);

/* ---- status.c */
/* Listens and forks the process of the status page, when the settings want one. */
must_check int status_open(struct master *m);
/* True when it was this process that ended; another one is started. */
bool status_reap(struct master *m, pid_t pid);
void status_close(struct master *m);

/* ---- reload.c */
/* Reads the config again; on a mistake the old settings stay and `why` has the first line of what is wrong
 * (all go to the log). */
must_check int master_reload(struct master *m, char *why, size_t why_size);

#endif
