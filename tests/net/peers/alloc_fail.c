/* LD_PRELOAD: in forked children, from a second after the fork on, ALLOC_FAIL of 1,000 allocations fail. */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>

void *__libc_malloc(size_t n);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t n);

static int child, failing;
static time_t forked;
static uint64_t state = 88172645463325252ULL;
static unsigned rate;

static time_t seconds(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec;
}

static void on_child(void)
{
	child = 1;
	forked = seconds();
}

__attribute__((constructor)) static void init(void)
{
	const char *text = getenv("ALLOC_FAIL");

	rate = text ? (unsigned)atoi(text) : 0;
	pthread_atfork(NULL, NULL, on_child);
}

static int fails(void)
{
	if (!child || (!failing && seconds() < forked + 2))
		return 0;
	failing = 1;
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state % 1000 < rate;
}

void *malloc(size_t n)
{
	return fails() ? NULL : __libc_malloc(n);
}

void *calloc(size_t n, size_t size)
{
	return fails() ? NULL : __libc_calloc(n, size);
}

void *realloc(void *p, size_t n)
{
	return fails() ? NULL : __libc_realloc(p, n);
}
