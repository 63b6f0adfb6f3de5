/* What goes: heads from HTTP/1.1 text, and DATA frames that pull() writes straight into the caller's buffer.
 */
#include "proto/h2_session.h"
#include "proto/h1_fields.h"

#define FIELDS_MAX 256
#define TINY	   64 /* bytes of payload below which a frame costs more than it carries */

/* The payload goes to its place behind the frame header's at once; send_data() puts the header in front. */
ssize_t h2_read_body(nghttp2_session *ng, int32_t id, uint8_t *to, size_t length, uint32_t *flags,
	nghttp2_data_source *source, void *session)
{
	struct h2_session *s = session;
	struct h2_stream *stream = source->ptr;
	bool end = false;
	size_t n = 0;

	(void)ng;
	(void)id;
	(void)to;
	if (unlikely(stream->ahead)) {
		*flags = NGHTTP2_DATA_FLAG_NO_COPY;
		return stream->ahead;
	}
	if (!stream->detached)
		n = s->events->pull(s->arg, stream->user, s->to + H2_FRAME_HEADER,
			MIN(length, s->room - H2_FRAME_HEADER), &end);
	if (n == 0 && !end) {
		stream->idle = true;
		return NGHTTP2_ERR_DEFERRED;
	}
	stream->credit_turn = 0;
	*flags = NGHTTP2_DATA_FLAG_NO_COPY | (end ? NGHTTP2_DATA_FLAG_EOF : 0);
	if (unlikely(end && stream->trailed))
		*flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
	/* nghttp2 offers the window, or a frame's 16 KiB. */
	if (n == length && length < H2_FRAME_MAX) {
		s->stats.stalls++;
		h2_note(s, H2_NOTE_STALL, 0);
		if (n < TINY && !end && !h2_bucket_take(&s->dribbles, s->limits.dribbles_per_s, s->now_ms))
			s->found = H2_REASON_DRIBBLE;
	}
	return (ssize_t)n;
}

void h2_data_sent(struct h2_session *s, size_t n)
{
	s->stats.data_frames_out++;
	s->stats.data_bytes_out += n;
	h2_bucket_credit(&s->meter.window_updates, 4);
	/* At full speed windows end anywhere: only where small frames are the rule somebody makes them so. */
	if (n >= TINY)
		h2_bucket_credit(&s->dribbles, 1);
}

static int send_data(nghttp2_session *ng, nghttp2_frame *frame, const uint8_t *header, size_t length,
	nghttp2_data_source *source, void *session)
{
	struct h2_session *s = session;
	struct h2_stream *stream = source->ptr;

	(void)ng;
	(void)frame;
	if (unlikely(stream->ahead)) {
		h2_ahead_told(s, stream);
		return 0;
	}
	memcpy(s->to, header, H2_FRAME_HEADER);
	s->to += H2_FRAME_HEADER + length;
	s->room -= H2_FRAME_HEADER + length;
	h2_data_sent(s, length);
	if (s->room >= H2_ROOM_MIN && !s->found)
		return 0;
	s->paused = true;
	return NGHTTP2_ERR_PAUSE;
}

/* Whose fault was it? What the relay resets, and what a full relay refuses, is not the peer's; what
 * h2_refuse() reset was counted there. The rest is nghttp2's answer to a mistake. */
static bool is_peers_fault(const struct h2_stream *stream, uint32_t code)
{
	if (code == NGHTTP2_NO_ERROR || code == NGHTTP2_REFUSED_STREAM)
		return false;
	return stream ? !stream->ours && !stream->broken : code != NGHTTP2_PROTOCOL_ERROR;
}

static void reset_sent(struct h2_session *s, int32_t id, uint32_t code)
{
	s->stats.resets_out++;
	h2_note(s, H2_NOTE_RESET_OUT, code);
	if (is_peers_fault(h2_stream_of(s, id), code))
		h2_count_reset(s);
}

