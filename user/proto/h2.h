/* HTTP/2, the server's side of one connection: bytes in, calls up, bytes out. No sockets, no clock of its
 * own; the only user of nghttp2. Owned by one connection, on its worker's thread. Requests come as struct
 * h1_request, so that the same routing and h1_write_request serve both versions. Source: RFC 9113, RFC 7541,
 * RFC 9218; limits: http-rules.md "HTTP/2 abuse limits". */
#ifndef SLUICE_PROTO_H2_H
#define SLUICE_PROTO_H2_H

#include "proto/h1.h"

#define H2_PREFACE	"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
#define H2_PREFACE_LEN	(sizeof(H2_PREFACE) - 1)
#define H2_FRAME_HEADER 9
#define H2_PULL_MIN	512 /* bytes: h2_pull_into() needs that much room */

/* Error codes, RFC 9113 7. */
enum h2_code {
	H2_NO_ERROR,
	H2_PROTOCOL_ERROR,
	H2_INTERNAL_ERROR,
	H2_FLOW_CONTROL_ERROR,
	H2_SETTINGS_TIMEOUT,
	H2_STREAM_CLOSED,
	H2_FRAME_SIZE_ERROR,
	H2_REFUSED_STREAM,
	H2_CANCEL,
	H2_COMPRESSION_ERROR,
	H2_CONNECT_ERROR,
	H2_ENHANCE_YOUR_CALM,
	H2_INADEQUATE_SECURITY,
	H2_HTTP_1_1_REQUIRED,
};

/* Why the connection is being closed. 0: it is not, or without a fault of the peer's. */
enum h2_reason {
	H2_REASON_NONE,
#define H2_REASON(id, label, code, text) H2_REASON_##id,
#include "proto/h2_reasons.def"
#undef H2_REASON
	H2_REASON_COUNT
};

const char *h2_reason_label(enum h2_reason r); /* for logs and counters: "resets" */
const char *h2_reason_text(enum h2_reason r);  /* a sentence for the log */
enum h2_code h2_reason_code(enum h2_reason r);

/* "per_s" limits are token buckets that hold one second's worth. */
struct h2_limits {
	unsigned max_streams; /* open at once; more get REFUSED_STREAM */
	unsigned
		max_header_list; /* bytes of a head as RFC 9113 6.5.2 counts: 32 more a field. Over it: 431 */
	unsigned window;	 /* bytes of request body that a stream may send ahead of h2_consume() */
	unsigned resets_per_s; /* RST_STREAM of either side; not of answered event streams, not h2_reset() */
	unsigned pings_per_s;
	unsigned settings_per_s;
	unsigned empty_data_per_s; /* DATA without payload and without END_STREAM; padding-only ones apart */
	unsigned continuations;	   /* in one head */
	unsigned window_updates_per_s; /* four more for each DATA frame that was sent */
	unsigned dribbles_per_s; /* DATA frames that a window cut below 64 bytes; one more for each larger */
	unsigned priorities_per_s; /* PRIORITY and PRIORITY_UPDATE */
	unsigned unknown_per_s;	   /* frames of unknown types */
	unsigned queue;		   /* frames, DATA aside, that wait because the peer does not read */
	size_t memory;		   /* bytes that the session may hold, nghttp2's included */
};

#define H2_LIMITS_DEFAULT                                                                                    \
	{                                                                                                    \
		.max_streams = 250, .max_header_list = 64 * 1024, .window = 64 * 1024, .resets_per_s = 100,  \
		.pings_per_s = 100, .settings_per_s = 50, .empty_data_per_s = 100, .continuations = 20,      \
		.window_updates_per_s = 1000, .dribbles_per_s = 100, .priorities_per_s = 200,                \
		.unknown_per_s = 100, .queue = 1000, .memory = 2 * 1024 * 1024,                              \
	}

struct h2_stats {
#define H2_STAT(name, text) uint64_t name;
#include "proto/h2_stats.def"
#undef H2_STAT
};

enum h2_note {
	H2_NOTE_RESET_IN, /* RST_STREAM came */
	H2_NOTE_RESET_OUT,
	H2_NOTE_GOAWAY_IN,
	H2_NOTE_GOAWAY_OUT,
	H2_NOTE_STALL, /* a window was used up while there was more to send, or just then */
};

/* Upward calls, all inside h2_recv() or h2_pull_into(); none may free the session. `user` is what on_request
 * stored. */
struct h2_events {
	/* A whole, valid request head. Its slices live until the call returns. `end`: no body follows, and
	 * on_end is not called. What is stored in *ret_user is kept with the stream. Not 0: the stream is
	 * refused with that code, and nothing more is called for it. Framing: LENGTH with Content-Length
	 * (what comes is then held to it), CHUNKED for a body of unknown length, else NONE. There is no
	 * `host` among the fields; req->host says it. */
	uint32_t (*on_request)(
		void *arg, int32_t id, const struct h1_request *req, bool end, void **ret_user);
	/* A head that breaks `rule` was refused: with the rule's status if that is not 400, else with
	 * RST_STREAM. For counting and the log. `user` is NULL but for a body or trailers that break a rule
	 * (H2_CL_MISMATCH …): then on_closed follows. */
	void (*on_refused)(void *arg, int32_t id, void *user, enum h1_rule rule);
	/* Request body; the window goes back with h2_consume(). */
	void (*on_data)(void *arg, void *user, const char *p, size_t n);
	/* The request body is whole; trailers were dropped. */
	void (*on_end)(void *arg, void *user);
	/* The stream is gone, by RST_STREAM of either side (`by_peer`) or because both ends are done (code
	 * 0): `user` must be let go. Comes once for each accepted request, unless h2_detach() came first or
	 * the session is freed. */
	void (*on_closed)(void *arg, void *user, uint32_t code, bool by_peer);
	/* The next bytes of the body, at most n, straight into the frame. 0 without *ret_end: none now;
	 * h2_resume() when there are. */
	size_t (*pull)(void *arg, void *user, char *to, size_t n, bool *ret_end);
	/* For counters; NULL is legal. `code`: an error code as it came, which may be none of enum h2_code; 0
	 * for H2_NOTE_STALL. */
	void (*on_note)(void *arg, enum h2_note note, uint32_t code);
};

