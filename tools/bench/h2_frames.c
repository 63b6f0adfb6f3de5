#include "h2_frames.h"

static void bad(struct h2_piece *ret)
{
	*ret = (struct h2_piece){.what = H2_BAD};
}

/* The nine bytes are there. */
static void on_frame_head(struct h2_frames *f, struct h2_piece *ret)
{
	const uint8_t *h = f->head;

	f->length = (uint32_t)h[0] << 16 | (uint32_t)h[1] << 8 | h[2];
	f->flags = h[4];
	f->stream = h2_u32((const char *)h + 5) & 0x7fffffff;
	f->left = f->length;
	f->pad = 0;
	f->data = h[3] == H2_DATA;
	f->pad_known = !(f->flags & H2_PADDED);
	if (f->length > H2_FRAME_MAX || (f->data && (!f->stream || (!f->pad_known && !f->length))))
		bad(ret);
}

static size_t next_data(struct h2_frames *f, const char *p, size_t n, struct h2_piece *ret)
{
	size_t used = 0, take;
	bool first = f->left + f->pad == f->length;

	if (!f->pad_known) {
		f->pad = (uint8_t)p[0];
		f->pad_known = true;
		used = 1;
		f->left--;
		if (f->pad > f->left) {
			bad(ret);
			return used;
		}
		f->left -= f->pad;
	}
	take = MIN(n - used, (size_t)f->left);
	*ret = (struct h2_piece){.what = H2_BYTES,
		.type = H2_DATA,
		.flags = f->flags,
		.stream = f->stream,
		.length = first ? f->length : 0,
		.payload = {p + used, take}};
	used += take;
	f->left -= (uint32_t)take;
	if (!f->left) {
		take = MIN(n - used, (size_t)f->pad);
		used += take;
		f->pad -= (uint32_t)take;
	}
	if (!f->left && !f->pad) {
		ret->last = true;
		f->head_n = 0;
	}
	return used;
}

static size_t next_other(struct h2_frames *f, const char *p, size_t n, struct h2_piece *ret)
{
	size_t take = MIN(n, (size_t)f->left);

	/* A frame that is whole in the caller's bytes is not copied. */
	if (take < f->length && buf_append(&f->frame, p, take)) {
		bad(ret);
		return take;
	}
	f->left -= (uint32_t)take;
	if (f->left)
		return take;
	*ret = (struct h2_piece){.what = H2_FRAME,
		.type = f->head[3],
		.flags = f->flags,
		.stream = f->stream,
		.payload = take == f->length ? (struct slice){p, take} : buf_slice(&f->frame),
		.last = true};
	f->frame.len = 0;
	f->head_n = 0;
	return take;
}

size_t h2_frames_next(struct h2_frames *f, const char *p, size_t n, struct h2_piece *ret)
{
	size_t used = 0;

	*ret = (struct h2_piece){.what = H2_NOTHING};
	if (f->head_n < H2_FRAME_HEAD) {
		used = MIN(n, (size_t)(H2_FRAME_HEAD - f->head_n));
		memcpy(f->head + f->head_n, p, used);
		f->head_n = (uint8_t)(f->head_n + used);
		if (f->head_n < H2_FRAME_HEAD)
			return used;
		on_frame_head(f, ret);
		if (ret->what == H2_BAD || (used == n && f->length))
			return used;
	}
	if (f->data && f->length)
		return used + next_data(f, p + used, n - used, ret);
	if (f->data) {
		f->head_n = 0;
		*ret = (struct h2_piece){.what = H2_BYTES,
			.type = H2_DATA,
			.flags = f->flags,
			.stream = f->stream,
			.last = true};
		return used;
	}
	return used + next_other(f, p + used, n - used, ret);
}

void h2_frames_done(struct h2_frames *f)
{
	buf_reset(&f->frame);
}

int h2_frame_put(
	struct buf *out, enum h2_type type, uint8_t flags, uint32_t stream, const void *payload, size_t n)
{
	const uint8_t head[H2_FRAME_HEAD] = {(uint8_t)(n >> 16), (uint8_t)(n >> 8), (uint8_t)n, (uint8_t)type,
		flags, (uint8_t)(stream >> 24), (uint8_t)(stream >> 16), (uint8_t)(stream >> 8),
		(uint8_t)stream};
	int err = buf_reserve(out, sizeof(head) + n);

	if (!err)
		err = buf_append(out, head, sizeof(head));
	return err || !n ? err : buf_append(out, payload, n);
}