static void goaway_sent(struct h2_session *s, uint32_t code)
{
	static const enum h2_reason found[] = {
		[H2_PROTOCOL_ERROR] = H2_REASON_PROTOCOL,
		[H2_INTERNAL_ERROR] = H2_REASON_INTERNAL,
		[H2_FLOW_CONTROL_ERROR] = H2_REASON_FLOW_CONTROL,
		[H2_STREAM_CLOSED] = H2_REASON_STREAM_CLOSED,
		[H2_FRAME_SIZE_ERROR] = H2_REASON_FRAME_SIZE,
		[H2_COMPRESSION_ERROR] = H2_REASON_COMPRESSION,
		[H2_ENHANCE_YOUR_CALM] = H2_REASON_SETTINGS, /* too many entries in one SETTINGS frame */
	};

	h2_note(s, H2_NOTE_GOAWAY_OUT, code);
	if (!s->why && code < ARRAY_LEN(found))
		s->why = found[code];
}

/* The answer is whole and the request is not: nobody waits for the rest of it (RFC 9113 8.1). */
static void answer_sent(struct h2_session *s, int32_t id)
{
	if (nghttp2_session_get_stream_remote_close(s->ng, id) != 0)
		return;
	if (nghttp2_submit_rst_stream(s->ng, NGHTTP2_FLAG_NONE, id, NGHTTP2_NO_ERROR))
		s->found = h2_no_memory(s);
}

static int on_frame_send(nghttp2_session *ng, const nghttp2_frame *frame, void *session)
{
	struct h2_session *s = session;

	(void)ng;
	switch (frame->hd.type) {
	case NGHTTP2_RST_STREAM:
		reset_sent(s, frame->hd.stream_id, frame->rst_stream.error_code);
		break;
	case NGHTTP2_GOAWAY:
		goaway_sent(s, frame->goaway.error_code);
		break;
	case NGHTTP2_DATA:
	case NGHTTP2_HEADERS:
		if (frame->hd.flags & NGHTTP2_FLAG_END_STREAM)
			answer_sent(s, frame->hd.stream_id);
		break;
	default:
		break;
	}
	return 0;
}

void h2_output_callbacks(nghttp2_session_callbacks *c)
{
	nghttp2_session_callbacks_set_send_data_callback(c, send_data);
	nghttp2_session_callbacks_set_on_frame_send_callback(c, on_frame_send);
}

/* A line without its CRLF. False: there is no whole line. */
static bool next_line(struct slice *text, struct slice *ret)
{
	const char *cr = text->n ? memchr(text->p, '\r', text->n) : NULL;
	size_t len;

	if (!cr)
		return false;
	len = (size_t)(cr - text->p);
	if (len + 2 > text->n || cr[1] != '\n')
		return false;
	*ret = (struct slice){text->p, len};
	text->p += len + 2;
	text->n -= len + 2;
	return true;
}

/* RFC 9113 8.2.2 */
static bool connection_specific(enum h1_field_id id)
{
	switch (id) {
	case H1_F_CONNECTION:
	case H1_F_KEEP_ALIVE:
	case H1_F_PROXY_CONNECTION:
	case H1_F_TRANSFER_ENCODING:
	case H1_F_UPGRADE:
		return true;
	default:
		return false;
	}
}

static nghttp2_nv nv_of(struct slice name, struct slice value)
{
	/* nghttp2 copies both, and puts the name in lower case. */
	return (nghttp2_nv){(uint8_t *)name.p, (uint8_t *)value.p, name.n, value.n, NGHTTP2_NV_FLAG_NONE};
}

struct head {
	nghttp2_nv nv[FIELDS_MAX];
	size_t n;
	int status;
	bool event_stream;
};

