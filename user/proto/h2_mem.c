#include "proto/h2_mem.h"
#include <malloc.h>

static bool fits(struct h2_mem *m, size_t n)
{
	if (n <= m->max && m->used <= m->max - n)
		return true;
	m->denied = true;
	return false;
}

static void *count(struct h2_mem *m, void *p)
{
	if (p) {
		m->used += malloc_usable_size(p);
		m->most = MAX(m->most, m->used);
	}
	return p;
}

static void *on_malloc(size_t n, void *mem)
{
	return fits(mem, n) ? count(mem, malloc(n)) : NULL;
}

static void *on_calloc(size_t n, size_t size, void *mem)
{
	size_t bytes;

	if (__builtin_mul_overflow(n, size, &bytes) || !fits(mem, bytes))
		return NULL;
	return count(mem, calloc(n, size));
}

static void on_free(void *p, void *mem)
{
	struct h2_mem *m = mem;

	if (p)
		m->used -= malloc_usable_size(p);
	free(p);
}

static void *on_realloc(void *p, size_t n, void *mem)
{
	struct h2_mem *m = mem;
	size_t old = p ? malloc_usable_size(p) : 0;
	void *bigger;

	if (n > old && !fits(m, n - old))
		return NULL;
	bigger = realloc(p, n);
	if (!bigger)
		return NULL;
	m->used -= old;
	return count(m, bigger);
}

void h2_mem_init(struct h2_mem *m, size_t max)
{
	*m = (struct h2_mem){.max = max};
	m->hooks = (nghttp2_mem){m, on_malloc, on_free, on_calloc, on_realloc};
}

void *h2_mem_take(struct h2_mem *m, size_t n)
{
	return on_calloc(1, n, m);
}

void h2_mem_give(struct h2_mem *m, void *p)
{
	on_free(p, m);
}
