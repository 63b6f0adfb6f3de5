/* Inside one load process: the worker (load_worker.c) opens connections (load_conn.c), which carry streams
 * (load_stream.c), which judge what arrives. Private to these files; one thread. */
#ifndef SLUICE_BENCH_LOAD_WORKER_H
#define SLUICE_BENCH_LOAD_WORKER_H

#include "event/loop.h"
#include "events.h"
#include "h2_session.h"
#include "load_job.h"
#include "response.h"
#include "wire.h"

enum stream_state {
	STREAM_IDLE, /* its turn has not come */
	STREAM_WAIT, /* for its connection */
	STREAM_HEAD, /* asked, waits for the response head */
	STREAM_OPEN,
	STREAM_CLOSED, /* by us, as the mode wants it */
	STREAM_OVER
};

struct load_stream {
	struct load_conn *conn;
	uint64_t begin_ns; /* when it was wanted: with a connection of its own, when connect() was called */
	uint64_t window_events;
	struct events events;
	struct sequence sequence;
	struct load_stream *next_again; /* of the worker's list */
	uint64_t tag;			/* among all processes' streams, from 1 */
	uint32_t id;			/* of HTTP/2 */
	uint8_t state;			/* enum stream_state */
	bool stalled;			/* reads no more */
};

enum conn_state {
	LOAD_CONN_IDLE,	   /* no stream has wanted it yet */
	LOAD_CONN_CONNECT, /* TCP */
	LOAD_CONN_TLS,
	LOAD_CONN_SETTINGS, /* HTTP/2: waits for the server's SETTINGS */
	LOAD_CONN_UP,
	LOAD_CONN_OVER
};

struct load_conn {
	struct source source;
	struct worker *worker;
	struct wire wire;
	struct load_stream *streams; /* those that it carries: a part of the worker's */
	uint32_t count;
	uint8_t state; /* enum conn_state */
	uint64_t connect_ns;
	uint64_t read_ns;	  /* when the bytes that are being looked at came */
	struct response response; /* HTTP/1.1 */
	struct h2_session h2;	  /* HTTP/2 */
};

struct worker {
	struct loop *loop;
	struct timer check;
	struct task again;		/* opens the streams of the list below anew */
	struct load_stream *again_list; /* LOAD_SETUP: closed in this turn */
	struct load_shared *shared;
	struct load_worker *mine;
	struct load_result *result;
	const struct load_settings *settings;
	SSL_CTX *tls;			  /* NULL: plaintext */
	struct buf request;		  /* HTTP/1.1: the whole; HTTP/2: its header block */
	const struct net_address *source; /* NULL: the kernel's choice */
	struct net_address source_address;
	struct load_stream *streams;
	struct load_conn *conns;
	uint64_t count, conn_count;
	uint64_t first; /* streams of the processes before this one */
	uint64_t next;	/* the next stream to open */
	uint64_t opening;
	uint64_t changed; /* LOAD_ABORT, LOAD_STALL: streams that were closed or stopped so far */
	uint64_t oldest;  /* no stream before it is still opening */
	bool ramping;	  /* worker_open_more() is at work up the stack */
};

/* load_worker.c */
/* Begins the next streams, as many as may be under way at once. */
void worker_open_more(struct worker *w);
/* LOAD_SETUP: the stream has done its part; it is closed and opened anew at the end of this turn. */
void worker_again(struct worker *w, struct load_stream *s);
/* (Re)builds w->request; `tag` > 0 goes into its query. -ENOMEM. */
must_check int worker_make_request(struct worker *w, uint64_t tag);
/* Keeps the first reason for the report. */
void worker_note(struct worker *w, const char *why);

/* load_conn.c */
/* The stream wants its answer: connects when that has not begun, or asks. Negative errno: it never will. */
must_check int load_conn_want(struct load_conn *c, struct load_stream *s);
/* What an error of the above means, for people. */
const char *load_conn_error(int err);
/* Gives up a stream whose head did not come: its connection too, when that is its own. */
void load_conn_give_up(struct load_conn *c, struct load_stream *s, const char *why);
/* Closes the stream by ourselves, and its connection when that is its own. */
void load_conn_drop(struct load_conn *c, struct load_stream *s);
/* Reads no more of this stream; of its connection neither, when that is its own. */
void load_conn_stall(struct load_conn *c, struct load_stream *s);
/* Closes the socket and frees; streams are not told. Legal at any time. */
void load_conn_close(struct load_conn *c);

/* load_stream.c */
void load_stream_head(struct load_stream *s, unsigned status, bool event_stream, uint64_t now);
void load_stream_body(struct load_stream *s, struct slice body, uint64_t now);
/* It is over, for a reason; legal when it was over before or has not begun. */
void load_stream_fail(struct load_stream *s, const char *why);

#endif
