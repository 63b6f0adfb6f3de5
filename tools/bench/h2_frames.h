/* Takes an HTTP/2 byte stream apart into frames (RFC 9113, section 4): bytes in, slices out; no I/O. The
 * payload of DATA is handed out as it comes and never stored; other frames are collected whole. Own code on
 * purpose: the relay's HTTP/2 is nghttp2's, and a tool that checks it must not share its mistakes; it also
 * costs the load generator next to nothing per event. */
#ifndef SLUICE_BENCH_H2_FRAMES_H
#define SLUICE_BENCH_H2_FRAMES_H

#include "base/buf.h"

#define H2_FRAME_HEAD 9
#define H2_FRAME_MAX  16384 /* SETTINGS_MAX_FRAME_SIZE at its default, which the load never raises */

enum h2_type {
	H2_DATA,
	H2_HEADERS,
	H2_PRIORITY,
	H2_RST_STREAM,
	H2_SETTINGS,
	H2_PUSH_PROMISE,
	H2_PING,
	H2_GOAWAY,
	H2_WINDOW_UPDATE,
	H2_CONTINUATION
};

enum h2_flag {
	H2_END_STREAM = 0x1,
	H2_ACK = 0x1,
	H2_END_HEADERS = 0x4,
	H2_PADDED = 0x8,
	H2_PRIORITIZED = 0x20
};

/* What one call found. */
struct h2_piece {
	enum { H2_NOTHING, H2_FRAME, H2_BYTES, H2_BAD } what;
	uint8_t type, flags; /* of FRAME and BYTES */
	uint32_t stream;     /* of FRAME and BYTES */
	uint32_t length; /* BYTES: of the frame, when it begins with this piece; what flow control counts */
	struct slice payload; /* FRAME: all of it, padding included; BYTES: a part, padding excluded */
	bool last;	      /* BYTES: the frame ends here */
};

struct h2_frames {
	struct buf frame; /* a frame that is not whole; h2_frames_done() frees it */
	uint32_t left;	  /* DATA: bytes to come, padding not counted */
	uint32_t pad;	  /* DATA: padding to come behind them */
	uint32_t stream;
	uint32_t length;
	uint8_t head[H2_FRAME_HEAD];
	uint8_t head_n;
	uint8_t flags;
	bool data; /* inside a DATA frame */
	bool pad_known;
};

/* Reads on from a zeroed struct. Returns the bytes used; call again with the rest. */
size_t h2_frames_next(struct h2_frames *f, const char *p, size_t n, struct h2_piece *ret);
void h2_frames_done(struct h2_frames *f);

/* Appends a frame. -ENOMEM. */
must_check int h2_frame_put(
	struct buf *out, enum h2_type type, uint8_t flags, uint32_t stream, const void *payload, size_t n);

static inline uint32_t h2_u32(const char *p)
{
	const uint8_t *b = (const uint8_t *)p;

	return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
}

#endif
