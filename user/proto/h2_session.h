/* What the files of the HTTP/2 session share. Private to proto/. */
#ifndef SLUICE_PROTO_H2_SESSION_H
#define SLUICE_PROTO_H2_SESSION_H

#include "proto/h2.h"
#include "proto/h2_mem.h"
#include "base/list.h"
#include "proto/h2_meter.h"
#include "proto/h2_request.h"

#define H2_FRAME_MAX 16384
#define H2_ROOM_MIN  (H2_FRAME_HEADER + 128) /* less room than that is not worth a DATA frame */
/* Memory that a head of n bytes and f fields may take until it is sent: copies, HPACK's own and its block. */
#define H2_HEAD_COST(n, f) (3 * (n) + 128 * (f) + 32 * 1024)
#define H2_GOAWAY_BYTES	   (H2_FRAME_HEADER + 8)

/* An accepted request; nghttp2 keeps it as the stream's user data. */
struct h2_stream {
	struct list link; /* h2_session.all */
	void *user;
	int32_t id;
	uint64_t left; /* of Content-Length */
	bool has_length;
	bool event_stream; /* was answered with text/event-stream */
	bool broken;	   /* its body or trailers broke a rule: nothing of it goes up any more */
	bool by_peer;	   /* the peer has reset it */
	bool detached;	   /* nothing is called for it */
	bool ours;	   /* the reset that is queued is not the peer's fault */
	bool trailed;	   /* trailers are queued: they end it, not its last DATA */
	bool idle;	   /* its head has gone, and nghttp2 waits for h2_resume() */

	/* h2_ahead.c */
	struct list ahead_link; /* h2_session.ahead, while `ahead` is not 0 */
	uint32_t ahead; /* bytes of DATA that have gone and nghttp2 does not know of: a frame's at most */
	int32_t credit; /* of its window, when `credit_turn` is the session's `turn` */
	uint32_t credit_turn;
};

struct h2_session {
	nghttp2_session *ng;
	const struct h2_events *events;
	void *arg;
	struct h2_limits limits;
	struct h2_stats stats;
	struct h2_mem mem;
	struct h2_meter meter;
	struct h2_bucket dribbles;
	struct h2_fields
		*fields;      /* of the head that is being received: there is one at most (RFC 9113 4.3) */
	uint64_t now_ms;      /* of the last h2_recv() */
	struct list ahead;    /* streams with bytes that nghttp2 does not know of, */
	uint64_t ahead_bytes; /* and those of all of them */
	uint32_t turn;	      /* of h2_recv(), from 1: windows may have changed since the last */
	struct list all;
	unsigned streams; /* in it */
	enum h2_reason why;
	enum h2_reason found; /* by a callback: given up as soon as nghttp2 is out of the way */
	bool over;	      /* nghttp2 is not asked any more: `pending`, then `last`, and that is it */
	bool settings_sent;   /* the first frame, whose MAX_CONCURRENT_STREAMS is mended, is out */
	bool settings_known;  /* the peer has acknowledged them */
	struct slice pending; /* bytes of a frame that did not fit; nghttp2's */
	char last[H2_GOAWAY_BYTES];
	uint8_t last_len, last_at;

	char *to;    /* h2_pull_into(): where the next frame goes, */
	size_t room; /* how much may, */
	bool paused; /* and whether nghttp2 stopped for want of room */
};

/* Ends the connection with a GOAWAY that nghttp2 has no hand in: it may be out of memory, or hold a thousand
 * acks. */
void h2_give_up(struct h2_session *s, enum h2_reason why, uint32_t code);
/* The head of stream `id` breaks `rule`: answers, counts and tells. */
void h2_refuse(struct h2_session *s, int32_t id, struct h2_stream *stream, enum h1_rule rule);
/* A reset that is the peer's fault: its own, or one that it made the session send. */
void h2_count_reset(struct h2_session *s);

static inline void h2_note(struct h2_session *s, enum h2_note note, uint32_t code)
{
	if (s->events->on_note)
		s->events->on_note(s->arg, note, code);
}

/* nghttp2 is not to be asked any more. */
static inline bool h2_is_over(const struct h2_session *s)
{
	return s->over || s->found || s->mem.failed;
}

static inline enum h2_reason h2_no_memory(const struct h2_session *s)
{
	return s->mem.denied ? H2_REASON_MEMORY : H2_REASON_INTERNAL;
}

static inline struct h2_stream *h2_stream_of(const struct h2_session *s, int32_t id)
{
	return nghttp2_session_get_stream_user_data(s->ng, id);
}

/* h2_input.c, h2_output.c: nghttp2's callbacks for either direction. */
void h2_input_callbacks(nghttp2_session_callbacks *c);
void h2_output_callbacks(nghttp2_session_callbacks *c);
/* The body of every answer; source->ptr is its struct h2_stream. */
ssize_t h2_read_body(nghttp2_session *ng, int32_t id, uint8_t *to, size_t length, uint32_t *flags,
	nghttp2_data_source *source, void *session);

/* A DATA frame of n bytes has gone: counted, and credited to the peer's allowances. */
void h2_data_sent(struct h2_session *s, size_t n);
/* nghttp2 has taken the stream's bytes that had gone ahead off its windows. */
void h2_ahead_told(struct h2_session *s, struct h2_stream *stream);

/* Value of a `priority` field (RFC 9218 4): urgency 0 to 7. What cannot be read is as if it were not there.
 */
unsigned h2_urgency(struct slice value);

#endif
