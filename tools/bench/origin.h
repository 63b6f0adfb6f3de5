/* The event source: an HTTP/1.1 server that makes numbered, timestamped events for thousands of
 * streams. Private to the origin's files; each of its processes is one thread with one loop. */
#ifndef SLUICE_BENCH_ORIGIN_H
#define SLUICE_BENCH_ORIGIN_H

#include "base/buf.h"
#include "dechunk.h"
#include "event/signals.h"
#include "hist.h"
#include "net.h"
#include "request.h"
#include "ticks.h"
#include "wire.h"

#define ORIGIN_PENDING_MAX                                                                                   \
	(256 * 1024) /* unsent bytes a connection may hold; beyond it events are skipped                     \
		      */

/* What a stream does; the command line sets it, a query may change it. */
struct stream_settings {
	double rate;	   /* events a second; 0: none */
	uint64_t size;	   /* bytes of an event */
	uint64_t events;   /* the stream ends after so many; 0: never */
	uint64_t burst;	   /* events sent at once, every `burst` intervals; at least 1 */
	uint64_t retry_ms; /* 0: no `retry` */
	double silent_s;   /* how long only the head is out; 0: not at all */
	bool jitter;	   /* each tick anywhere within its interval */
	bool hello;	   /* a comment follows the head at once, in the same send */
	bool chunked;	   /* else the end of the connection ends the stream */
};

#define ORIGIN_PROCESSES_MAX 64
#define ORIGIN_CLOSES_MAX    65536

/* When a stream was over that its client had asked for with tag=N, N > 0. */
struct origin_close {
	uint64_t tag, t_ns;
};

/* What one process counts. Written by it alone, but for `late`, which whoever is asked with ?reset begins
 * anew: an event may then be counted in neither or both. */
struct origin_stats {
	_Atomic uint64_t streams; /* open now */
	_Atomic uint64_t streams_ever;
	_Atomic uint64_t events;  /* sent since the start */
	_Atomic uint64_t skipped; /* ticks of streams whose client was ORIGIN_PENDING_MAX behind, or that came
				     a second late */
	struct hist late;	  /* how late after its time each event left, since the last reset */
};

/* In memory that all processes share: any of them may be asked. */
struct origin_shared {
	struct origin_stats stats[ORIGIN_PROCESSES_MAX];
	_Atomic size_t close_count; /* may exceed the room: the rest was not kept */
	struct origin_close closes[ORIGIN_CLOSES_MAX];
};

struct origin {
	struct loop *loop;
	struct signals signals;
	struct source listener;
	struct timer full; /* set while the listener rests for want of file descriptors */
	bool said_full;
	SSL_CTX *tls; /* NULL: plaintext */
	struct ticks ticks;
	struct list conns;
	struct stream_settings settings;
	struct buf out; /* scratch for the events of one tick */
	struct origin_shared *shared;
	struct origin_stats *stats; /* of this process */
	unsigned processes, index;
};

enum conn_phase {
	CONN_HEAD,   /* reading a request's head */
	CONN_BODY,   /* reading its body */
	CONN_ANSWER, /* an event stream is being sent */
	CONN_LINGER, /* all is said; waits for the client to close */
};

/* An event stream that a connection carries. */
struct stream {
	struct tick tick;
	struct stream_settings set;
	uint64_t grid_ns; /* next tick without its jitter */
	uint64_t interval_ns;
	uint64_t seq; /* of the next event */
	uint64_t sent;
	uint64_t tag; /* 0: none */
	bool on;
};

struct conn {
	struct source source;
	struct wire wire;
	struct origin *origin;
	struct list link;
	struct task reaper; /* frees it at the end of the turn */
	struct timer linger;
	struct buf in, out;
	struct dechunk chunk; /* of the request's body */
	uint64_t body_left;
	struct stream stream;
	uint8_t phase; /* enum conn_phase */
	bool body_chunked, echo;
	bool keep_alive;
	bool closing; /* close when `out` is empty */
	bool gone;
};

/* conn.c: one connection */
void conn_accept(struct origin *o, int fd);
/* Sends or queues. Legal on a connection that is gone. */
void conn_send(struct conn *c, const void *p, size_t n);
/* No more will be sent; closes when all is out. */
void conn_finish(struct conn *c);
void conn_close(struct conn *c);
/* The answer is complete: next request, or the end. */
void conn_answered(struct conn *c);

/* answers.c: what each path says */
void answer_request(struct conn *c, const struct request *r);

/* stream.c: an event stream on a connection */
void stream_start(struct conn *c, const struct request *r);
void stream_stop(struct conn *c);

/* page.c: the demo page */
struct slice page_html(void);

#endif
