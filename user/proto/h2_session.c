#include "proto/h2_session.h"

#define SETTINGS_VALUE_AT (H2_FRAME_HEADER + 2) /* of the first entry */
#define WINDOW_MAX	  0x7fffffffU

static const struct {
	const char *label, *text;
	enum h2_code code;
} reasons[H2_REASON_COUNT] = {
	[H2_REASON_NONE] = {"none", "no fault was found", H2_NO_ERROR},
#define H2_REASON(id, label, code, text) [H2_REASON_##id] = {label, text, H2_##code},
#include "proto/h2_reasons.def"
#undef H2_REASON
};

const char *h2_reason_label(enum h2_reason r)
{
	return r < H2_REASON_COUNT ? reasons[r].label : "unknown";
}

const char *h2_reason_text(enum h2_reason r)
{
	return r < H2_REASON_COUNT ? reasons[r].text : "unknown";
}

enum h2_code h2_reason_code(enum h2_reason r)
{
	return r < H2_REASON_COUNT ? reasons[r].code : H2_INTERNAL_ERROR;
}

static void put32(char *to, uint32_t v)
{
	for (int i = 3; i >= 0; i--, v >>= 8)
		to[i] = (char)(v & 0xff);
}

static uint32_t get32(const char *p)
{
	const unsigned char *u = (const unsigned char *)p;

	return (uint32_t)u[0] << 24 | (uint32_t)u[1] << 16 | (uint32_t)u[2] << 8 | u[3];
}

void h2_give_up(struct h2_session *s, enum h2_reason why, uint32_t code)
{
	if (s->over)
		return;
	s->over = true;
	s->why = why;
	memcpy(s->last, (char[H2_FRAME_HEADER]){0, 0, H2_GOAWAY_BYTES - H2_FRAME_HEADER, NGHTTP2_GOAWAY},
		H2_FRAME_HEADER);
	put32(s->last + H2_FRAME_HEADER, (uint32_t)nghttp2_session_get_last_proc_stream_id(s->ng));
	put32(s->last + H2_FRAME_HEADER + 4, code);
	s->last_len = H2_GOAWAY_BYTES;
	h2_note(s, H2_NOTE_GOAWAY_OUT, code);
}

void h2_count_reset(struct h2_session *s)
{
	if (!h2_bucket_take(&s->meter.resets, s->limits.resets_per_s, s->now_ms))
		s->found = H2_REASON_RESETS;
}

/* The meter asks for each RST_STREAM. An event stream can only end so: to cancel one that was answered is
 * what every browser does. */
static bool is_cancel(void *arg, int32_t id)
{
	struct h2_stream *stream = h2_stream_of(arg, id);

	if (!stream || !stream->event_stream || stream->by_peer)
		return false;
	stream->by_peer = true;
	return true;
}

static int make_callbacks(nghttp2_session_callbacks **ret)
{
	if (nghttp2_session_callbacks_new(ret))
		return -ENOMEM;
	h2_input_callbacks(*ret);
	h2_output_callbacks(*ret);
	return 0;
}

static int make_option(const struct h2_limits *limits, nghttp2_option **ret)
{
	nghttp2_option *o;

	if (nghttp2_option_new(&o))
		return -ENOMEM;
	nghttp2_option_set_no_auto_window_update(o, 1);
	nghttp2_option_set_no_http_messaging(o, 1); /* h2_request.c is stricter, and says which rule it was */
	nghttp2_option_set_no_closed_streams(o, 1);
	nghttp2_option_set_builtin_recv_extension_type(o, NGHTTP2_PRIORITY_UPDATE);
	nghttp2_option_set_max_outbound_ack(o, limits->queue);
	/* The meter counts these two, and knows cancelled event streams from rapid resets. */
	nghttp2_option_set_stream_reset_rate_limit(o, UINT32_MAX, UINT32_MAX);
	nghttp2_option_set_max_continuations(o, (size_t)limits->continuations + 1);
	*ret = o;
	return 0;
}

/* To nghttp2, one stream more than it was told is the end of the connection. It is told more, and
 * on_begin_headers refuses the one: see mended_settings(). */
static unsigned ceiling(const struct h2_limits *limits)
{
	return limits->max_streams + limits->queue + 1;
}

static int submit_settings(struct h2_session *s)
{
	const nghttp2_settings_entry entries[] = {
		{NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, ceiling(&s->limits)},
		{NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, MIN(s->limits.window, WINDOW_MAX)},
		{NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, s->limits.max_header_list},
		{NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES, 1},
	};
	/* The connection's window never is what holds a body: one stream's stalled upload must stall no
	 * other. */
	uint64_t all = (uint64_t)s->limits.window * s->limits.max_streams;

	if (nghttp2_submit_settings(s->ng, NGHTTP2_FLAG_NONE, entries, ARRAY_LEN(entries)) ||
		nghttp2_session_set_local_window_size(
			s->ng, NGHTTP2_FLAG_NONE, 0, (int32_t)MAX(MIN(all, WINDOW_MAX), 65535)))
		return -ENOMEM;
	return 0;
}

