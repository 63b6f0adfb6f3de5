/* The splice lane's kernel half: maps, pins, and the hand-off of one stream between userspace and the verdict
 * program. The master opens it before it forks; each worker uses it for its own slots, on its own thread,
 * through inherited fds, with no capability. It never blocks, never reads or writes a byte of a stream, and
 * never uses epoll. docs/KERNEL.md tells the protocol; the numbers (1) to (7) below are its steps. */
#ifndef SLUICE_KERN_SPLICE_H
#define SLUICE_KERN_SPLICE_H

#include "base/util.h"
#include "proto/chunk.h"
#include "proto/sse.h"
#include "sluice/counters.h"
#include "sluice/ctl.h"
#include "sluice/flow.h"
#include "sluice/note.h"

struct splice;

struct splice_params {
	const char *instance; /* NULL: "default" */
	const char *dir;      /* where instances are pinned; NULL: SLUICE_BPFFS */
	uint32_t slots;	      /* of all workers */
	uint32_t workers;     /* note rings: one per worker, by ctl.worker */
	uint32_t servers;     /* rows of `servers`, per worker; 0: one */
	bool pin;	      /* false: nothing in bpffs, for probe and tests */
	bool takeover;	      /* replace a live daemon's pins (USR2); it keeps its maps through its own fds */
};

/* -- the master -- */

/* Loads, attaches and, with `pin`, pins under dir/instance/ (mode 0700, maps 0600; mounts bpffs on
 * /sys/fs/bpf when it is not there). Pins of a dead daemon are replaced; -EBUSY when their owner or one of
 * its workers lives. `why` gets one line for the operator on any error. The caller's capabilities: CAP_BPF,
 * CAP_NET_ADMIN, CAP_PERFMON, CAP_SYS_RESOURCE on < 5.11. */
must_check int splice_open(const struct splice_params *p, struct splice **ret, char *why, size_t size);
/* Unmaps and closes; the master that pinned also unpins, unless somebody took over. Legal on NULL; in a
 * worker it leaves the pins alone. Sockets still hooked lose what the kernel holds of theirs: end the streams
 * first. */
void splice_close(struct splice *k);

/* The mapped tables, `slots` records each. ctl is shared memory that every process of the daemon writes its
 * range of. */
struct sluice_ctl *splice_ctl(struct splice *k);
const struct sluice_flow *splice_flows(const struct splice *k);
uint32_t splice_slots(const struct splice *k);
/* A row per worker, and behind them the master's. */
struct sluice_counters *splice_counters(const struct splice *k);
/* `params.servers` rows of each worker. */
struct sluice_server *splice_servers(const struct splice *k);
/* SLUICE_MAX_CERTS rows. */
struct sluice_cert *splice_certs(const struct splice *k);
/* Sums of map `totals` over the CPUs; one system call. */
must_check int splice_totals(const struct splice *k, struct sluice_totals *ret);
/* Forgets what the self-test did. By the master, before a stream is hooked. */
void splice_totals_reset(const struct splice *k);
/* Takes the slots [first, first + count) back from a worker that died: its sockets left the maps when it was
 * closed, its entries in `slots` go here, and its ring is emptied. By the master before it forks the
 * successor. */
void splice_reap(struct splice *k, uint32_t worker, uint32_t first, uint32_t count);

/* -- notes: "look at this slot" -- */

/* To be watched for EPOLLIN by the worker. */
int splice_notes_fd(const struct splice *k, uint32_t worker);
/* Empties the ring: `on_note(ctx, slot)` once per note of a live engagement; what there is to do follows from
 * splice_next(). The callback may engage, resume and forget any slot. Returns the notes handed out. */
int splice_notes_read(
	struct splice *k, uint32_t worker, void (*on_note)(void *ctx, uint32_t slot), void *ctx);

/* -- a position in a body, both ways, without loss -- */

/* -EAGAIN inside chunk extensions, trailers and behind bad framing: the stream stays in copy for now. `r` for
 * CHUNKED, `s` for event streams, else NULL; `left` for LENGTH. */
must_check int splice_track_make(struct sluice_track *ret, enum sluice_framing framing, uint64_t left,
	const struct chunk_reader *r, const struct sse_scan *s);

/* -- one stream, by its slot -- */

/* Userspace -> kernel, steps (2) to (5). Before: everything that was read from `up` has been taken by
 * client's socket; both are TCP without ULP; ctl.worker is set; `at` is the position behind that last byte.
 * After 0: the kernel carries, and on `up` only EPOLLRDHUP may be armed. On error nothing is hooked and the
 * stream goes on in copy: -EOPNOTSUPP (a FIN came already, or the kernel refuses the socket), -EAGAIN
 * (position; busy client), -ENOSPC, … */
