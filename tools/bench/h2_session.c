#include "h2_session.h"
#include <stdio.h>

#define BLOCK_MAX (64 * 1024)
#define RING_MIN  64

enum { SETTING_ENABLE_PUSH = 2, SETTING_MAX_CONCURRENT = 3, SETTING_INITIAL_WINDOW = 4 };
enum { CODE_CANCEL = 8 };

static void put_u32(char *p, uint32_t v)
{
	for (int i = 3; i >= 0; i--, v >>= 8)
		p[i] = (char)(v & 0xff);
}

static void put_setting(char *p, uint16_t id, uint32_t value)
{
	p[0] = (char)(id >> 8);
	p[1] = (char)(id & 0xff);
	put_u32(p + 2, value);
}

static int put_window(struct h2_session *s, uint32_t id, uint32_t more)
{
	char payload[4];

	put_u32(payload, more);
	return h2_frame_put(&s->out, H2_WINDOW_UPDATE, 0, id, payload, sizeof(payload));
}

int h2_session_init(struct h2_session *s, const struct h2_calls *calls, uint32_t stream_window)
{
	static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
	char settings[12];
	int err;

	*s = (struct h2_session){.calls = calls,
		.stream_window = stream_window,
		.max_streams = UINT32_MAX,
		.block.max = BLOCK_MAX,
		.frames.frame.max = H2_FRAME_MAX};
	put_setting(settings, SETTING_ENABLE_PUSH, 0);
	put_setting(settings + 6, SETTING_INITIAL_WINDOW, stream_window);
	err = nghttp2_hd_inflate_new(&s->inflater) ? -ENOMEM : 0;
	if (!err)
		err = buf_append(&s->out, preface, sizeof(preface) - 1);
	if (!err)
		err = h2_frame_put(&s->out, H2_SETTINGS, 0, 0, settings, sizeof(settings));
	if (!err)
		err = put_window(s, 0, H2_CONN_WINDOW - 65535);
	if (err)
		h2_session_done(s);
	return err;
}

void h2_session_done(struct h2_session *s)
{
	if (s->inflater)
		nghttp2_hd_inflate_del(s->inflater);
	h2_frames_done(&s->frames);
	buf_reset(&s->out);
	buf_reset(&s->block);
	free(s->slots);
	*s = (struct h2_session){0};
}

/* An integer with a prefix of `bits` (RFC 7541, 5.1) behind the bits of `first`. */
static int put_integer(struct buf *out, uint8_t first, unsigned bits, size_t v)
{
	uint8_t text[10];
	size_t n = 0, most = (1U << bits) - 1;

	text[n++] = (uint8_t)(first | MIN(v, most));
	if (v >= most) {
		for (v -= most; v >= 128; v >>= 7)
			text[n++] = (uint8_t)(v | 128);
		text[n++] = (uint8_t)v;
	}
	return buf_append(out, text, n);
}

/* A literal that is not indexed, its name from the static table (RFC 7541, 6.2.2), no Huffman coding. */
static int put_literal(struct buf *out, unsigned name, const char *value)
{
	size_t n = strlen(value);
	int err = put_integer(out, 0, 4, name);

	if (!err)
		err = put_integer(out, 0, 7, n);
	return err ? err : buf_append(out, value, n);
}

int h2_request_block(struct buf *out, bool tls, const char *host, const char *path)
{
	/* RFC 7541, appendix A. */
	enum { AUTHORITY = 1, METHOD_GET, PATH = 4, SCHEME_HTTP = 6, SCHEME_HTTPS, ACCEPT = 19, CACHE = 24 };
	const uint8_t indexed[] = {0x80 | METHOD_GET, 0x80 | (tls ? SCHEME_HTTPS : SCHEME_HTTP)};
	int err = buf_append(out, indexed, sizeof(indexed));

	if (!err)
		err = put_literal(out, AUTHORITY, host);
	if (!err)
		err = put_literal(out, PATH, path);
	if (!err)
		err = put_literal(out, ACCEPT, "text/event-stream");
	return err ? err : put_literal(out, CACHE, "no-cache");
}

