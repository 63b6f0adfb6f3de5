#include "proto/h2_mem.h"
#include <malloc.h>

/* In front of what nghttp2 gets, which stays aligned to 16. */
struct block {
	struct list link;
};

_Static_assert(sizeof(struct block) == 16, "blocks keep malloc's alignment");

static void *fail(struct h2_mem *m)
{
	m->failed = true;
	return NULL;
}

/* Is there room for `more` bytes of blocks? */
static bool fits(struct h2_mem *m, size_t more)
{
	if (more <= m->max && m->used <= m->max - more)
		return true;
	m->denied = true;
	return false;
}

static void *enter(struct h2_mem *m, struct block *b)
{
	if (!b)
		return fail(m);
	list_push_back(&m->blocks, &b->link);
	m->used += malloc_usable_size(b);
	m->most = MAX(m->most, m->used);
	return b + 1;
}

static struct block *leave(struct h2_mem *m, void *p)
{
	struct block *b = (struct block *)p - 1;

	list_remove(&b->link);
	m->used -= malloc_usable_size(b);
	return b;
}

static void *on_calloc(size_t n, size_t size, void *mem)
{
	size_t bytes;

	if (__builtin_mul_overflow(n, size, &bytes) ||
		__builtin_add_overflow(bytes, sizeof(struct block), &bytes) || !fits(mem, bytes))
		return fail(mem);
	return enter(mem, calloc(1, bytes));
}

static void *on_malloc(size_t n, void *mem)
{
	if (__builtin_add_overflow(n, sizeof(struct block), &n) || !fits(mem, n))
		return fail(mem);
	return enter(mem, malloc(n));
}

static void on_free(void *p, void *mem)
{
	if (p)
		free(leave(mem, p));
}

static void *on_realloc(void *p, size_t n, void *mem)
{
	struct h2_mem *m = mem;
	struct block *b, *moved;

	if (!p)
		return on_malloc(n, mem);
	b = leave(m, p);
	if (__builtin_add_overflow(n, sizeof(*b), &n) || !fits(m, n))
		moved = NULL;
	else
		moved = realloc(b, n);
	if (moved)
		return enter(m, moved);
	enter(m, b);
	return fail(m);
}

void h2_mem_init(struct h2_mem *m, size_t max)
{
	*m = (struct h2_mem){.max = max};
	list_init(&m->blocks);
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

void h2_mem_give_all(struct h2_mem *m)
{
	list_for_each_safe (node, &m->blocks)
		on_free(list_entry(node, struct block, link) + 1, m);
}
