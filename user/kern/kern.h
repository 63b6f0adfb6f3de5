/* What the files of kern/ share; nobody outside includes it. */
#ifndef SLUICE_KERN_KERN_H
#define SLUICE_KERN_KERN_H

#include "kern/splice.h"
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <sys/types.h>

/* The daemon's own view of a hooked slot; in the memory of the slot's worker. */
struct seat {
	int up, client; /* the caller's fds, not owned */
	bool hooked;
	bool off; /* ctl.mode is 0 */
	uint32_t epoch;
	uint64_t up_cookie;
	uint64_t pos0;	  /* the client's stream position that stands for redirected + written == 0 */
	uint64_t taken;	  /* passed bytes that recv() gave */
	uint64_t payload; /* flow.payload already paid into the caller's chunk reader */
	uint64_t rx0;	  /* upstream's tcpi_bytes_received when hooked */
	/* watchdog */
	uint64_t stuck_since;
	uint64_t stuck_at; /* redirected + passed when last looked at */
};

struct note_reader {
	struct ring_buffer *ring;
	struct splice *k;
	void (*on_note)(void *ctx, uint32_t slot);
	void *ctx;
	int count;
};

struct pins {
	char dir[128]; /* of the instance; "": not pinned */
	int lock;      /* fd of that directory, locked while any process of the daemon lives; -1: none */
};

struct splice {
	struct splice_bpf *skel;
	uint32_t slots, workers, server_rows;
	pid_t master;
	uint32_t epoch; /* the last one given */
	struct sluice_ctl *ctl;
	const struct sluice_flow *flows;
	struct sluice_counters *counters;
	struct sluice_server *servers;
	struct sluice_cert *certs;
	struct seat *seats;
	struct note_reader *rings; /* by worker */
	int *ring_fds;
	int source_fd, target_fd, slots_fd, totals_fd;
	struct pins pins;
};

/* One line for the operator into `why`; returns `err`. */
int kern_fail(char *why, size_t size, int err, const char *fmt, ...) printf_like(4, 5);

/* track.c: the event scanner as a table for the verdict. -EINVAL when it does not fit. */
must_check int track_table(uint8_t cls[512], uint8_t *next, size_t rows, size_t classes, uint8_t *ret_idle);

/* splice.c */
int splice_verdict_fd(const struct splice *k);

/* handoff.c: takes the client out of `target` behind the stream's back, for the self-test. */
void splice_untarget(struct splice *k, uint32_t slot);

/* notes.c */
must_check int notes_open(struct splice *k, int outer_fd);
void notes_close(struct splice *k);

/* pins.c */
must_check int pins_make(
	struct pins *p, const struct splice_params *params, struct bpf_object *obj, char *why, size_t size);
void pins_drop(struct pins *p, bool owner);

#endif
