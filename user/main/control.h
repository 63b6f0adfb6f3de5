/* What the master says to a worker and back, over a SOCK_SEQPACKET pair: one fixed message, with fds where it
 * needs them. */
#ifndef SLUICE_MAIN_CONTROL_H
#define SLUICE_MAIN_CONTROL_H

#include "base/util.h"

#define CONTROL_MAX_FDS 200 /* SCM_MAX_FD is 253 */

enum control_kind {
	CONTROL_READY,	  /* worker -> master: it serves */
	CONTROL_RELOAD,	  /* fds: below */
	CONTROL_RELOADED, /* worker -> master: arg 0, or a positive errno: it keeps the old settings */
	CONTROL_DRAIN,	  /* arg: window in ms */
	CONTROL_CUT,
	CONTROL_KILL,	   /* arg: stream id */
	CONTROL_COPY,	   /* the same: it leaves the splice lane for good */
	CONTROL_SPLICE,	   /* the same: it may be spliced again */
	CONTROL_LOG_LEVEL, /* arg: enum log_level */
};

/* Of CONTROL_RELOAD. */
enum control_fd {
	CONTROL_FD_CONFIG,    /* memfd: the config's text */
	CONTROL_FD_MATERIAL,  /* memfd: tls_material_pack */
	CONTROL_FD_LISTENERS, /* the listeners, in the new config's order */
};

struct control_message {
	uint32_t kind;
	uint32_t nfds;
	uint64_t arg;
	int fds[CONTROL_MAX_FDS]; /* received ones belong to the receiver */
};

/* Two connected ends, non-blocking, close-on-exec. */
must_check int control_pair(int ret_ends[2]);
must_check int control_send(int fd, const struct control_message *m);
must_check int control_say(int fd, enum control_kind kind, uint64_t arg);
/* 1: one message; 0: none now; -EPIPE: the other side is gone; or another negative errno. */
must_check int control_receive(int fd, struct control_message *ret);

#endif
