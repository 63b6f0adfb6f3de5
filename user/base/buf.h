/* A growable run of bytes with a ceiling. Owned by one object, used on one thread; never shrinks by itself.
 */
#ifndef SLUICE_BASE_BUF_H
#define SLUICE_BASE_BUF_H

#include "base/slice.h"
#include <stdarg.h>

struct buf {
	char *data;
	size_t len;
	size_t cap;
	size_t max; /* bytes; 0 = no ceiling. Growing past it fails with -ENOBUFS. */
};

static inline struct slice buf_slice(const struct buf *b)
{
	return (struct slice){b->data, b->len};
}

/* Frees the memory and leaves an empty buffer with the same ceiling. */
void buf_reset(struct buf *b);
/* Makes room for `n` more bytes behind `len`. 0, -ENOMEM or -ENOBUFS; unchanged on error. */
must_check int buf_reserve(struct buf *b, size_t n);
must_check int buf_append(struct buf *b, const void *p, size_t n);
/* printf at the end; the same errors. */
must_check int buf_printf(struct buf *b, const char *fmt, ...) printf_like(2, 3);
/* Drops the first `n` bytes (n <= len) and moves the rest down. */
void buf_drop(struct buf *b, size_t n);

#define _cleanup_buf_ _cleanup_(buf_reset)

#endif