/* NULL when the stream is over or never was. */
static struct h2_slot *find(struct h2_session *s, uint32_t id)
{
	uint32_t k = id >> 1;

	if (!(id & 1) || k < s->first || k >= s->next || !s->slots[k & (s->cap - 1)].stream)
		return NULL;
	return &s->slots[k & (s->cap - 1)];
}

static int grow(struct h2_session *s)
{
	uint32_t cap = s->cap ? s->cap * 2 : RING_MIN;
	struct h2_slot *slots = calloc(cap, sizeof(*slots));

	if (!slots)
		return -ENOMEM;
	for (uint32_t k = s->first; k < s->next; k++)
		slots[k & (cap - 1)] = s->slots[k & (s->cap - 1)];
	free(s->slots);
	s->slots = slots;
	s->cap = cap;
	return 0;
}

static void forget(struct h2_session *s, struct h2_slot *slot)
{
	slot->stream = NULL;
	s->open--;
	while (s->first < s->next && !s->slots[s->first & (s->cap - 1)].stream)
		s->first++;
}

static void over(struct h2_session *s, struct h2_slot *slot, const char *why)
{
	void *stream = slot->stream;

	forget(s, slot);
	s->calls->on_over(s, stream, why);
}

int h2_session_request(struct h2_session *s, struct slice block, void *stream, uint32_t *ret_id)
{
	uint32_t id = s->next * 2 + 1;
	int err = 0;

	if (s->going)
		return -EPIPE;
	if (!s->settled)
		return -EAGAIN;
	if (s->open >= s->max_streams)
		return -EBUSY;
	if (s->next - s->first >= s->cap)
		err = grow(s);
	if (!err)
		err = h2_frame_put(&s->out, H2_HEADERS, H2_END_HEADERS | H2_END_STREAM, id, block.p, block.n);
	if (err)
		return err;
	s->slots[s->next++ & (s->cap - 1)] = (struct h2_slot){.stream = stream};
	s->open++;
	*ret_id = id;
	return 0;
}

int h2_session_cancel(struct h2_session *s, uint32_t id)
{
	struct h2_slot *slot = find(s, id);
	char payload[4];

	if (!slot)
		return 0;
	forget(s, slot);
	put_u32(payload, CODE_CANCEL);
	return h2_frame_put(&s->out, H2_RST_STREAM, 0, id, payload, sizeof(payload));
}

void h2_session_stall(struct h2_session *s, uint32_t id)
{
	struct h2_slot *slot = find(s, id);

	if (slot)
		slot->stalled = true;
}

static int fail(struct h2_session *s, const char *why)
{
	snprintf(s->why, sizeof(s->why), "%s", why);
	return -EPROTO;
}

/* Gives back what came, when half of a window is used up: the connection's always, since the bytes are taken
 * even when their stream is stalled or gone. */
static int consume(struct h2_session *s, struct h2_slot *slot, uint32_t id, uint32_t n)
{
	int err = 0;

	s->consumed += n;
	if (s->consumed >= H2_CONN_WINDOW / 2) {
		err = put_window(s, 0, s->consumed);
		s->consumed = 0;
	}
	if (err || !slot || slot->stalled)
		return err;
	slot->consumed += n;
	if (slot->consumed < s->stream_window / 2)
		return 0;
	err = put_window(s, id, slot->consumed);
	slot->consumed = 0;
	return err;
}

static int on_data(struct h2_session *s, const struct h2_piece *p)
{
	struct h2_slot *slot = find(s, p->stream);
	int err;

	if (p->stream >> 1 >= s->next || (slot && !slot->head))
		return fail(s, "DATA came for a stream without a head");
	err = p->length ? consume(s, slot, p->stream, p->length) : 0;
	if (err || !slot)
		return err;
	if (p->payload.n)
		s->calls->on_data(s, slot->stream, p->payload);
	/* The call may have ended the stream or made the ring grow. */
	slot = find(s, p->stream);
	if (slot && p->last && p->flags & H2_END_STREAM)
		over(s, slot, "a stream came to its end");
	return 0;
}

