/* Makes the n-th allocation of a test binary fail, under ASan too. Include once per binary. Valgrind puts its
 * own malloc in place of this: under it tests that begin with alloc_fail_needed() skip. */
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

/* What stands behind ours: ASan's, which then still sees every block, or libc's. */
#ifdef __SANITIZE_ADDRESS__
#define ALLOC_REAL(name) __interceptor_##name
#else
#define ALLOC_REAL(name) __libc_##name
#endif
/* Called before ASan has made its shadow. */
#define ALLOC_EARLY __attribute__((no_sanitize("address", "undefined")))

void *ALLOC_REAL(malloc)(size_t n);
void *ALLOC_REAL(calloc)(size_t n, size_t size);
void *ALLOC_REAL(realloc)(void *p, size_t n);
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

ALLOC_EARLY static bool alloc_fails(void)
{
	if (alloc_paused || alloc_left < 0 || (alloc_left = alloc_left - 1) > 0)
		return false;
	alloc_left = -1;
	alloc_hit = true;
	errno = ENOMEM;
	return true;
}

ALLOC_EARLY void *malloc(size_t n)
{
	return alloc_fails() ? NULL : ALLOC_REAL(malloc)(n);
}

ALLOC_EARLY void *calloc(size_t n, size_t size)
{
	return alloc_fails() ? NULL : ALLOC_REAL(calloc)(n, size);
}

ALLOC_EARLY void *realloc(void *p, size_t n)
{
	return alloc_fails() ? NULL : ALLOC_REAL(realloc)(p, n);
}

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
	print_message("skipped: valgrind has put its own malloc in place of the test's\n");
	skip();
}

#endif
