/* What comes: nghttp2's callbacks become h2_events. */
#include "proto/h2_session.h"
#include "proto/h1_fields.h"
#include <stdio.h>

/* nghttp2 stops at once when something was found that ends the connection. */
static int go_on(const struct h2_session *s)
{
	return s->found || s->mem.failed ? NGHTTP2_ERR_CALLBACK_FAILURE : 0;
}

static void reset(struct h2_session *s, int32_t id, uint32_t code)
{
	if (nghttp2_submit_rst_stream(s->ng, NGHTTP2_FLAG_NONE, id, code))
		s->found = h2_no_memory(s);
}

/* The answer to a head that was understood but is not served. */
static void answer(struct h2_session *s, int32_t id, int status)
{
	char text[16];
	int n = snprintf(text, sizeof(text), "%d", status);
	const nghttp2_nv nv[] = {
		{(uint8_t *)":status", (uint8_t *)text, 7, (size_t)n, NGHTTP2_NV_FLAG_NONE},
		{(uint8_t *)"cache-control", (uint8_t *)"no-store", 13, 8, NGHTTP2_NV_FLAG_NONE},
	};

	if (nghttp2_submit_response(s->ng, id, nv, ARRAY_LEN(nv), NULL))
		s->found = h2_no_memory(s);
}

void h2_refuse(struct h2_session *s, int32_t id, struct h2_stream *stream, enum h1_rule rule)
{
	int status = h1_rule_status(rule);
	bool detached = stream && stream->detached;

	s->stats.refused++;
	if (stream)
		stream->broken = true;
	if (status == 400 || stream) {
		reset(s, id, NGHTTP2_PROTOCOL_ERROR);
		h2_count_reset(s); /* now, not when it is sent: thousands may come in one read */
	} else {
		answer(s, id, status);
	}
	if (!detached)
		s->events->on_refused(s->arg, id, stream ? stream->user : NULL, rule);
}

static void fields_end(struct h2_session *s)
{
	h2_fields_done(s->fields);
	h2_mem_give(&s->mem, s->fields);
	s->fields = NULL;
}

static int fields_begin(struct h2_session *s, int32_t id, bool trailers)
{
	if (s->fields)
		fields_end(s);
	s->fields = h2_mem_take(&s->mem, sizeof(*s->fields));
	if (!s->fields)
		return NGHTTP2_ERR_NOMEM;
	h2_fields_init(s->fields, id, trailers, s->limits.max_header_list);
	return 0;
}

/* nghttp2 cannot go on without memory: new streams are refused while there is still some for the others. */
static bool is_full(const struct h2_session *s)
{
	return s->streams >= s->limits.max_streams || s->mem.used > s->mem.max / 4 * 3;
}

static int on_begin_headers(nghttp2_session *ng, const nghttp2_frame *frame, void *session)
{
	struct h2_session *s = session;
	int32_t id = frame->hd.stream_id;

	(void)ng;
	if (frame->hd.type != NGHTTP2_HEADERS)
		return 0;
	if (frame->headers.cat != NGHTTP2_HCAT_REQUEST)
		return fields_begin(s, id, true);
	if (!is_full(s))
		return fields_begin(s, id, false);
	/* A peer that does not know the limit yet has done nothing wrong; its requests are as many as the
	 * queue holds. */
	s->stats.refused++;
	if (s->settings_known)
		h2_count_reset(s);
	else if (nghttp2_session_get_outbound_queue_size(s->ng) > s->limits.queue)
		s->found = H2_REASON_QUEUE;
	reset(s, id, NGHTTP2_REFUSED_STREAM);
	return go_on(s);
}

static int on_header(nghttp2_session *ng, const nghttp2_frame *frame, const uint8_t *name, size_t name_len,
	const uint8_t *value, size_t value_len, uint8_t flags, void *session)
{
	struct h2_session *s = session;

	(void)ng;
	(void)flags;
	if (s->fields && s->fields->id == frame->hd.stream_id)
		h2_fields_add(s->fields, (struct slice){(const char *)name, name_len},
			(struct slice){(const char *)value, value_len});
	return 0;
}

/* All streams are served in turns ("incremental"), whatever the peer says: an event stream must not wait
 * behind a download that began before it. The urgency is the peer's. */
static void set_urgency(struct h2_session *s, int32_t id, unsigned urgency)
{
	const nghttp2_extpri p = {.urgency = urgency, .inc = 1};

	if (nghttp2_session_change_extpri_stream_priority(s->ng, id, &p, 0) == NGHTTP2_ERR_NOMEM)
		s->found = h2_no_memory(s);
}

static void accept_request(struct h2_session *s, const struct h1_request *req, bool end)
{
	int32_t id = s->fields->id;
	struct h2_stream *stream = h2_mem_take(&s->mem, sizeof(*stream));
	uint32_t code;

	if (!stream) {
		reset(s, id, NGHTTP2_INTERNAL_ERROR);
		return;
	}
	stream->id = id;
	list_init(&stream->ahead_link);
	stream->has_length = req->framing == H1_BODY_LENGTH;
	stream->left = req->content_length;
	list_push_back(&s->all, &stream->link);
	s->streams++;
	nghttp2_session_set_stream_user_data(s->ng, id, stream);
	set_urgency(s, id, h2_urgency(s->fields->priority));
	code = s->events->on_request(s->arg, id, req, end, &stream->user);
	if (!code) {
		s->stats.streams++;
		return;
	}
	s->stats.refused++;
	stream->ours = stream->detached = true;
	reset(s, id, code);
}