struct head {
	char type[64];
	size_t type_n;
	unsigned status;
};

static void on_field(struct head *h, const nghttp2_nv *nv)
{
	struct slice name = {(const char *)nv->name, nv->namelen};

	if (slice_eq(name, SLICE(":status")) && nv->valuelen == 3) {
		for (size_t i = 0; i < 3; i++)
			h->status = h->status * 10 + (nv->value[i] - (unsigned)'0');
	} else if (slice_eq(name, SLICE("content-type"))) {
		h->type_n = MIN(nv->valuelen, sizeof(h->type));
		memcpy(h->type, nv->value, h->type_n);
	}
}

/* Every block has to go through the inflater, wanted or not: it has a memory. */
static int inflate(struct h2_session *s, struct slice block, struct head *ret)
{
	for (;;) {
		nghttp2_nv nv;
		int flags = 0;
		ssize_t n = nghttp2_hd_inflate_hd2(
			s->inflater, &nv, &flags, (const uint8_t *)block.p, block.n, 1);

		if (n < 0)
			return fail(s, "the header compression was broken");
		if (flags & NGHTTP2_HD_INFLATE_EMIT)
			on_field(ret, &nv);
		if (flags & NGHTTP2_HD_INFLATE_FINAL)
			break;
		block.p += n;
		block.n -= (size_t)n;
	}
	nghttp2_hd_inflate_end_headers(s->inflater);
	return 0;
}

static int on_block(struct h2_session *s, uint32_t id, struct slice block, bool end)
{
	struct head head = {.status = 0};
	struct h2_slot *slot;
	int err = inflate(s, block, &head);

	if (err)
		return err;
	slot = find(s, id);
	if (!slot)
		return id >> 1 < s->next ? 0 : fail(s, "a head came for a stream that nobody asked for");
	if (!slot->head) {
		if (head.status < 100 || head.status > 999)
			return fail(s, "a response head came without :status");
		if (head.status < 200)
			return 0;
		slot->head = true;
		s->calls->on_head(s, slot->stream, head.status, (struct slice){head.type, head.type_n});
	}
	slot = find(s, id);
	if (slot && end)
		over(s, slot, "a stream came to its end");
	return 0;
}

/* Without padding and priority. */
static int strip(struct h2_session *s, const struct h2_piece *p, struct slice *ret)
{
	struct slice body = p->payload;
	size_t pad = 0, before = (p->flags & H2_PADDED ? 1 : 0) + (p->flags & H2_PRIORITIZED ? 5 : 0);

	if (body.n && p->flags & H2_PADDED)
		pad = (uint8_t)body.p[0];
	if (before + pad > body.n)
		return fail(s, "HEADERS with more padding than bytes");
	*ret = (struct slice){body.p + before, body.n - before - pad};
	return 0;
}

static int on_headers(struct h2_session *s, const struct h2_piece *p)
{
	struct slice body;
	int err = strip(s, p, &body);

	if (err)
		return err;
	if (p->flags & H2_END_HEADERS)
		return on_block(s, p->stream, body, p->flags & H2_END_STREAM);
	s->block.len = 0;
	s->block_stream = p->stream;
	s->block_ends = p->flags & H2_END_STREAM;
	return buf_append(&s->block, body.p, body.n) ? fail(s, "a header block was too long") : 0;
}

static int on_continuation(struct h2_session *s, const struct h2_piece *p)
{
	if (!s->block_stream || s->block_stream != p->stream)
		return fail(s, "CONTINUATION came without HEADERS");
	if (buf_append(&s->block, p->payload.p, p->payload.n))
		return fail(s, "a header block was too long");
	if (!(p->flags & H2_END_HEADERS))
		return 0;
	s->block_stream = 0;
	return on_block(s, p->stream, buf_slice(&s->block), s->block_ends);
}

