/* One stream: a request and its answer, from the first byte of the head to the line in the access log. Owned
 * by its client connection's worker; freed at the end of the loop's turn in which it ended. The files of this
 * room are its steps, in the order of states.def. Private to stream/; other rooms use client.h. */
#ifndef SLUICE_STREAM_STREAM_H
#define SLUICE_STREAM_STREAM_H

#include "policy/slow.h"
#include "proto/chunk.h"
#include "proto/sse.h"
#include "stream/env.h"
#include "stream/wire.h"

enum stream_state {
#define STATE(id, text, next, on_client, on_upstream, on_timeout) STREAM_##id,
#include "stream/states.def"
#undef STATE
	STREAM_STATE_COUNT
};

_Static_assert(STREAM_STATE_COUNT <= SLUICE_MAX_PHASES, "sluice_counters.ended: room for every phase");

/* What a stream leaves the splice lane for. */
enum lane_after {
	AFTER_READ,	/* bytes came to userspace: the client lags, or the framing needs a look */
	AFTER_FIN,	/* the upstream has ended its side */
	AFTER_END,	/* the body's end was redirected */
	AFTER_DEADLINE, /* something is due: a heartbeat, a timeout, the drain */
};

/* Bytes for a socket that took less than it was given. Empty but for that. */
struct backlog {
	struct buf buf;
	size_t at; /* bytes of buf already sent */
};

static inline size_t backlog_len(const struct backlog *b)
{
	return b->buf.len - b->at;
}

struct stream;
struct acceptor;
struct h2_conn;

/* One client connection, or one stream of an HTTP/2 connection. Holds at most one stream; the next request
 * waits in `in` or in the socket. */
struct client {
	struct wire wire;
	struct client *carrier; /* the HTTP/2 connection that it is a stream of; NULL: a connection */
	struct h2_conn *h2;	/* NULL: speaks HTTP/1 */
	struct list link;	/* env->all_clients */
	struct list idle;	/* env->idle_clients while no request is in progress */
	struct env *env;
	struct stream *stream;
	struct timer timer; /* head timeout, keep-alive, lingering close */
	struct task again;  /* looks at a pipelined request in the next turn */
	struct task free_task;
	struct buf in;	     /* read and not yet used: a partial head, a body's start, a pipelined request */
	struct h1_scan scan; /* of the head in `in` */
	struct sluice_addr addr;
	uint64_t cookie;	/* of the socket; 0: unix */
	uint64_t first_byte_ns; /* of the request being read; 0: none yet */
	uint32_t requests;
	bool is_unix;
	bool trusted;	   /* in trusted_proxies */
	bool proxy_header; /* a PROXY protocol header is still to come */
	bool handshaking;  /* TLS */
	bool h2c;	   /* may begin with HTTP/2 by prior knowledge */
	bool h2_only;
	bool lingering;	      /* our side is shut; reads and discards until the peer closes */
	bool reset_when_sent; /* lingering until the last byte was acknowledged, then a reset */
	bool closed;
	unsigned sndbuf; /* SO_SNDBUF that was set; 0: never */
	uint64_t linger_end_ms;
};

/* NULL: it speaks plaintext. */
static inline const struct tls_conn *client_tls(const struct client *c)
{
	return c->carrier ? c->carrier->wire.tls : c->wire.tls;
}

static inline bool client_is_tls(const struct client *c)
{
	return client_tls(c) != NULL;
}

static inline const char *client_subject(const struct client *c)
{
	return client_is_tls(c) ? tls_client_subject(client_tls(c)) : NULL;
}

/* The request's body on its way up. */
struct request_body {
	enum h1_framing framing;
	uint64_t left;		   /* H1_BODY_LENGTH */
	struct chunk_reader chunk; /* H1_BODY_CHUNKED */
	uint64_t bytes;		   /* of payload, taken so far */
	bool unframed;		   /* of HTTP/2: payload as it came, chunked only on its way up */
	bool done;		   /* all of it was taken from the client */
	bool abandoned;		   /* the upstream takes no more of it: answered early, or broke */
};