must_check int splice_engage(
	struct splice *k, uint32_t slot, int up, int client, const struct sluice_track *at);

/* What a look at an engaged slot says is to be done. */
enum splice_next {
	SPLICE_CARRIED, /* nothing: the kernel carries */
	SPLICE_READ,	/* passed bytes wait: splice_disengage(), arm EPOLLIN, recv(), go on in copy */
	SPLICE_ENDED,	/* the body's end was redirected: splice_disengage(), wait until drained,
			   splice_release() */
	SPLICE_BROKEN,	/* a gap in upstream's bytes: the stream cannot go on; close both */
};
enum splice_next splice_next(const struct splice *k, uint32_t slot);

/* Kernel -> userspace, step (6): from its return on every byte comes to recv(up), in order, behind what was
 * redirected, and the flow record is at rest but for its pass counters. One system call; none when the
 * verdict had stopped by itself. Idempotent. */
void splice_disengage(struct splice *k, uint32_t slot);
/* Moves the kernel's position into userspace's readers (r, s and left may be NULL), payload paid into
 * r->overhead, events and chunks left alone (they are the copy lane's counts; flows has the kernel's). Once
 * per disengage, before the first recv(). */
void splice_track_take(
	struct splice *k, uint32_t slot, struct chunk_reader *r, struct sse_scan *s, uint64_t *left);
/* True when the client's TCP has taken over every byte redirected or written: from here on userspace may
 * write, or close. False: try again at once, then on a timer of 1 ms; the room rule makes it a matter of
 * microseconds. A dead client is "drained". After userspace's first write of a turn it stays true. Two system
 * calls. */
bool splice_drained(struct splice *k, uint32_t slot);
/* n bytes came from recv(up) while hooked. -EBADMSG: they may not be a seamless piece of the body
 * (SPLICE_BROKEN): do not send them, end the stream. */
must_check int splice_took(struct splice *k, uint32_t slot, size_t n);
/* Passed bytes that recv(up) has still to give. An EOF from recv() counts only when this is 0: else try again
 * shortly. */
uint64_t splice_left(const struct splice *k, uint32_t slot);
/* n bytes were taken by send(client) while hooked; `own` of them were the relay's (heartbeats). */
void splice_wrote(struct splice *k, uint32_t slot, size_t n, size_t own);
/* True when the client's send queue has drained enough (below 3/8 of its limit) for a resume to be worth it.
 * To be asked when everything is written, after each send(). One system call. */
bool splice_roomy(struct splice *k, uint32_t slot);
/* Userspace -> kernel again. Before: everything taken from `up` was written or dropped, and `at` is the
 * position behind it. 0: the kernel carries; disarm EPOLLIN. -EAGAIN: passed bytes wait in recv(up), and the
 * stream is in userspace's hands as after splice_disengage() (the kernel may have carried some more in
 * between: splice_track_take() and splice_drained() again). No system call. */
must_check int splice_resume(struct splice *k, uint32_t slot, const struct sluice_track *at);

/* The end of a response on connections that live on: unhooks both. Before: disengaged, drained, and
 * userspace's or the kernel's tracker at DONE. 0: both sockets are plain again. -EBUSY: bytes (or a FIN) came
 * behind the end, which nobody has read: the upstream must be closed; the client is plain. (Bytes behind the
 * end that recv() gave, the caller has seen.) */
must_check int splice_release(struct splice *k, uint32_t slot);
/* The end of a stream whose sockets are closed next: call it before close(), with both fds still open; what
 * is not drained is lost. Legal on a slot that is not hooked. */
void splice_forget(struct splice *k, uint32_t slot);
bool splice_hooked(const struct splice *k, uint32_t slot);

/* A copy of the slot's flow record; all zero when it is not this engagement's (nothing came yet, or never
 * engaged). */
void splice_state(const struct splice *k, uint32_t slot, struct sluice_flow *ret);
/* When the verdict last saw a byte of this engagement (ns); 0: never. No system call. */
uint64_t splice_last_ns(const struct splice *k, uint32_t slot);
/* The watchdog: looks whether bytes that came from upstream stand still although nobody holds them back. Call
 * it now and then (once a second) on engaged slots: returns the time in ns for which it has been so, 0 when
 * all is well. The first cure is splice_kick(), the second splice_disengage(). At most five system calls. */
uint64_t splice_stuck(struct splice *k, uint32_t slot, uint64_t now_ns);
/* Makes the verdict look at upstream's receive queue now, step (5). */
void splice_kick(struct splice *k, uint32_t slot);

#endif