int h2_new(const struct h2_limits *limits, const struct h2_events *events, void *arg, struct h2_session **ret)
{
	nghttp2_session_callbacks *callbacks = NULL;
	nghttp2_option *option = NULL;
	struct h2_session *s = calloc(1, sizeof(*s));
	int err;

	if (!s)
		return -ENOMEM;
	s->events = events;
	s->arg = arg;
	s->limits = *limits;
	list_init(&s->all);
	list_init(&s->ahead);
	s->turn = 1;
	h2_mem_init(&s->mem, limits->memory);
	h2_meter_init(&s->meter, &s->limits, &s->stats, is_cancel, s);
	err = make_callbacks(&callbacks);
	if (!err)
		err = make_option(limits, &option);
	if (!err && nghttp2_session_server_new3(&s->ng, callbacks, s, option, &s->mem.hooks))
		err = -ENOMEM;
	if (!err)
		err = submit_settings(s);
	nghttp2_session_callbacks_del(callbacks);
	nghttp2_option_del(option);
	if (err) {
		h2_free(s);
		return err;
	}
	*ret = s;
	return 0;
}

void h2_free(struct h2_session *s)
{
	if (!s)
		return;
	if (s->fields)
		h2_fields_done(s->fields);
	if (!s->mem.failed)
		nghttp2_session_del(s->ng);
	h2_mem_give_all(&s->mem); /* the streams, at least */
	free(s);
}

static enum h2_reason reason_of(const struct h2_session *s, int err)
{
	switch (err) {
	case NGHTTP2_ERR_BAD_CLIENT_MAGIC:
		return H2_REASON_PREFACE;
	case NGHTTP2_ERR_FLOODED:
		return H2_REASON_QUEUE;
	case NGHTTP2_ERR_NOMEM:
		return h2_no_memory(s);
	default:
		return s->found ? s->found : H2_REASON_INTERNAL;
	}
}

static void give_up_for(struct h2_session *s, enum h2_reason why)
{
	h2_give_up(s, why, h2_reason_code(why));
}

int h2_recv(struct h2_session *s, const char *p, size_t n, uint64_t now_ms)
{
	enum h2_reason flood;
	size_t good;
	ssize_t err;

	/* What was found since: some of its streams' owners may be gone already. */
	if (h2_is_over(s)) {
		give_up_for(s, s->found ? s->found : h2_no_memory(s));
		return -EPROTO;
	}
	/* A window update would be held against windows that are smaller than nghttp2 believes. */
	if (!list_empty(&s->ahead)) {
		give_up_for(s, H2_REASON_INTERNAL);
		return -EPROTO;
	}
	s->turn++;
	s->now_ms = now_ms;
	flood = h2_meter_read(&s->meter, p, n, now_ms, &good);
	err = nghttp2_session_mem_recv(s->ng, (const uint8_t *)p, good);
	if (err < 0)
		give_up_for(s, reason_of(s, (int)err));
	else if (s->found || flood)
		give_up_for(s, s->found ? s->found : flood);
	else if (s->mem.failed)
		give_up_for(s, h2_no_memory(s));
	else if (nghttp2_session_get_outbound_queue_size(s->ng) > s->limits.queue)
		give_up_for(s, H2_REASON_QUEUE);
	return s->over ? -EPROTO : 0;
}

/* The peer is told how many streams it may open; nghttp2 believes in more. */
static size_t mended_settings(struct h2_session *s, char *to, struct slice frame)
{
	memcpy(to, frame.p, frame.n);
	if (frame.n >= SETTINGS_VALUE_AT + 4 && frame.p[3] == NGHTTP2_SETTINGS &&
		get32(frame.p + SETTINGS_VALUE_AT) == ceiling(&s->limits))
		put32(to + SETTINGS_VALUE_AT, s->limits.max_streams);
	s->settings_sent = true;
	return frame.n;
}

static void advance(struct h2_session *s, size_t n)
{
	s->to += n;
	s->room -= n;
}

static void copy_pending(struct h2_session *s)
{
	size_t n = MIN(s->pending.n, s->room);

	if (!n)
		return;
	memcpy(s->to, s->pending.p, n);
	advance(s, n);
	s->pending.p += n;
	s->pending.n -= n;
}

