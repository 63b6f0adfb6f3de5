#include "base/rng.h"
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

static uint64_t state;
static pid_t owner;

static void seed(void)
{
	if (getrandom(&state, sizeof(state), GRND_NONBLOCK) != (ssize_t)sizeof(state))
		state = (uint64_t)time(NULL) ^ ((uint64_t)getpid() << 32);
	state |= 1;
	owner = getpid();
}

uint64_t rng_next(void)
{
	/* A forked worker must not draw its siblings' numbers. */
	if (owner != getpid())
		seed();
	/* xorshift64*, Vigna 2016 */
	state ^= state >> 12;
	state ^= state << 25;
	state ^= state >> 27;
	return state * 0x2545F4914F6CDD1DULL;
}

uint64_t rng_below(uint64_t n)
{
	return n ? (uint64_t)(((unsigned __int128)rng_next() * n) >> 64) : 0;
}
