/* Walks over one segment of a body: chunk framing, the body's end, and events. Works on a copy of the stream's position, which
 * the verdict keeps only when the segment is redirected. Plain framing only: whatever is out of the ordinary (extensions,
 * trailers, bad bytes, anything behind the end) stops the walk, and userspace judges. */
#ifndef SLUICE_TRACK_BPF_H
#define SLUICE_TRACK_BPF_H

#include "kernel.bpf.h"
#include "sluice/flow.h"

/* The event scanner as a table, made at load from user/proto/sse.c itself: byte -> class, (row, class) -> row. Bit 7 of an
 * entry: an event ended with this byte. Rows from SSE_IDLE on: in a line whose field is not `data`, so that only a line's end matters. */
#define SSE_ROWS    32
#define SSE_CLASSES 16
const volatile __u8 sse_class[256];
const volatile __u8 sse_next[SSE_ROWS * SSE_CLASSES];
const volatile __u8 sse_idle = SSE_ROWS;

#define BLOCK 64 /* payload bytes looked at in one step, while there are that many */

enum walk_end {
	WALK_ON,
	WALK_BEYOND, /* the body ended before the segment did */
	WALK_FRAMING,
	WALK_LOAD, /* the bytes could not be read */
};

struct walk {
	struct __sk_buff *skb;
	__u64 left;
	__u64 payload;
	__u32 off;
	__u32 end;
	__u32 events;
	__u32 chunks;
	__u32 framing;
	__u32 place;
	__u32 digits;
	__u32 scan;
	__u32 sse;
	__u32 stop; /* enum walk_end */
};

static __always_inline bool has_byte(__u64 word, __u64 pattern)
{
	__u64 x = word ^ pattern;

	return ((x - 0x0101010101010101ULL) & ~x & 0x8080808080808080ULL) != 0;
}

static __always_inline void scan_byte(struct walk *w, __u32 byte)
{
	__u64 at = (__u64)w->sse * SSE_CLASSES | sse_class[byte & 0xff];
	__u32 next;

	/* The verifier of 6.1 loses the bounds in the sum; the compiler must not know that the mask changes nothing. */
	asm volatile("" : "+r"(at));
	next = sse_next[at & (SSE_ROWS * SSE_CLASSES - 1)];
	w->events += next >> 7;
	w->sse = next & (SSE_ROWS - 1);
}

static __always_inline void scan_word(struct walk *w, __u64 word)
{
	if (w->sse >= sse_idle && !has_byte(word, 0x0a0a0a0a0a0a0a0aULL) && !has_byte(word, 0x0d0d0d0d0d0d0d0dULL))
		return;
	for (__u32 i = 0; i < 8; i++, word >>= 8)
		scan_byte(w, word);
}

/* Looks at some of the next n payload bytes; returns how many, 0 when they cannot be read. The sizes are constants: with
 * a length of its own for each step the verifier walks a million instructions. */
static __always_inline __u32 scan_some(struct walk *w, __u64 n)
{
	__u64 words[BLOCK / 8];
	__u8 byte;

	if (n >= BLOCK) {
		if (bpf_skb_load_bytes(w->skb, w->off, words, BLOCK))
			return 0;
		for (__u32 k = 0; k < BLOCK / 8; k++)
			scan_word(w, words[k]);
		return BLOCK;
	}
	if (n >= 8) {
		if (bpf_skb_load_bytes(w->skb, w->off, words, 8))
			return 0;
		scan_word(w, words[0]);
		return 8;
	}
	if (bpf_skb_load_bytes(w->skb, w->off, &byte, 1))
		return 0;
	scan_byte(w, byte);
	return 1;
}

