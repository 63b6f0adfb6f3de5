#include "event_make.h"
#include <stdio.h>

#define FIXED_MAX 160 /* chunk head, retry, id and data up to the padding */
#define TAIL_MAX  8

static const char pad_open[] = ",\"pad\":\"";
static const char pad_text[] = "the quick brown fox jumps over the lazy dog. ";

static char *put(char *p, const char *s, size_t n)
{
	memcpy(p, s, n);
	return p + n;
}

/* Decimal digits; printf would be a third of the origin's own work at full rate. */
static char *put_number(char *p, uint64_t v)
{
	char digits[20];
	size_t n = 0;

	do
		digits[sizeof(digits) - ++n] = (char)('0' + v % 10);
	while ((v /= 10) > 0);
	return put(p, digits + sizeof(digits) - n, n);
}

/* `n` bytes inside the JSON object: a member when one fits, spaces when not. */
static char *put_padding(char *p, size_t n)
{
	size_t frame = sizeof(pad_open) - 1 + 1;

	if (n < frame) {
		memset(p, ' ', n);
		return p + n;
	}
	p = put(p, pad_open, sizeof(pad_open) - 1);
	for (n -= frame; n;) {
		size_t step = MIN(n, sizeof(pad_text) - 1);

		p = put(p, pad_text, step);
		n -= step;
	}
	*p++ = '"';
	return p;
}

#define PUT(p, lit) put((p), (lit), sizeof(lit) - 1)

int event_make(struct buf *out, const struct event_spec *spec)
{
	char fixed[FIXED_MAX], *f = fixed, *p;
	size_t retry_n, n, pad;
	int err = buf_reserve(out, spec->size + 2 * FIXED_MAX + TAIL_MAX);

	if (err)
		return err;
	if (spec->retry_ms) {
		f = put_number(PUT(f, "retry: "), spec->retry_ms);
		*f++ = '\n';
	}
	retry_n = (size_t)(f - fixed);
	f = PUT(put_number(PUT(f, "id: "), spec->seq), "\ndata: {\"seq\":");
	f = put_number(PUT(put_number(f, spec->seq), ",\"t\":"), spec->t_ns);
	n = (size_t)(f - fixed) - retry_n + strlen("}\n\n");
	pad = spec->size > n ? spec->size - n : 0;

	p = out->data + out->len;
	if (spec->chunked)
		p += sprintf(p, "%zx\r\n", retry_n + n + pad);
	p = put(p, fixed, (size_t)(f - fixed));
	p = PUT(put_padding(p, pad), "}\n\n");
	if (spec->chunked)
		p = PUT(p, "\r\n");
	out->len = (size_t)(p - out->data);
	return 0;
}