static int field_add(struct head *h, struct slice line)
{
	const char *colon = memchr(line.p, ':', line.n);
	struct slice name, value;
	enum h1_field_id id;

	if (!colon || colon == line.p)
		return -EINVAL;
	name = (struct slice){line.p, (size_t)(colon - line.p)};
	value = slice_trim((struct slice){colon + 1, line.n - name.n - 1});
	id = h1_field_lookup(name);
	if (connection_specific(id))
		return 0;
	if (h->n == FIELDS_MAX)
		return -E2BIG;
	if (id == H1_F_CONTENT_TYPE)
		h->event_stream = slice_eq_nocase(h1_list_word(value), SLICE("text/event-stream"));
	h->nv[h->n++] = nv_of(name, value);
	return 0;
}

/* Field lines up to the empty one. */
static int fields_read(struct slice text, struct head *h)
{
	struct slice line;
	int err = 0;

	while (!err) {
		if (!next_line(&text, &line))
			return -EINVAL;
		if (line.n == 0)
			return 0;
		err = field_add(h, line);
	}
	return err;
}

static int head_read(struct slice text, struct head *h)
{
	struct slice line;
	int err;

	h->event_stream = false;
	if (!next_line(&text, &line) || line.n < 12 || !slice_starts(line, SLICE("HTTP/1.1 ")))
		return -EINVAL;
	h->status = 0;
	for (size_t i = 9; i < 12; i++) {
		if (line.p[i] < '0' || line.p[i] > '9')
			return -EINVAL;
		h->status = h->status * 10 + (line.p[i] - '0');
	}
	h->nv[0] = nv_of(SLICE(":status"), (struct slice){line.p + 9, 3});
	h->n = 1;
	err = fields_read(text, h);
	if (err)
		return err;
	return h->status >= 100 && h->status != 101 ? 0 : -EINVAL;
}

static int no_memory(struct h2_session *s)
{
	s->found = h2_no_memory(s);
	return -ENOMEM;
}

/* Of an answer that can still be sent; else NULL. */
static struct h2_stream *answerable(const struct h2_session *s, int32_t id)
{
	struct h2_stream *stream = h2_body(s, id);

	return stream && !stream->detached && !stream->by_peer ? stream : NULL;
}

/* nghttp2 cannot go on after an allocation failed, so it is asked only for what there is room for. */
static bool has_memory(const struct h2_session *s, struct slice text, const struct head *h)
{
	return s->mem.max - MIN(s->mem.used, s->mem.max) >= H2_HEAD_COST(text.n, h->n);
}

int h2_head(struct h2_session *s, int32_t id, struct slice text, bool end)
{
	struct h2_stream *stream = answerable(s, id);
	nghttp2_data_provider body = {.source.ptr = stream, .read_callback = h2_read_body};
	struct head h;
	int err;

	if (!stream)
		return -ENOENT;
	err = head_read(text, &h);
	if (err)
		return err;
	if (!has_memory(s, text, &h))
		return -ENOBUFS;
	if (h.status < 200) {
		err = nghttp2_submit_headers(s->ng, NGHTTP2_FLAG_NONE, id, NULL, h.nv, h.n, NULL);
		return err < 0 ? no_memory(s) : 0;
	}
	if (nghttp2_submit_response(s->ng, id, h.nv, h.n, end ? NULL : &body))
		return no_memory(s);
	stream->event_stream = h.status == 200 && h.event_stream;
	return 0;
}

int h2_trailers(struct h2_session *s, int32_t id, struct slice text)
{
	struct h2_stream *stream = answerable(s, id);
	struct head h;
	int err;

	if (!stream || stream->trailed)
		return -ENOENT;
	h.n = 0;
	err = fields_read(text, &h);
	if (err)
		return err;
	if (!h.n)
		return -EINVAL;
	if (!has_memory(s, text, &h))
		return -ENOBUFS;
	if (nghttp2_submit_trailer(s->ng, id, h.nv, h.n))
		return no_memory(s);
	stream->trailed = true;
	return 0;
}
