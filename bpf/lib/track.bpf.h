/* Walks over one segment of a body: chunk framing, the body's end, and events. Works on a copy of the
 * stream's position, which the verdict keeps only when the segment is redirected. Plain framing only:
 * whatever is out of the ordinary (extensions, trailers, bad bytes, anything behind the end) stops the walk,
 * and userspace judges. */
#ifndef SLUICE_TRACK_BPF_H
#define SLUICE_TRACK_BPF_H

#include "kernel.bpf.h"
#include "sluice/flow.h"

/* The event scanner as a table, made at load from user/proto/sse.c itself: byte -> class, (row, class) ->
 * row. Bit 7 of an entry: an event ended with this byte. Rows from sse_idle on: in a line whose field is not
 * `data`, so that only a line's end matters. What is 256 or more is no byte, and changes nothing. */
#define SSE_ROWS    32
#define SSE_CLASSES 16
const volatile __u8 sse_class[512];
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

/* Bit 7 of each byte below 0x0e; beyond the first such byte the marks may be wrong. Line ends are among them;
 * a tab only costs the slow way. */
static __always_inline __u64 line_ends(__u64 word)
{
	return (word - 0x0e0e0e0e0e0e0e0eULL) & ~word & 0x8080808080808080ULL;
}

/* This one and size_line() are global functions: the verifier looks at each by itself, once, instead of at
 * every way through them in every step of the walk (which were over a million instructions). So they take and
 * give numbers only. */

/* Feeds eight bytes, but not the first `skip` of them. Returns the row, and events << 8. */
__noinline __u32 scan_bytes(__u64 word, __u32 row, __u32 skip)
{
	__u32 events = 0;

	for (__u32 i = 0; i < 8; i++, word >>= 8) {
		__u64 at = (word & 0xff) | ((__u64)i - skip) >> 63 << 8;
		__u32 next;

		/* The verifier of 6.1 loses the bounds in the sums; the compiler must not know that the masks
		 * change nothing. */
		asm volatile("" : "+r"(at));
		at = sse_class[at & 0x1ff] | (__u64)row * SSE_CLASSES;
		asm volatile("" : "+r"(at));
		next = sse_next[at & (SSE_ROWS * SSE_CLASSES - 1)];
		events += next >> 7;
		row = next & (SSE_ROWS - 1);
	}
	return events << 8 | row;
}

static __always_inline void scan_word(struct walk *w, __u64 word, __u32 skip)
{
	__u32 ret;

	if (w->sse >= sse_idle && !line_ends(word) && !skip)
		return;
	ret = scan_bytes(word, w->sse, skip);
	w->sse = ret & 0xff;
	w->events += ret >> 8;
}

/* Fewer than eight bytes: read together with what is in front of them, when there is so much. */
static __always_inline __u32 scan_tail(struct walk *w, __u32 n)
{
	__u64 word;

	if (w->off + n < 8) {
		__u8 byte;

		if (bpf_skb_load_bytes(w->skb, w->off, &byte, 1))
			return 0;
		scan_word(w, (__u64)byte << 56, 7);
		return 1;
	}
	if (bpf_skb_load_bytes(w->skb, w->off + n - 8, &word, 8))
		return 0;
	scan_word(w, word, 8 - n);
	return n;
}

static __always_inline __u32 scan_words(struct walk *w, const __u32 count)
{
	__u64 words[BLOCK / 8];

	if (bpf_skb_load_bytes(w->skb, w->off, words, count * 8))
		return 0;
	for (__u32 k = 0; k < count; k++)
		scan_word(w, words[k], 0);
	return count * 8;
}

/* Looks at some of the next n payload bytes; returns how many, 0 when they cannot be read. A few fixed sizes:
 * with a length of its own for each step the verifier would have too much to look at. */
