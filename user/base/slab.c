#include "base/slab.h"

#define BLOCK_BYTES (64 * 1024)

struct block {
	struct block *next;
	uint64_t pad; /* keeps objects 16-aligned */
};

void slab_init(struct slab *s, size_t object_size, size_t max)
{
	*s = (struct slab){.size = (MAX(object_size, sizeof(void *)) + 15) & ~(size_t)15, .max = max};
}

void slab_done(struct slab *s)
{
	struct block *b = s->blocks;

	while (b) {
		struct block *next = b->next;

		free(b);
		b = next;
	}
	*s = (struct slab){.size = s->size, .max = s->max};
}

static int grow(struct slab *s)
{
	size_t count = MAX((size_t)1, (BLOCK_BYTES - sizeof(struct block)) / s->size);
	struct block *b = malloc(sizeof(*b) + count * s->size);

	if (!b)
		return -ENOMEM;
	b->next = s->blocks;
	s->blocks = b;
	for (size_t i = 0; i < count; i++) {
		void **object = (void **)((char *)(b + 1) + i * s->size);

		*object = s->free;
		s->free = object;
	}
	s->total += count;
	return 0;
}

void *slab_take(struct slab *s)
{
	void **object;

	if (s->max && s->live >= s->max)
		return NULL;
	if (!s->free && grow(s))
		return NULL;
	object = s->free;
	s->free = *object;
	s->live++;
	memset(object, 0, s->size);
	return object;
}

void slab_give(struct slab *s, void *object)
{
	if (!object)
		return;
	*(void **)object = s->free;
	s->free = object;
	s->live--;
}
