/* Makes the n-th allocation of a test binary fail. Include once per binary. ASan's and valgrind's own malloc
 * must stay in place: under them tests that begin with alloc_fail_needed() skip. */
#ifndef SLUICE_TESTS_ALLOC_FAIL_H
#define SLUICE_TESTS_ALLOC_FAIL_H

#include <errno.h>
#include <stdbool.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

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

/* volatile: the compiler believes that malloc changes no variable it can see. */
static volatile long alloc_left = -1; /* allocations until the one that fails; negative: none does */
static volatile bool alloc_hit, alloc_paused;

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
	if (alloc_paused || alloc_left < 0 || (alloc_left = alloc_left - 1) > 0)
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

/* Skips the test where this has no grip on the allocator. */
static inline void alloc_fail_needed(void)
{
	bool works = true;

	for (int which = 0; which < 3; which++) {
		void *volatile p;

		alloc_fail_at(1);
		p = which == 0 ? malloc(16) : which == 1 ? calloc(1, 16) : realloc(NULL, 16);
		works = works && alloc_fail_hit();
		alloc_fail_at(0);
		free(p);
	}
	if (works)
		return;
	print_message("skipped: ASan or valgrind has its own malloc\n");
	skip();
}

#endif