/* END_STREAM came. */
static void body_end(struct h2_session *s, struct h2_stream *stream)
{
	if (!stream || stream->broken)
		return;
	if (stream->has_length && stream->left > 0)
		h2_refuse(s, stream->id, stream, H1_RULE_H2_LENGTH);
	else if (!stream->detached)
		s->events->on_end(s->arg, stream->user);
}

static void head_done(struct h2_session *s, bool end)
{
	struct h2_fields *f = s->fields;
	struct h2_stream *stream = f->trailers ? h2_stream_of(s, f->id) : NULL;
	struct h1_request req;
	enum h1_rule rule = h2_fields_finish(f, end, &req);

	if (f->failed) {
		if (stream)
			stream->broken = true;
		reset(s, f->id, NGHTTP2_INTERNAL_ERROR);
	} else if (f->trailers && (!stream || stream->broken)) {
		/* of a request that was refused */
	} else if (rule) {
		h2_refuse(s, f->id, stream, rule);
	} else if (f->trailers) {
		body_end(s, stream);
	} else {
		accept_request(s, &req, end);
	}
	fields_end(s);
}

static void priority_came(struct h2_session *s, const nghttp2_ext_priority_update *update)
{
	struct slice value = {(const char *)update->field_value, update->field_value_len};

	if (h2_stream_of(s, update->stream_id))
		set_urgency(s, update->stream_id, h2_urgency(value));
}

static int on_frame_recv(nghttp2_session *ng, const nghttp2_frame *frame, void *session)
{
	struct h2_session *s = session;
	bool end = frame->hd.flags & NGHTTP2_FLAG_END_STREAM;
	struct h2_stream *stream;

	(void)ng;
	switch (frame->hd.type) {
	case NGHTTP2_HEADERS:
		if (s->fields && s->fields->id == frame->hd.stream_id)
			head_done(s, end);
		break;
	case NGHTTP2_DATA:
		if (end)
			body_end(s, h2_stream_of(s, frame->hd.stream_id));
		break;
	case NGHTTP2_GOAWAY:
		h2_note(s, H2_NOTE_GOAWAY_IN, frame->goaway.error_code);
		break;
	case NGHTTP2_RST_STREAM:
		h2_note(s, H2_NOTE_RESET_IN, frame->rst_stream.error_code);
		stream = h2_stream_of(s, frame->hd.stream_id);
		if (stream)
			stream->by_peer = true;
		break;
	case NGHTTP2_SETTINGS:
		s->settings_known = s->settings_known || (frame->hd.flags & NGHTTP2_FLAG_ACK);
		break;
	case NGHTTP2_PRIORITY_UPDATE:
		priority_came(s, frame->ext.payload);
		break;
	default:
		break;
	}
	return go_on(s);
}

static int on_data(nghttp2_session *ng, uint8_t flags, int32_t id, const uint8_t *p, size_t n, void *session)
{
	struct h2_session *s = session;
	struct h2_stream *stream = h2_stream_of(s, id);

	(void)flags;
	s->stats.data_bytes_in += n;
	if (nghttp2_session_consume_connection(ng, n))
		s->found = h2_no_memory(s);
	if (!stream || stream->broken)
		return go_on(s);
	if (stream->has_length && n > stream->left) {
		h2_refuse(s, id, stream, H1_RULE_H2_LENGTH);
		return go_on(s);
	}
	stream->left -= stream->has_length ? n : 0;
	if (stream->detached)
		h2_consume(s, id, n);
	else
		s->events->on_data(s->arg, stream->user, (const char *)p, n);
	return go_on(s);
}

static int on_close(nghttp2_session *ng, int32_t id, uint32_t code, void *session)
{
	struct h2_session *s = session;
	struct h2_stream *stream = h2_stream_of(s, id);

	(void)ng;
	if (!stream)
		return 0;
	nghttp2_session_set_stream_user_data(s->ng, id, NULL);
	list_remove(&stream->link);
	list_remove(&stream->ahead_link);
	s->streams--;
	if (!stream->detached)
		s->events->on_closed(s->arg, stream->user, code, stream->by_peer);
	h2_mem_give(&s->mem, stream);
	return 0;
}

void h2_input_callbacks(nghttp2_session_callbacks *c)
{
	nghttp2_session_callbacks_set_on_begin_headers_callback(c, on_begin_headers);
	nghttp2_session_callbacks_set_on_header_callback(c, on_header);
	nghttp2_session_callbacks_set_on_frame_recv_callback(c, on_frame_recv);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(c, on_data);
	nghttp2_session_callbacks_set_on_stream_close_callback(c, on_close);
}

unsigned h2_urgency(struct slice value)
{
	unsigned urgency = NGHTTP2_EXTPRI_DEFAULT_URGENCY;
	struct slice member;

	while (h1_list_next(&value, &member)) {
		struct slice word = h1_list_word(member);

		if (word.n == 3 && word.p[0] == 'u' && word.p[1] == '=' && word.p[2] >= '0' &&
			word.p[2] <= '7')
			urgency = (unsigned)(word.p[2] - '0');
	}
	return urgency;
}
