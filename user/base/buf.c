#include "base/buf.h"
#include <stdio.h>

void buf_reset(struct buf *b)
{
	free(b->data);
	*b = (struct buf){.max = b->max};
}

int buf_reserve(struct buf *b, size_t n)
{
	size_t want, cap;
	char *data;

	if (n <= b->cap - b->len)
		return 0;
	if (__builtin_add_overflow(b->len, n, &want))
		return -ENOMEM;
	if (b->max && want > b->max)
		return -ENOBUFS;
	if (want > SIZE_MAX / 2)
		return -ENOMEM; /* no doubling reaches it */
	cap = b->cap ? b->cap : 256;
	while (cap < want)
		cap *= 2;
	if (b->max && cap > b->max)
		cap = b->max;
	data = realloc(b->data, cap);
	if (!data)
		return -ENOMEM;
	b->data = data;
	b->cap = cap;
	return 0;
}

int buf_append(struct buf *b, const void *p, size_t n)
{
	int err = buf_reserve(b, n);

	if (err)
		return err;
	if (n)
		memcpy(b->data + b->len, p, n);
	b->len += n;
	return 0;
}

int buf_printf(struct buf *b, const char *fmt, ...)
{
	va_list args;
	int n, err;

	va_start(args, fmt);
	n = vsnprintf(NULL, 0, fmt, args);
	va_end(args);
	if (n < 0)
		return -EINVAL;
	err = buf_reserve(b, (size_t)n + 1);
	if (err)
		return err;
	va_start(args, fmt);
	vsnprintf(b->data + b->len, (size_t)n + 1, fmt, args);
	va_end(args);
	b->len += (size_t)n;
	return 0;
}

void buf_drop(struct buf *b, size_t n)
{
	b->len -= n;
	if (b->len && n)
		memmove(b->data, b->data + n, b->len);
}