static __always_inline __u32 scan_some(struct walk *w, __u64 n)
{
	if (n >= BLOCK)
		return scan_words(w, BLOCK / 8);
	if (n >= BLOCK / 2)
		return scan_words(w, BLOCK / 16);
	if (n >= BLOCK / 4)
		return scan_words(w, BLOCK / 32);
	if (n >= 8)
		return scan_words(w, 1);
	return scan_tail(w, n);
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

/* A hex digit's value plus 1; 0: none. A table, because it is asked for eight bytes in a row, and branches
 * would be as many ways to the verifier. */
static const __u8 hex_value[256] = {['0'] = 1,
	2,
	3,
	4,
	5,
	6,
	7,
	8,
	9,
	10,
	['A'] = 11,
	12,
	13,
	14,
	15,
	16,
	['a'] = 11,
	12,
	13,
	14,
	15,
	16};

static __always_inline bool size_byte(struct walk *w, __u32 c)
{
	__u32 digit = hex_value[c & 0xff];

	if (digit) {
		if (w->digits >= 16 || w->left >> 59)
			return false;
		w->digits++;
		w->left = w->left << 4 | (digit - 1);
		return true;
	}
	if (c != '\r' || w->digits == 0)
		return false;
	w->place = SLUICE_CHUNK_SIZE_LF;
	return true;
}

/* A whole size line as nearly all are, in the eight bytes from its start: one to six digits, not all zero,
 * and CRLF. Returns its length << 32 and the size; 0: it has to be read byte by byte. */
__noinline __u64 size_line(__u64 word)
{
	__u64 mark = line_ends(word), size = 0;
	__u32 n, bad = 0;

	if (!mark)
		return 0;
	/* The bytes in front of the first mark. */
	n = (((mark & -mark) - 1) & 0x0101010101010101ULL) * 0x0101010101010101ULL >> 56;
	n--; /* the marked byte's own low bits count as one */
	if (n == 0 || n > 6 || (word >> n * 8 & 0xffff) != 0x0a0d)
		return 0;
	/* The digits to the end of the word, zeros in front of them. */
	word = word << (8 - n) * 8 | 0x3030303030303030ULL >> n * 8;
	for (__u32 i = 0; i < 8; i++, word >>= 8) {
		__u32 digit = hex_value[word & 0xff] - 1U;

		bad |= digit;
		size = size << 4 | (digit & 15);
	}
	return bad >> 4 || size == 0 ? 0 : (__u64)(n + 2) << 32 | size;
}

static __always_inline bool size_step(struct walk *w)
{
	__u64 word, line;

	if (w->digits || w->end - w->off < 8 || bpf_skb_load_bytes(w->skb, w->off, &word, 8))
		return false;
	line = size_line(word);
	if (!line)
		return false;
	w->off += line >> 32;
	w->left = (__u32)line;
	w->place = SLUICE_CHUNK_DATA;
	w->chunks++;
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

/* Behind the last chunk: the empty line that ends the body, whole and in this segment, or else it is
 * userspace's. */
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
	} else if (w->place == SLUICE_CHUNK_SIZE && size_step(w)) {
		return 0;
	} else if (bpf_skb_load_bytes(w->skb, w->off, &c, 1)) {
		w->stop = WALK_LOAD;
	} else {
		w->off++;
		if (!framing_byte(w, c))
			w->stop = WALK_FRAMING;
	}
	return w->stop != WALK_ON;
}

/* Walks over the whole segment. `zero` is 0, from a place where the verifier cannot know it: with known
 * numbers to start from it would look at each step of the loop by itself, for a million instructions. */
static __always_inline void track_walk(
	struct walk *w, struct __sk_buff *skb, __u32 len, const struct sluice_track *at, __u32 zero)
{
	w->skb = skb;
	w->left = at->left;
	w->payload = zero;
	w->off = zero;
	w->end = len;
	w->events = zero;
	w->chunks = zero;
	w->framing = at->framing;
	w->place = at->chunk;
	w->digits = at->digits;
	w->scan = at->scan;
	w->sse = at->sse & (SSE_ROWS - 1);
	w->stop = zero;
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
