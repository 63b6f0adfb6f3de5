/* A client connection that speaks HTTP/2, and its streams. Each of them is a `struct client` of its own, so
 * that a stream does not know what carries it: its wire takes the response as HTTP/1.1 text and body bytes,
 * and here they become frames. Private to stream/; lives on its worker's loop. */
#ifndef SLUICE_STREAM_H2_CONN_H
#define SLUICE_STREAM_H2_CONN_H

#include "proto/h2.h"
#include "stream/stream.h"

#define H2_OUT_BYTES                                                                                         \
	(16 * 1024) /* of a stream, waiting for its window: beyond it the stream is told to wait */

struct h2_conn {
	struct client *client; /* the connection's */
	struct h2_session *session;
	struct list slots;   /* its streams: h2_slot.link */
	struct list dirty;   /* those with something to tell the session: h2_slot.dirty */
	struct list offered; /* those whose bytes are offered to it in this flush: h2_slot.dirty as well */
	struct task flush;
	struct backlog out; /* frames that the socket has not taken */
	bool catching_up;   /* nothing goes ahead of the session, see h2_send_ahead() */
	bool gathers;	    /* the flush was put off by a turn */
	bool noticed;	    /* the first GOAWAY was sent */
	bool reset;	    /* broken, not closed: what its streams' ends say */
	bool ending;	    /* closes when its last frame is sent */
};

/* One stream of it. Lives until the relay's stream has ended and the session has closed its own. */
struct h2_slot {
	struct client client;
	struct h2_conn *conn;
	struct h2_stream *body; /* the session's; NULL: none that DATA may go ahead on */
	struct list link, dirty;
	struct backlog out;  /* text of the response's head and bytes of its body, for the session */
	struct buf trailers; /* the upstream's section of them, as far as it came: CRLF alone is none */
	int32_t id;
	uint32_t reset; /* error code that ends it behind what is in `out`; with ended false */
	bool has_head;	/* the final head was given to the session */
	bool request_done;
	bool ended;    /* the response is whole in `out` */
	bool told_end; /* END_STREAM went to the session */
	bool cut;      /* it is not, and ends with `reset` */
	bool gone;     /* the session has closed it */
	bool moved;    /* bytes of it were taken since the timer was set */
	uint64_t stall_ms;
};

/* `c` turns out to speak HTTP/2; what was read of it is in c->in. */
void h2_conn_begin(struct client *c);
void h2_conn_ready(struct client *c);
void h2_conn_timer(struct client *c);
/* Shutdown: GOAWAY in two steps; closes with the last stream. */
void h2_conn_drain(struct client *c);
/* Shutdown's end: the streams were cut; closes when that is told. */
void h2_conn_end(struct client *c);
/* The connection is closed; its streams end with it. */
void h2_conn_done(struct client *c);

/* A stream has ended with its response whole: its client side goes when the client has taken that, or has
 * taken nothing of it for `stall_ms` (0: for as long as it likes). */
void h2_slot_finish(struct client *c, uint64_t stall_ms);
/* A stream has ended, and its client side with it. `at_once`: what waits for the client's window is thrown
 * away.
 */
void h2_slot_release(struct client *c, bool at_once, uint32_t code);
/* The response's chunks are over. `read` ends where their trailer section does, so far, which has `total`
 * bytes by now: checked ones. */
must_check int h2_slot_trailers(struct client *c, struct slice read, size_t total);
/* Bytes of the request's body were taken. */
void h2_slot_consumed(struct client *c, size_t n);

/* ---- between the two files */
struct h2_slot *h2_slot_new(struct h2_conn *conn, int32_t id);
/* The session is done with it. */
void h2_slot_lost(struct h2_slot *slot, bool reset);
/* Its stream ends; the session has yet to close its own. */
void h2_slot_end(struct h2_slot *slot, bool reset);
/* All that it has as a DATA frame, if that can go as it is; how many bytes of `to` it took. 0: offer it. */
size_t h2_slot_write(struct h2_slot *slot, char *to, size_t room);
/* Tells the session what it has to know, before a pull. */
void h2_slot_offer(struct h2_slot *slot);
/* The next bytes of the body for a frame. */
size_t h2_slot_pull(struct h2_slot *slot, char *to, size_t n, bool *ret_end);
void h2_slot_mark(struct h2_slot *slot);
bool h2_slot_request_ended(const struct client *c);

#endif
