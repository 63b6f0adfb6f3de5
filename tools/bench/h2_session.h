/* The client's half of one HTTP/2 connection (RFC 9113): requests without a body out, heads and body bytes
 * in, flow control with windows as large as Chromium's. Bytes in through h2_session_feed(), bytes out through
 * `out`; no I/O. The framing is own code (h2_frames.h says why); only HPACK is nghttp2's, which costs per
 * response head and not per event. One thread. */
#ifndef SLUICE_BENCH_H2_SESSION_H
#define SLUICE_BENCH_H2_SESSION_H

#include "h2_frames.h"
#include <nghttp2/nghttp2.h>

#define H2_STREAM_WINDOW (6 * 1024 * 1024)
#define H2_CONN_WINDOW	 (15 * 1024 * 1024)

struct h2_session;

/* `stream` is what h2_session_request() was given. A call may reset streams and make requests, but not free
 * the session. */
struct h2_calls {
	void (*on_settings)(struct h2_session *s); /* the server's first: requests may begin */
	void (*on_head)(struct h2_session *s, void *stream, unsigned status, struct slice content_type);
	void (*on_data)(struct h2_session *s, void *stream, struct slice body);
	/* The stream is over and forgotten; `why` for people. */
	void (*on_over)(struct h2_session *s, void *stream, const char *why);
};

struct h2_slot {
	void *stream;	   /* NULL: over */
	uint32_t consumed; /* DATA bytes that no WINDOW_UPDATE gave back yet */
	bool head;	   /* its response head came */
	bool stalled;	   /* gets no more window */
};

struct h2_session {
	const struct h2_calls *calls;
	struct buf out; /* to be sent; the owner drops what is out */
	struct h2_frames frames;
	nghttp2_hd_inflater *inflater;
	struct buf block;	/* a header block that CONTINUATION goes on with */
	uint32_t block_stream;	/* 0: none is open */
	uint32_t max_streams;	/* the server's SETTINGS_MAX_CONCURRENT_STREAMS; UINT32_MAX: no limit */
	uint32_t stream_window; /* what each stream is given */
	uint32_t consumed;	/* of the connection's window */
	struct h2_slot *slots;	/* a ring: stream 2k + 1 is at k & (cap - 1) */
	uint32_t first, next;	/* k of the oldest stream that is not over, and of the next one */
	uint32_t cap, open;
	bool block_ends; /* END_STREAM came with its HEADERS */
	bool settled;	 /* the server's SETTINGS came */
	bool going;	 /* GOAWAY came: no more requests */
	char why[96];	 /* of the error of h2_session_feed() */
};

/* `stream_window`: bytes, at most 2^31 - 1. `out` begins with the preface. -ENOMEM. */
must_check int h2_session_init(struct h2_session *s, const struct h2_calls *calls, uint32_t stream_window);
void h2_session_done(struct h2_session *s);

/* Appends the header block of a GET, the same for all of them; no indexing, so that blocks may be repeated.
 */
must_check int h2_request_block(struct buf *out, bool tls, const char *host, const char *path);
/* Makes the request; *ret_id is its stream's number. -EAGAIN before the SETTINGS came, -EBUSY when the server
 * allows no more at once, -EPIPE after GOAWAY, -ENOMEM. */
must_check int h2_session_request(struct h2_session *s, struct slice block, void *stream, uint32_t *ret_id);
/* Cancels: RST_STREAM with CANCEL, and the stream is forgotten. */
must_check int h2_session_cancel(struct h2_session *s, uint32_t id);
/* The stream gets no more window. Legal when it is over. */
void h2_session_stall(struct h2_session *s, uint32_t id);
/* 0, or a negative errno with s->why: the connection is of no more use. */
must_check int h2_session_feed(struct h2_session *s, const char *p, size_t n);

#endif
