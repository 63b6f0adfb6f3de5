/* What the verdict program knows of a spliced stream (map `flows`, by slot; written by BPF only), and the
 * position in the body that travels between it and userspace. One writer: the verdict of the slot's upstream
 * socket. A field read alone is whole; the record as one is only at rest while the verdict may not redirect
 * (kern/splice.h says when). */
#ifndef SLUICE_FLOW_H
#define SLUICE_FLOW_H

#include "sluice/counters.h"

/* How the end of the body is told. */
enum sluice_framing {
	SLUICE_BODY_CLOSE,  /* by FIN; the verdict never sees an end */
	SLUICE_BODY_LENGTH, /* `left` bytes */
	SLUICE_BODY_CHUNKED,
};

/* The places of a chunked body; the numbers are those of the daemon's chunk reader. */
enum sluice_chunk_place {
	SLUICE_CHUNK_SIZE,
	SLUICE_CHUNK_EXT,
	SLUICE_CHUNK_SIZE_LF,
	SLUICE_CHUNK_DATA,
	SLUICE_CHUNK_DATA_CR,
	SLUICE_CHUNK_DATA_LF,
	SLUICE_CHUNK_TRAILER, /* the verdict stays in it only at the first line's start */
	SLUICE_CHUNK_DONE,
	SLUICE_CHUNK_BAD,
};

/* A position in a body: behind its last byte seen. 16 bytes. */
struct sluice_track {
	__u64 left;   /* LENGTH: of the body; CHUNKED: of this chunk, or the size line's value so far */
	__u8 framing; /* enum sluice_framing */
	__u8 chunk;   /* enum sluice_chunk_place; DONE also stands for the end of a LENGTH body */
	__u8 digits;  /* of the size line so far */
	__u8 scan;    /* 1: an event stream: count events in the payload */
	__u8 sse; /* row of the event table (`sse_next` in bpf/lib/track.bpf.h): place, field name, BOM in one
		     number */
	__u8 reserved[3];
};

/* Why the verdict last gave bytes to userspace instead of the client. */
enum sluice_pass {
	SLUICE_PASS_NONE,
	SLUICE_PASS_OFF,     /* ctl.mode is 0 */
	SLUICE_PASS_HELD,    /* earlier bytes are in userspace's hands */
	SLUICE_PASS_ROOM,    /* the client's send buffer has no room: a spill */
	SLUICE_PASS_TARGET,  /* no client socket in `target` */
	SLUICE_PASS_BEYOND,  /* bytes behind the end of the body in the same segment, or after it */
	SLUICE_PASS_FRAMING, /* chunk extensions, trailers, or bad framing: userspace judges */
	SLUICE_PASS_BROKEN,  /* a gap or an overlap that could not be cut: the stream must end */
	SLUICE_PASS_COUNT,
};

/* 192 bytes, 3 cache lines. */
struct sluice_flow {
	__u64 cookie;	  /* of the upstream socket; a record whose cookie or epoch is not ctl's is a former
			     stream's */
	__u32 epoch;	  /* ctl.epoch when the record was begun */
	__u32 next_seq;	  /* TCP sequence number of the next new byte from upstream */
	__u64 redirected; /* bytes sent on to the client by the kernel */
	__u64 passed;	  /* bytes given to userspace, that is to recv() on the upstream socket */
	__u64 adopted;	  /* ctl.consumed when ctl.track was last taken over */
	__u32 base_seq;	  /* the client's write_seq that stands for redirected + ctl.written == 0 */
	__u32 notes;	  /* written to the ring for this stream; above ctl.seen: one waits there */
	__u64 last_ns;	  /* last byte from upstream, redirected or passed; 0: none yet */
	__u32 burst;	  /* segments redirected since the client's backlog was last empty */
	__u8 why;	  /* enum sluice_pass, the last one */
	__u8 broken;	  /* 1: nothing is redirected any more, see SLUICE_PASS_BROKEN */
	__u8 based;	  /* 1: base_seq is set, by the first segment that might be redirected */
	__u8 reserved0;
	/* -- 64 -- */
	struct sluice_track track; /* behind the last redirected byte */
	__u64 events;		   /* of the redirected bytes, as are the next two */
	__u64 chunks;		   /* data chunks begun */
	__u64 segments;
	__u64 segments_passed;
	__u32 spills;  /* SLUICE_PASS_ROOM that followed a redirect or a resume */
	__u32 punts;   /* the same of SLUICE_PASS_FRAMING and SLUICE_PASS_BEYOND */
	__u32 trims;   /* segments whose head had been seen before */
	__u32 trimmed; /* bytes cut off them */
	/* -- 128: as of the last segment -- */
	__u32 pending; /* bytes redirected that the client's TCP had not taken over yet */
	__u32 pending_max;
	__u32 wmem_queued; /* the client's send queue as the kernel accounts it */
	__u32 sndbuf;	   /* and its limit */
	__u32 notsent;	   /* bytes in that queue that were never sent */
	__u32 srtt_us;	   /* smoothed round trip to the client; 0: unknown */
	__u32 lowat;	   /* the client's TCP_NOTSENT_LOWAT; 0xffffffff: none */
	__u32 zero;	   /* 0, which the verifier does not know (bpf/lib/track.bpf.h) */
	__u64 first_ns;	   /* first byte seen by the verdict; 0: none yet */
	__u64 spill_ns;	   /* last spill; 0: none yet */
	__u64 payload;	   /* of `redirected`: without chunk framing */
	__u64 rx_base;	   /* upstream's tcpi_bytes_received that stands for redirected + passed == 0 */
};

/* Map `totals`, per CPU: what the verdict did in all, in segments unless it says bytes. */
struct sluice_totals {
	__u64 redirected;
	__u64 redirected_bytes;
	__u64 passed[SLUICE_PASS_COUNT]; /* by reason; [NONE] counts sockets without a slot */
	__u64 passed_bytes;
	__u64 events;
	__u64 trims;
	__u64 empties;
	__u64 notes;
	__u64 notes_failed;		   /* the ring was full; told again with the next segment */
	__u64 redirect_failed;		   /* the helper refused after the room check: passed instead */
	struct sluice_histogram event_gap; /* of redirected events, as in `counters` */
};

/* Map `about`, one record: whose pins these are. */
struct sluice_about {
	__u32 abi;	/* SLUICE_ABI_VERSION */
	__u32 slots;	/* entries of flows, ctl and target */
	__u32 workers;	/* entries of notes */
	__u32 pid;	/* of the master */
	__u64 start_ns; /* CLOCK_MONOTONIC */
	__u16 ctl_size; /* of one record */
	__u16 flow_size;
	__u32 servers; /* entries of servers, per worker */
	char instance[SLUICE_MAX_INSTANCE];
	char version[24];    /* of the daemon */
	__u64 start_wall_ns; /* the start in nanoseconds since 1970 */
	__u32 counters_size; /* of one row */
	__u32 server_size;
	__u32 cert_size;
	__u32 certs; /* entries of certs */
	__u64 reserved0[2];
};

_Static_assert(sizeof(struct sluice_track) == 16, "sluice_track: size");
_Static_assert(sizeof(struct sluice_flow) == 192, "sluice_flow: size");
_Static_assert(sizeof(struct sluice_about) == 128, "sluice_about: size");

#endif
