/* Byte classes of HTTP/1.x, one table. Private to proto/. */
#ifndef SLUICE_PROTO_H1_CHARS_H
#define SLUICE_PROTO_H1_CHARS_H

#include "base/slice.h"

enum {
	H1_C_TOKEN = 1,	 /* tchar, RFC 9110 5.6.2 */
	H1_C_METHOD = 2, /* upper-case letters, '-', '_' */
	H1_C_TARGET =
		4, /* what a request target may hold; looser than RFC 3986 by what browsers send: ^ ` { | } */
	H1_C_HOST = 8,	/* a registered name or an IPv4 address, without percent-encoding and sub-delims */
	H1_C_TEXT = 16, /* in a field value: HTAB, SP, VCHAR, obs-text */
	H1_C_DIGIT = 32,
};

extern const uint8_t h1_chars[256];

static inline bool h1_is(unsigned char c, int class)
{
	return h1_chars[c] & class;
}

/* Every byte is of the class. True for an empty slice. */
static inline bool h1_all(struct slice s, int class)
{
	size_t i = 0;

	while (i < s.n && h1_is((unsigned char)s.p[i], class))
		i++;
	return i == s.n;
}

static inline bool h1_is_token(struct slice s)
{
	return s.n && h1_all(s, H1_C_TOKEN);
}

/* Value of a hex digit, or -1. */
static inline int h1_hex(unsigned char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static inline char h1_lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}

/* Index of the first byte from `at` on that is not H1_C_TEXT, or n. Eight bytes at a time. */
static inline size_t h1_skip_text(const char *p, size_t at, size_t n)
{
	const uint64_t ones = ~0ULL / 255, high = ones * 0x80;

	for (;;) {
		while (at + 8 <= n) {
			uint64_t x, del;

			memcpy(&x, p + at, 8);
			del = x ^ (ones * 0x7f);
			if ((((x - ones * 0x20) & ~x) | ((del - ones) & ~del)) & high)
				break;
			at += 8;
		}
		/* A HTAB, a control byte in these eight, or the rest. */
		size_t stop = MIN(at + 8, n);

		while (at < stop && h1_is((unsigned char)p[at], H1_C_TEXT))
			at++;
		if (at < stop || at == n)
			return at;
	}
}

#endif
