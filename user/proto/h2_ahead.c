/* DATA frames that go ahead of nghttp2: written here, from windows that nghttp2 is told of later, many frames
 * at once, as if it had sent them in that moment. An event then costs a frame header, not a turn of its
 * scheduler. What it believes and what is true differ by `ahead`; nobody else may move the windows meanwhile,
 * so all is told before the peer's next bytes are looked at, and before the stream is reset or ends. */
#include "proto/h2_session.h"

/* nghttp2 takes one frame's length at a time. Half of it leaves room for any event behind the telling. */
#define TELL_BYTES (H2_FRAME_MAX / 2)

/* How many bytes may go without using up a window: that, and what follows from it, is nghttp2's. */
static int64_t credit(struct h2_session *s, struct h2_stream *stream)
{
	int64_t all = (int64_t)nghttp2_session_get_remote_window_size(s->ng) - (int64_t)s->ahead_bytes;

	/* The stream's is looked up once; it changes with what the peer sends, and with what nghttp2 does. */
	if (stream->credit_turn != s->turn) {
		stream->credit = nghttp2_session_get_stream_remote_window_size(s->ng, stream->id) -
				 (int32_t)stream->ahead;
		stream->credit_turn = s->turn;
	}
	return MIN(all, (int64_t)stream->credit) - 1;
}

/* Nothing of the stream waits in nghttp2, and nothing at all in front of DATA: a reset that is on its way
 * there, which may be nghttp2's own, would drop what it is to be told. */
static bool is_clear(const struct h2_session *s, const struct h2_stream *stream)
{
	return stream->idle && !stream->detached && !stream->by_peer && !stream->broken && !stream->ours &&
	       !stream->trailed && !s->pending.n && !h2_is_over(s) &&
	       !nghttp2_session_get_outbound_queue_size(s->ng);
}

static void put_header(char *to, size_t n, int32_t id)
{
	const char header[H2_FRAME_HEADER] = {(char)(n >> 16), (char)(n >> 8), (char)n, NGHTTP2_DATA, 0,
		(char)(id >> 24), (char)(id >> 16), (char)(id >> 8), (char)id};

	memcpy(to, header, sizeof(header));
}

bool h2_send_ahead(struct h2_session *s, struct h2_stream *stream, size_t n, char *to, size_t room)
{
	if (!is_clear(s, stream) || !n || n + H2_FRAME_HEADER > room || stream->ahead + n > H2_FRAME_MAX ||
		(int64_t)n > credit(s, stream))
		return false;
	put_header(to, n, stream->id);
	if (!stream->ahead)
		list_push_back(&s->ahead, &stream->ahead_link);
	stream->ahead += (uint32_t)n;
	stream->credit -= (int32_t)n;
	s->ahead_bytes += n;
	h2_data_sent(s, n);
	if (stream->ahead >= TELL_BYTES)
		h2_resume(s, stream->id);
	return true;
}

void h2_ahead_told(struct h2_session *s, struct h2_stream *stream)
{
	s->ahead_bytes -= stream->ahead;
	stream->ahead = 0;
	list_remove(&stream->ahead_link);
}

bool h2_is_ahead(const struct h2_session *s)
{
	return !h2_is_over(s) && !list_empty(&s->ahead);
}

bool h2_body_is_ahead(const struct h2_session *s, const struct h2_stream *stream)
{
	return !h2_is_over(s) && stream->ahead;
}

void h2_tell_ahead(struct h2_session *s)
{
	list_for_each (node, &s->ahead)
		h2_resume(s, list_entry(node, struct h2_stream, ahead_link)->id);
}