/* The response's body on its way down. */
struct response_body {
	enum h1_framing in, out; /* upstream's framing, and the client's */
	bool reframe; /* payload is taken out of its chunks, and put into new ones when `out` is CHUNKED */
	bool drops; /* policy `drop` may leave events out: then `reframe` comes and goes with the client's lag
		     */
	bool events;   /* is an event stream whose text can be read: counted, heartbeats */
	bool stream;   /* treated as one: never idle-cut early, small send buffer */
	bool done;     /* the framing said that this was the end */
	uint64_t left; /* H1_BODY_LENGTH */
	struct chunk_reader chunk;
	struct sse_scan sse;
};

struct stream {
	struct env *env;
	struct client *client;
	struct generation *gen;		    /* a reference */
	const struct route_settings *route; /* of gen->settings; NULL before ROUTE */
	struct sluice_ctl *ctl;		    /* its record */
	bool ctl_private;   /* no slot was free: the record is on the heap, for the 503's log line */
	struct timer timer; /* the state's next deadline; see each state's on_timeout */
	struct task again;  /* goes on reading a busy upstream after the others had their turn */
	struct task free_task;
	enum stream_state state;

	struct wire up; /* source.fd -1: none */
	struct lease lease;
	struct pick_waiter waiter;
	bool waiting; /* in `waiter`'s queue */
	bool up_connected;
	bool up_reused; /* a kept-alive connection: may turn out dead */
	bool up_keep;	/* the response head allows reuse */
	bool up_spoilt; /* bytes behind the response, or an end that was not clean: never reused */
	uint64_t tried; /* servers, for pick_key */
	unsigned attempts;
	int fail_status; /* of the last attempt that failed, for the answer when no server is left; 0: none
			    yet */
	const char *fail_detail;

	enum h1_method method;
	uint8_t minor;	    /* client's HTTP/1.minor */
	bool keep_alive;    /* the client's connection may carry another request */
	bool event_request; /* Accept says text/event-stream, or the route streams */
	bool wants_upgrade;
	bool idempotent;	 /* may be tried again: no body, and GET, HEAD, OPTIONS, PUT or DELETE */
	struct slice pick_value; /* in `kept`: what balances */
	struct buf kept;	 /* pick value and query, until the end */
	size_t query_at;
	struct buf req_head; /* head for the upstream; kept until a response byte came, for another try */
	size_t req_head_sent;
	struct request_body req;
	struct backlog to_up; /* request body bytes that the upstream has not taken */

	struct buf resp_in; /* a partial response head */
	struct h1_scan resp_scan;
	unsigned interims; /* 1xx heads so far */
	struct response_body resp;
	struct backlog to_client;
	bool tunnel_down_done;	   /* TUNNEL: the upstream has ended its side */
	struct event_queue *queue; /* policy drop, while the client lags */
	uint64_t queue_dropped, queue_times;

	enum sluice_lane lane_best; /* where it travels when nothing is in the way */
	bool hooked;		    /* its sockets are in the sockmaps */
	enum lane_after after;	    /* SETTLE: what it left SPLICE for */
	uint64_t settle_ms;	    /* since when */
	uint64_t end_wait_ms;	    /* COPY: the upstream has ended; until then bytes in front of its end are
				       awaited */
	uint64_t folded_events, folded_bytes; /* of the kernel's count: those that the totals have */
	uint64_t watch_ms; /* SPLICE: the watchdog's next look; COPY: whether the client's queue has room for
			      the kernel, 0: not asked */
	unsigned punts;	   /* times that the framing needed userspace */
	uint64_t gap_from_ns; /* COPY: last bytes from the upstream, for the gap in front of the next event;
				 0: not known */
	uint64_t sndbuf_ms;   /* last look at the send buffer's size */
	uint64_t max_age_ms;  /* absolute; 0: none */
	uint64_t drain_at_ms; /* absolute; 0: not draining */
	uint64_t progress_ms; /* last byte of the request body from the client, or of anything while flushing
			       */
	uint64_t sent_ms;     /* request fully sent: the head timeout counts from here */
	uint64_t heartbeat_tried_ms; /* no safe place then: not tried again before an interval passed */
	enum sluice_end_by end_by;
	const char *detail;	 /* static text for the log */
	enum stream_state phase; /* where it stood when its end was decided */
	bool close_client;	 /* after the reply: close, do not read another request */
	bool abort_client;	 /* close with a reset, so that a close-delimited body looks truncated */
	bool logged_open;
	bool counted_route;
};