static int on_settings(struct h2_session *s, const struct h2_piece *p)
{
	bool first = !s->settled;
	int err;

	if (p->flags & H2_ACK)
		return 0;
	if (p->payload.n % 6)
		return fail(s, "SETTINGS of a wrong length");
	for (size_t i = 0; i < p->payload.n; i += 6)
		if (p->payload.p[i] == 0 && p->payload.p[i + 1] == SETTING_MAX_CONCURRENT)
			s->max_streams = h2_u32(p->payload.p + i + 2);
	err = h2_frame_put(&s->out, H2_SETTINGS, H2_ACK, 0, NULL, 0);
	if (err)
		return err;
	s->settled = true;
	if (first)
		s->calls->on_settings(s);
	return 0;
}

static int on_goaway(struct h2_session *s, const struct h2_piece *p)
{
	uint32_t last, code;

	if (p->payload.n < 8)
		return fail(s, "GOAWAY of a wrong length");
	last = h2_u32(p->payload.p) & 0x7fffffff;
	code = h2_u32(p->payload.p + 4);
	s->going = true;
	if (code) {
		snprintf(s->why, sizeof(s->why), "GOAWAY with code %u: %.*s", code,
			(int)MIN(p->payload.n - 8, (size_t)40), p->payload.p + 8);
		return -EPROTO;
	}
	for (uint32_t k = s->first; k < s->next; k++) {
		struct h2_slot *slot = find(s, k * 2 + 1);

		if (slot && k * 2 + 1 > last)
			over(s, slot, "GOAWAY: the server did not take the request");
	}
	return 0;
}

static int on_reset(struct h2_session *s, const struct h2_piece *p)
{
	struct h2_slot *slot = find(s, p->stream);
	char why[64];

	if (p->payload.n != 4)
		return fail(s, "RST_STREAM of a wrong length");
	snprintf(why, sizeof(why), "a stream was reset: RST_STREAM with code %u", h2_u32(p->payload.p));
	if (slot)
		over(s, slot, why);
	return 0;
}

static int on_frame(struct h2_session *s, const struct h2_piece *p)
{
	if (s->block_stream && p->type != H2_CONTINUATION)
		return fail(s, "another frame came inside a header block");
	if (!s->settled && p->type != H2_SETTINGS)
		return fail(s, "the first frame was not SETTINGS: is this HTTP/2?");
	switch (p->type) {
	case H2_HEADERS:
		return on_headers(s, p);
	case H2_CONTINUATION:
		return on_continuation(s, p);
	case H2_SETTINGS:
		return on_settings(s, p);
	case H2_RST_STREAM:
		return on_reset(s, p);
	case H2_GOAWAY:
		return on_goaway(s, p);
	case H2_PING:
		if (p->flags & H2_ACK)
			return 0;
		return h2_frame_put(&s->out, H2_PING, H2_ACK, 0, p->payload.p, p->payload.n);
	case H2_PUSH_PROMISE:
		return fail(s, "PUSH_PROMISE came though it was switched off");
	default:
		return 0; /* PRIORITY, WINDOW_UPDATE (no DATA is sent), and what is not known (RFC 9113, 5.5)
			   */
	}
}

int h2_session_feed(struct h2_session *s, const char *p, size_t n)
{
	int err = 0;

	while (n && !err) {
		struct h2_piece piece;
		size_t used = h2_frames_next(&s->frames, p, n, &piece);

		if (piece.what == H2_BAD)
			err = fail(s, "a frame was too long or broken: is this HTTP/2?");
		else if (piece.what == H2_FRAME)
			err = on_frame(s, &piece);
		else if (piece.what == H2_BYTES)
			err = s->block_stream ? fail(s, "DATA came inside a header block")
					      : on_data(s, &piece);
		p += used;
		n -= used;
	}
	if (err && !s->why[0])
		snprintf(s->why, sizeof(s->why), "%s", strerror(-err));
	return err;
}