static void copy_last(struct h2_session *s)
{
	size_t n = MIN((size_t)(s->last_len - s->last_at), s->room);

	memcpy(s->to, s->last + s->last_at, n);
	advance(s, n);
	s->last_at += (uint8_t)n;
}

/* The next frame. DATA is written in place by the callbacks, others come as a pointer. False: there is none.
 */
static bool next_frame(struct h2_session *s)
{
	const uint8_t *p;
	ssize_t n;

	s->paused = false;
	n = nghttp2_session_mem_send(s->ng, &p);
	if (n < 0) {
		give_up_for(s, reason_of(s, (int)n));
		return true;
	}
	if (n == 0)
		return s->paused;
	s->pending = (struct slice){(const char *)p, (size_t)n};
	if (!s->settings_sent) {
		advance(s, mended_settings(s, s->to, s->pending));
		s->pending.n = 0;
	}
	return true;
}

ssize_t h2_pull_into(struct h2_session *s, char *to, size_t n)
{
	s->to = to;
	s->room = n;
	for (;;) {
		copy_pending(s);
		if (s->pending.n)
			break;
		if (h2_is_over(s))
			give_up_for(s, s->found ? s->found : h2_no_memory(s));
		if (s->over) {
			copy_last(s);
			break;
		}
		if (s->room < H2_ROOM_MIN || !next_frame(s))
			break;
	}
	return (ssize_t)(n - s->room);
}

bool h2_wants_pull(const struct h2_session *s)
{
	if (s->over)
		return s->pending.n || s->last_at < s->last_len;
	return s->pending.n || h2_is_over(s) || nghttp2_session_want_write(s->ng);
}

bool h2_is_done(const struct h2_session *s)
{
	return !h2_wants_pull(s) && (s->over || !nghttp2_session_want_read(s->ng));
}

void h2_shutdown_notice(struct h2_session *s)
{
	if (!h2_is_over(s) && nghttp2_submit_shutdown_notice(s->ng))
		s->found = h2_no_memory(s);
}

void h2_goaway(struct h2_session *s, uint32_t code)
{
	if (!h2_is_over(s) && nghttp2_submit_goaway(s->ng, NGHTTP2_FLAG_NONE,
				      nghttp2_session_get_last_proc_stream_id(s->ng), code, NULL, 0))
		s->found = h2_no_memory(s);
}

void h2_terminate(struct h2_session *s, uint32_t code)
{
	h2_give_up(s, H2_REASON_NONE, code);
}

enum h2_reason h2_why(const struct h2_session *s)
{
	return s->why;
}

unsigned h2_streams(const struct h2_session *s)
{
	return s->streams;
}

const struct h2_stats *h2_stats(struct h2_session *s)
{
	s->stats.memory = s->mem.used;
	s->stats.memory_max = s->mem.most;
	return &s->stats;
}

struct h2_stream *h2_body(const struct h2_session *s, int32_t id)
{
	return h2_is_over(s) ? NULL : h2_stream_of(s, id);
}

void h2_reset(struct h2_session *s, int32_t id, uint32_t code)
{
	struct h2_stream *stream = h2_body(s, id);

	if (!stream || stream->by_peer)
		return;
	stream->ours = true;
	if (nghttp2_submit_rst_stream(s->ng, NGHTTP2_FLAG_NONE, id, code))
		s->found = h2_no_memory(s);
}

void h2_detach(struct h2_session *s, int32_t id)
{
	/* Nothing is called any more when it is over. */
	struct h2_stream *stream = h2_body(s, id);

	if (!stream)
		return;
	stream->user = NULL;
	stream->detached = true;
}

void h2_resume(struct h2_session *s, int32_t id)
{
	struct h2_stream *stream = h2_body(s, id);

	if (!stream)
		return;
	stream->idle = false;
	/* Fails for a stream that has nothing deferred, or already waits for its turn. */
	if (nghttp2_session_resume_data(s->ng, id) == NGHTTP2_ERR_NOMEM)
		s->found = h2_no_memory(s);
}

void h2_consume(struct h2_session *s, int32_t id, size_t n)
{
	if (!h2_is_over(s) && nghttp2_session_consume_stream(s->ng, id, n) == NGHTTP2_ERR_NOMEM)
		s->found = h2_no_memory(s);
}

size_t h2_window(const struct h2_session *s, int32_t id)
{
	const struct h2_stream *stream = h2_body(s, id);
	int64_t all, one;

	if (!stream)
		return 0;
	all = (int64_t)nghttp2_session_get_remote_window_size(s->ng) - (int64_t)s->ahead_bytes;
	one = (int64_t)nghttp2_session_get_stream_remote_window_size(s->ng, id) - stream->ahead;
	return (size_t)MAX(MIN(all, one), 0);
}