struct h2_session;

/* Queues SETTINGS. `limits` is copied, `events` must outlive the session. 0 or -ENOMEM. */
must_check int h2_new(
	const struct h2_limits *limits, const struct h2_events *events, void *arg, struct h2_session **ret);
/* Calls nothing: streams that are open must be let go by the caller. NULL is legal. */
void h2_free(struct h2_session *s);

/* Takes all bytes; `now_ms` is monotonic. Negative: the connection must be closed once what h2_pull_into()
 * still has is sent (a GOAWAY); h2_why() says the reason. Faults that nghttp2 finds show by h2_is_done()
 * after pulling. */
must_check int h2_recv(struct h2_session *s, const char *p, size_t n, uint64_t now_ms);
/* Frames to send, as many as fit into `n` (>= H2_PULL_MIN) bytes: written once, payload included, by pull().
 * Returns how many bytes; 0: none now. All of it must be sent, in order, before more is pulled: pull only
 * while nothing waits, so that a peer that does not read holds no memory. A larger `n` makes fewer writes and
 * records; 16 KiB is enough. */
must_check ssize_t h2_pull_into(struct h2_session *s, char *to, size_t n);
/* The short way for events, between two h2_pull_into(): a DATA frame of all n bytes of a body, when nothing
 * of the stream waits and no window is used up by it. True: its header is in `to`, and the caller puts the n
 * bytes behind it. False: h2_resume(), as always; nothing has changed. The windows are told of it later
 * (h2_ahead.c). */
struct h2_stream;
must_check bool h2_send_ahead(struct h2_session *s, struct h2_stream *body, size_t n, char *to, size_t room);
/* The stream, for that: after h2_head() without `end`; good until on_closed or h2_detach(). NULL: there is
 * none. */
struct h2_stream *h2_body(const struct h2_session *s, int32_t id);
/* Has a frame gone (of this stream) that the windows were not told of? Not when the session is over. With it,
 * h2_recv() and h2_reset() must not be called: h2_tell_ahead() or h2_resume() of the stream, and a pull until
 * nothing is left, come first. */
bool h2_is_ahead(const struct h2_session *s);
bool h2_body_is_ahead(const struct h2_session *s, const struct h2_stream *body);
void h2_tell_ahead(struct h2_session *s);
/* True when h2_pull_into() may have something: cheap, may be wrong in that direction only. */
bool h2_wants_pull(const struct h2_session *s);

/* An HTTP/1.1 head as h1_write_* make it becomes HEADERS: connection-specific fields are left out. A 1xx
 * (never with `end`, and not 101) may come before. `end`: there is no body, pull() is not called. 0; -ENOENT:
 * no such stream; -EINVAL: not a head; -E2BIG: over 256 fields; -ENOBUFS: no memory within the limit (reset
 * the stream); -ENOMEM. */
must_check int h2_head(struct h2_session *s, int32_t id, struct slice h1_head, bool end);
/* For pull(), before it says *ret_end: HTTP/1.1 field lines and the empty line behind them follow the body as
 * its trailers. They are checked by the chunk reader. Errors as h2_head()'s, and nothing follows then. */
must_check int h2_trailers(struct h2_session *s, int32_t id, struct slice h1_trailers);
/* pull() has bytes or the end now. Unknown ids are legal. */
void h2_resume(struct h2_session *s, int32_t id);
/* RST_STREAM. Never counted as abuse: what the peer did wrong the session has counted itself. on_closed
 * follows when it is sent, that may be late; h2_detach() spares the wait. Bytes that pull() has not given are
 * dropped. */
void h2_reset(struct h2_session *s, int32_t id, uint32_t code);
/* Nothing is called for this stream any more: `user` is forgotten. What it still receives is thrown away.
 * Only for a stream that was reset, or whose end pull() has given. */
void h2_detach(struct h2_session *s, int32_t id);
/* n bytes of request body were taken: the stream's window opens again. */
void h2_consume(struct h2_session *s, int32_t id, size_t n);
/* Bytes that may be sent on the stream now: the lesser of its and the connection's window. */
size_t h2_window(const struct h2_session *s, int32_t id);

/* GOAWAY(2^31-1): first step of a drain (RFC 9113 6.8). New streams are still served: they may be on their
 * way. */
void h2_shutdown_notice(struct h2_session *s);
/* GOAWAY(last stream): second step. New streams are ignored, open ones end. */
void h2_goaway(struct h2_session *s, uint32_t code);
/* GOAWAY at once and last: h2_is_done() when it is pulled. */
void h2_terminate(struct h2_session *s, uint32_t code);

/* Neither wants to read nor to write: close the connection. */
bool h2_is_done(const struct h2_session *s);
enum h2_reason h2_why(const struct h2_session *s);
/* Requests accepted and not closed. */
unsigned h2_streams(const struct h2_session *s);
const struct h2_stats *h2_stats(struct h2_session *s);

#endif
