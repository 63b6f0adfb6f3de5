/* A stream on loopback for the tests of the splice lane: origin <-> up | relay | client <-> reader. The relay
 * is the smallest one that follows docs/KERNEL.md; it moves only in relay_turn(), so that a test decides what
 * happens when. One thread. */
#ifndef SLUICE_TESTS_BPF_RIG_H
#define SLUICE_TESTS_BPF_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "base/buf.h"
#include "base/clock.h"
#include "kern/splice.h"

/* Connected sockets on loopback: [0] dials, [1] accepted. Non-blocking, TCP_NODELAY; segments of at most
 * `mss` bytes, 0: what loopback takes (64 KiB, with which small receive windows crawl). */
void pair_make(int family, int mss, int pair[2]);
void sndbuf_set(int fd, int bytes);
void rcvbuf_set(int fd, int bytes);
/* Closes with RST. */
void reset_close(int *fd);

/* One splice object for a whole test binary: `slots` of one worker. */
struct splice *kern_open(uint32_t slots);

struct relay {
	struct splice *k;
	uint32_t slot;
	int up, client; /* non-owned copies of the rig's */
	enum sluice_framing framing;
	struct chunk_reader chunk;
	struct sse_scan sse;
	bool scan;
	uint64_t left;
	struct buf held; /* read, not yet written */
	bool engaged;	 /* hooked, and the kernel carries */
	bool may_engage;
	bool shared;	 /* the test reads the ring, for all its rigs */
	bool draining;	 /* in userspace's hands, but redirected bytes are still on their way */
	bool ended;	 /* the body is complete by its framing, and all of it was handed to the client */
	bool eof;	 /* upstream closed, and all of its bytes were handed to the client */
	int error;	 /* negative errno that ended it */
	size_t read_max; /* bytes of one recv() */
	/* counted */
	uint64_t beyond; /* bytes behind the body's end that recv() gave */
	uint64_t copied, engages, spills, resumes, wakeups, events;
	bool (*may_resume)(struct relay *r); /* NULL: whenever roomy */
};

struct rig {
	int origin, up, client, reader;
	struct relay relay;
	struct buf got; /* by the reader */
};

struct rig_params {
	int up_family, client_family; /* 0: AF_INET */
	enum sluice_framing framing;
	uint64_t length; /* of a LENGTH body */
	bool scan;
	int sndbuf; /* of the client's socket; 0: 32 KiB */
	int rcvbuf; /* of the reader's; 0: the system's */
	int mss;    /* towards the reader; 0: 1400 */
};

void rig_open(struct rig *g, struct splice *k, uint32_t slot, const struct rig_params *p);
void rig_close(struct rig *g);

/* One turn: waits up to `ms` for something to do, does it. Returns false when there was nothing. */
bool relay_turn(struct relay *r, int ms);
/* What a note asks for: a look at the slot. relay_turn() reads the ring for itself; with several rigs the
 * test does. */
void relay_look(struct relay *r);
/* Takes the stream out of the kernel's hands, as for a heartbeat or on EPOLLRDHUP. */
void relay_disengage(struct relay *r);
/* The relay's own bytes, when nothing of upstream's is held. False: not drained in time. */
bool relay_inject(struct relay *r, const char *p, size_t n);
void relay_position(const struct relay *r, struct sluice_track *ret);

/* The reader takes what is there, at most `max` bytes; 0: nothing, -1: EOF or error. */
ssize_t reader_take(struct rig *g, size_t max);
/* The origin sends n bytes, all or what fits; returns how many. */
size_t origin_send(struct rig *g, const void *p, size_t n);
/* Turns the relay and reads until the reader has `want` bytes; fails the test after `ms`. */
void rig_expect_bytes(struct rig *g, size_t want, int ms);
/* Sends all of `p` in pieces of at most `piece`, reading along; then expects exactly it at the reader. */
void rig_carry(struct rig *g, const char *p, size_t n, size_t piece);
/* Turns until the condition holds. */
#define rig_until(g, cond, ms)                                                                               \
	do {                                                                                                 \
		uint64_t end_ = clock_mono_ns() + (uint64_t)(ms)*NS_PER_MS;                                  \
		while (!(cond) && clock_mono_ns() < end_)                                                    \
			relay_turn(&(g)->relay, 1);                                                          \
		if (!(cond))                                                                                 \
			rig_report(g);                                                                       \
		assert_true(cond);                                                                           \
	} while (0)
/* Prints the flow record and the relay's state. */
void rig_report(const struct rig *g);
/* The k-th byte of a stream that shows gaps and repeats: a running pattern. */
void pattern_fill(char *p, size_t n, uint64_t from);
void assert_same(const char *got, size_t got_n, const char *want, size_t want_n);

#endif