static __always_inline void payload_step(struct walk *w)
{
	__u64 n = w->end - w->off;

	if (w->framing != SLUICE_BODY_CLOSE && n > w->left)
		n = w->left;
	if (w->scan) {
		n = scan_some(w, n);
		if (n == 0) {
			w->stop = WALK_LOAD;
			return;
		}
	}
	w->off += n;
	w->payload += n;
	if (w->framing == SLUICE_BODY_CLOSE)
		return;
	w->left -= n;
	if (w->left == 0)
		w->place = w->framing == SLUICE_BODY_LENGTH ? SLUICE_CHUNK_DONE : SLUICE_CHUNK_DATA_CR;
}

static __always_inline int hex_digit(__u32 c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return -1;
}

static __always_inline bool size_byte(struct walk *w, __u32 c)
{
	int digit = hex_digit(c);

	if (digit >= 0) {
		if (w->digits >= 16 || w->left >> 59)
			return false;
		w->digits++;
		w->left = w->left << 4 | (__u32)digit;
		return true;
	}
	if (c != '\r' || w->digits == 0)
		return false;
	w->place = SLUICE_CHUNK_SIZE_LF;
	return true;
}

static __always_inline bool framing_byte(struct walk *w, __u32 c)
{
	switch (w->place) {
	case SLUICE_CHUNK_SIZE:
		return size_byte(w, c);
	case SLUICE_CHUNK_SIZE_LF:
		if (c != '\n')
			return false;
		w->digits = 0;
		if (w->left) {
			w->place = SLUICE_CHUNK_DATA;
			w->chunks++;
		} else {
			w->place = SLUICE_CHUNK_TRAILER;
		}
		return true;
	case SLUICE_CHUNK_DATA_CR:
		w->place = SLUICE_CHUNK_DATA_LF;
		return c == '\r';
	case SLUICE_CHUNK_DATA_LF:
		w->place = SLUICE_CHUNK_SIZE;
		w->digits = 0;
		return c == '\n';
	default:
		return false;
	}
}

/* Behind the last chunk: the empty line that ends the body, whole and in this segment, or else it is userspace's. */
static __always_inline bool last_line(struct walk *w)
{
	__u8 crlf[2];

	if (w->end - w->off < 2 || bpf_skb_load_bytes(w->skb, w->off, crlf, 2))
		return false;
	w->off += 2;
	w->place = SLUICE_CHUNK_DONE;
	return crlf[0] == '\r' && crlf[1] == '\n';
}

static long walk_step(__u32 i, struct walk *w)
{
	__u8 c;

	if (w->off >= w->end)
		return 1;
	if (w->place == SLUICE_CHUNK_DONE) {
		w->stop = WALK_BEYOND;
	} else if (w->place == SLUICE_CHUNK_DATA) {
		payload_step(w);
	} else if (w->place == SLUICE_CHUNK_TRAILER) {
		if (!last_line(w))
			w->stop = WALK_FRAMING;
	} else if (bpf_skb_load_bytes(w->skb, w->off, &c, 1)) {
		w->stop = WALK_LOAD;
	} else {
		w->off++;
		if (!framing_byte(w, c))
			w->stop = WALK_FRAMING;
	}
	return w->stop != WALK_ON;
}

/* Walks over the whole segment. The caller has filled `w` from the flow's position. */
static __always_inline void track_walk(struct walk *w, struct __sk_buff *skb, __u32 len, const struct sluice_track *at)
{
	w->skb = skb;
	w->left = at->left;
	w->payload = 0;
	w->off = 0;
	w->end = len;
	w->events = 0;
	w->chunks = 0;
	w->framing = at->framing;
	w->place = at->chunk;
	w->digits = at->digits;
	w->scan = at->scan;
	w->sse = at->sse & (SSE_ROWS - 1);
	w->stop = WALK_ON;
	/* One step at least takes one byte. */
	bpf_loop(len + 1, walk_step, w, 0);
}

static __always_inline void track_keep(const struct walk *w, struct sluice_track *at)
{
	at->left = w->left;
	at->chunk = w->place;
	at->digits = w->digits;
	at->sse = w->sse;
}

#endif