/* Is there more of the request to take, or to send on? */
static inline bool stream_sends(const struct stream *s)
{
	return !s->req.done || backlog_len(&s->to_up);
}

/* For its lines in the access log. */
static inline struct log_request stream_log_request(const struct stream *s)
{
	return (struct log_request){
		.query = {s->kept.data ? s->kept.data + s->query_at : NULL, s->kept.len - s->query_at},
		.certificate = client_subject(s->client),
	};
}

/* ---- table.c: moves and dispatch */
void stream_move(struct stream *s, enum stream_state next);
const char *stream_state_name(enum stream_state state);
void stream_client_ready(struct stream *s);
void stream_upstream_ready(struct source *source, uint32_t events);

/* ---- end.c */
/* The stream is over: closes the upstream, logs, and lets the client's connection go on or close. `detail` is
 * static. */
void stream_end(struct stream *s, enum sluice_end_by by, const char *detail);
/* Writing to the client failed with `err`: it has gone, or memory has. */
void stream_lost(struct stream *s, int err);
/* The answer is whole in userspace: flush what the client has not taken, then end. */
void stream_finish(struct stream *s, enum sluice_end_by by, const char *detail);
/* The upstream is not needed any more: `reuse` gives the connection to the pool when the rules allow it. */
void stream_drop_upstream(struct stream *s, enum lease_end how);
/* The same, LEASE_REUSE if nothing speaks against it. */
void stream_release_upstream(struct stream *s);
/* Answers in the upstream's stead and ends: status, the reason label, a sentence for the body (or NULL). */
void stream_reply(struct stream *s, int status, enum sluice_end_by by, const char *detail, const char *text);
/* Could not reach an upstream: what the route says an event request gets, 502/503/504 otherwise. */
void stream_unreachable(struct stream *s, int status, enum sluice_end_by by, const char *detail);

/* ---- request.c */
/* The head in c->in is whole (`len` bytes behind the scan's skip), or breaks `rule`. */
void request_start(struct client *c, enum h1_rule rule, size_t len);
/* The same of a head that HTTP/2 brought. */
void request_start_parsed(struct client *c, const struct h1_request *req);
/* A head that was answered already, and has to be counted and logged. */
void request_refused(struct client *c, enum h1_rule rule);
/* The client began a head and did not end it in time. */
void request_timed_out(struct client *c);
/* ---- secure.c */
/* Counts a handshake of this source; false: they are too many. */
bool client_may_begin_tls(struct client *c, const struct sockaddr_any *source);
/* Goes on with the TLS handshake. True: it is done, and the first request may be there. */
bool client_secure(struct client *c);
/* ---- client.c */
/* A connection that was just accepted; takes over the fd. */
struct proxy_header;
/* What a PROXY protocol header said of the connection. False: its source has begun too many TLS handshakes.
 */
bool client_told(struct client *c, const struct proxy_header *h);
void client_open(struct acceptor *a, struct client *c, int fd, const struct sockaddr_any *peer);
/* After a stream: waits for the next request, or closes. */
void client_next(struct client *c);
enum client_close {
	CLIENT_CLOSE,
	CLIENT_CUT, /* the same, but without TLS's close_notify: what was sent is not the whole (RFC 8446 6.1)
		     */
	CLIENT_LINGER, /* the same, while bytes of a request may still be on their way: they are thrown away
			*/
	CLIENT_RESET,
	CLIENT_RESET_WHEN_SENT,
};
void client_close(struct client *c, enum client_close how);
/* ---- dial.c */
void dial_begin(struct stream *s);
/* The connection failed before a response byte: another try if that is allowed, else the route's error
 * answer. */
