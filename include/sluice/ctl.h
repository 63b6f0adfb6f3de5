/* One record per stream, written by the stream's worker only and read by anybody (map `ctl`, or the shared
 * memory that stands in for it without BPF). Every stream has one, whatever its lane. Times are
 * CLOCK_MONOTONIC nanoseconds. */
#ifndef SLUICE_CTL_H
#define SLUICE_CTL_H

#include "sluice/flow.h"

struct sluice_addr {
	__u8 ip[16];  /* network order; IPv4 as ::ffff:a.b.c.d; all zero: unix socket or unknown */
	__u16 port;   /* host order */
	__u16 family; /* AF_*; 0: none */
};

enum sluice_ctl_flags {
	SLUICE_CTL_EVENT_STREAM = 1 << 0,
	SLUICE_CTL_CHUNKED = 1 << 1, /* upstream's body is chunked */
	SLUICE_CTL_TLS = 1 << 2,
	SLUICE_CTL_H2 = 1 << 3,
	SLUICE_CTL_BLOCKED = 1 << 4, /* the client takes no bytes now */
	SLUICE_CTL_ENCODED = 1 << 5, /* the upstream compressed it */
	SLUICE_CTL_TRUNCATED = 1 << 6,
};

/* 512 bytes, 8 cache lines. The first two cache lines change with each read of the copy lane; the others at
 * turns of the stream's life. `id` 0: the slot is free. A reader that wants one state of it compares `turn`
 * before and after: odd, or changed, means that it was being rewritten. */
struct sluice_ctl {
	__u64 id;    /* of the stream, unique for the daemon's life; 0 = free slot */
	__u32 turn;  /* seqlock of the fields behind the first two lines */
	__u8 state;  /* enum stream_state of the daemon */
	__u8 lane;   /* enum sluice_lane */
	__u8 reason; /* enum sluice_lane_reason: why not a better lane */
	__u8 mode;   /* splice: 1 = the verdict may redirect, 0 = it passes all to recv() */
	/* copy lane counters; the splice lane's own are in `flows` and the sum of both is the stream's */
	__u64 bytes_in;	 /* body bytes from upstream, framing included */
	__u64 bytes_out; /* bytes written to the client, head and heartbeats included */
	__u64 events;	 /* event-stream events */
	__u64 chunks;
	__u64 last_in_ns;  /* last byte from upstream */
	__u64 last_out_ns; /* last byte taken by the client's socket */
	/* -- 64 -- */
	__u64 consumed; /* splice: passed bytes (flow.passed) that userspace is done with; below it nothing is
			   redirected */
	__u64 written;	/* splice: bytes that userspace wrote to the client since engage */
	__u64 injected; /* of those, the relay's own: heartbeats, comments */
	__u32 pending;	/* bytes read from upstream that the client has not taken (in the relay) */
	__u32 pending_max;
	__u64 blocked_since_ns; /* 0: not blocked */
	__u32 spills;		/* splice -> copy because the client lagged */
	__u32 flips;		/* lane changes in all */
	__u32 heartbeats;
	__u32 dropped_events;
	__u32 drops; /* times that the drop policy acted */
	__u32 flags; /* enum sluice_ctl_flags */
	/* -- 128 -- */
	__u64 start_ns;	      /* first byte of the request */
	__u64 head_ns;	      /* response head written to the client; 0: not yet */
	__u64 first_event_ns; /* first payload byte of the body; 0: not yet */
	__u64 cookie;	      /* of the upstream socket; guards a reused slot */
	__u32 worker;
	__u16 status;		   /* sent to the client; 0: none yet */
	__u16 http;		   /* client's version: 10, 11, 20 */
	struct sluice_addr client; /* after PROXY protocol */
	struct sluice_addr upstream;
	__u16 route; /* index in the config */
	__u16 reserved0;
	/* what was set on the client's socket; 0: left to the system */
	__u32 sndbuf; /* bytes asked for; the kernel doubles it */
	__u32 sndbuf_changes;
	__u32 notsent_lowat;
	__u32 user_timeout_ms;
	__u32 heartbeat_ms;
	__u32 idle_timeout_ms;
	__u32 requests; /* on this client connection so far */
	__u32 limit;	/* lag limit in bytes of the slow-client policy */
	__u8 policy;	/* enum slow_policy */
	__u8 reserved1[3];
	__u32 rcvbuf; /* of the upstream's socket, as sndbuf */
	/* -- text, NUL-terminated, cut to fit, query left out -- */
	char route_name[32];
	char upstream_name[32];
	char method[8];
	char host[64];
	char path[92];
	__u64 client_cookie; /* SO_COOKIE of the client's socket, by which sock_diag(7) finds it; 0: unix
				socket or unknown */
	/* splice: read by the verdict; kern/splice.h writes them */
	struct sluice_track
		track; /* the position behind the last byte that userspace handled; valid at `consumed` */
	__u32 epoch; /* counts the slot's engagements; the verdict begins a new flow record when it changes */
	__u32 seen;  /* flow.notes that the worker has read from its ring */
};

_Static_assert(sizeof(struct sluice_addr) == 20, "sluice_addr: no padding");
_Static_assert(sizeof(struct sluice_ctl) == 512, "sluice_ctl: size");

#endif
