/* Makes the n-th allocation of a test binary fail. Include once per binary. Under ASan, whose own malloc must
 * stay in place, ALLOC_FAIL is 0 and tests that need this skip. */
#ifndef SLUICE_TESTS_ALLOC_FAIL_H
#define SLUICE_TESTS_ALLOC_FAIL_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>

#ifdef __SANITIZE_ADDRESS__
#define ALLOC_FAIL 0
static inline void alloc_fail_at(long nth)
{
	(void)nth;
}
static inline bool alloc_fail_hit(void)
{
	return false;
}
static inline void alloc_fail_pause(bool pause)
{
	(void)pause;
}
#else
#define ALLOC_FAIL 1

void *__libc_malloc(size_t n);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t n);
void *malloc(size_t n);
void *calloc(size_t n, size_t size);
void *realloc(void *p, size_t n);

static long alloc_left = -1; /* allocations until the one that fails; negative: none does */
static bool alloc_hit, alloc_paused;

/* The nth allocation from now on fails (1 = the next), once; 0 switches it off. */
static inline void alloc_fail_at(long nth)
{
	alloc_left = nth ? nth : -1;
	alloc_hit = false;
}

static inline bool alloc_fail_hit(void)
{
	return alloc_hit;
}

/* For the parts of a test that play the other side. */
static inline void alloc_fail_pause(bool pause)
{
	alloc_paused = pause;
}

static bool alloc_fails(void)
{
	if (alloc_paused || alloc_left < 0 || --alloc_left > 0)
		return false;
	alloc_left = -1;
	alloc_hit = true;
	errno = ENOMEM;
	return true;
}

void *malloc(size_t n)
{
	return alloc_fails() ? NULL : __libc_malloc(n);
}

void *calloc(size_t n, size_t size)
{
	return alloc_fails() ? NULL : __libc_calloc(n, size);
}

void *realloc(void *p, size_t n)
{
	return alloc_fails() ? NULL : __libc_realloc(p, n);
}
#endif

#endif