void dial_failed(struct stream *s, const char *detail);
/* ---- send.c */
void send_begin(struct stream *s);
/* Moves request body bytes until one side has to be waited for. False: the stream has ended in it. */
bool send_pump(struct stream *s);
/* ---- head.c */
void head_begin(struct stream *s);
/* ---- decide.c: the response head is in env->response; `rest` is what came behind it */
void decide(struct stream *s, struct slice rest);
/* ---- copy.c */
void copy_begin(struct stream *s, struct slice rest);
void copy_pump(struct stream *s);
/* The framing's end was seen. */
void copy_complete(struct stream *s);
/* Ends it so that the client sees that this was not the body's end. */
void copy_truncated(struct stream *s, enum sluice_end_by by, const char *detail);
/* The kernel found a gap in the upstream's bytes. */
void copy_broken(struct stream *s);
void copy_close_slow(struct stream *s, const char *detail);
/* ---- deadline.c */
/* Arms the timer for whatever is due first. */
void deadline_arm(struct stream *s);
/* ---- lane.c */
/* Best lane for this response, from DECIDE. */
void lane_choose_for(struct stream *s);
/* The best lane that it could take now if the route asked for `asked`, and why not a better one. */
enum sluice_lane lane_best_of(
	const struct stream *s, enum lane_choice asked, enum sluice_lane_reason *ret_reason);
/* Hands the body to the kernel if that is its lane and nothing is in userspace's hands. */
void lane_try(struct stream *s);
void lane_leave(struct stream *s, enum lane_after after);
/* What was put off to this turn of the loop. */
void lane_again(struct stream *s);
/* What does the kernel need us for? */
void lane_look(struct stream *s);
void lane_watch(struct stream *s, uint64_t now_ms);
/* For splice_notes_read(); `arg` is the env. */
void lane_on_note(void *arg, uint32_t slot);
/* Takes the sockets out of the maps; `complete`: the body ended and both may live on. False: the upstream
 * must be closed. */
bool lane_unhook(struct stream *s, bool complete);
/* Last byte from the upstream and to the client, whoever carried it. */
uint64_t stream_last_in_ns(const struct stream *s);
uint64_t stream_last_out_ns(const struct stream *s);
/* ---- sndbuf.c */
unsigned sndbuf_first(const struct stream *s);
void sndbuf_adapt(struct stream *s);
/* ---- count.c: histograms */
void count_head(struct stream *s);
/* ctl->first_event_ns was just set. */
void count_first_event(struct stream *s);
/* The client has gone, and the upstream that worked for it was let go just now. */
void count_abort(struct stream *s);
void count_end(struct stream *s);
/* ---- heart.c */
/* When the next heartbeat is due (ms), UINT64_MAX: never. */
uint64_t heart_due_ms(const struct stream *s);
/* Writes one if this is a safe place. */
void heart_beat(struct stream *s);
/* Writes an event-stream comment or field block of the relay's own, framed as the response is. False: not a
 * safe place. */
bool heart_inject(struct stream *s, struct slice text);
/* ---- out.c: bytes to the client */
/* Sends, and keeps what the socket does not take. Negative: the client is gone. */
must_check int out_send(struct stream *s, const char *p, size_t n, bool more);
/* Payload of a reframed body: as a chunk of its own when the client's framing is chunked. */
must_check int out_payload(struct stream *s, const char *p, size_t n);
/* Sends the backlog on. 1: empty, 0: still blocked, negative: gone. */
must_check int out_flush(struct stream *s);
void out_blocked(struct stream *s, bool blocked);
/* ---- lag.c: policy drop */
must_check int lag_payload(struct stream *s, const char *p, size_t n);
must_check int lag_refill(struct stream *s);
bool lag_active(const struct stream *s);
/* ---- tunnel.c */
void tunnel_begin(struct stream *s, struct slice rest);
void tunnel_pump(struct stream *s);
/* The client was cut off: so will its upstream be, which must not take it for an end. */
void tunnel_client_lost(struct stream *s);
/* ---- drain.c */
void drain_stream(struct stream *s);
void drain_due(struct stream *s);

/* Sends a backlog on. 1: empty, 0: the socket is full, negative errno: broken. */
must_check int backlog_flush(struct backlog *b, struct wire *w);
must_check int backlog_add(struct backlog *b, const void *p, size_t n);
void backlog_reset(struct backlog *b);

#endif
