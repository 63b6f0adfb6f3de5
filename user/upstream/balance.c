#include "upstream/balance.h"
#include <math.h>

/* Below 0: a carries less than b. One is added, so that empty servers are told apart by weight. */
static int compare_load(const struct balance_view *a, const struct balance_view *b)
{
	uint64_t left = ((uint64_t)a->connections + 1) * b->weight;
	uint64_t right = ((uint64_t)b->connections + 1) * a->weight;

	return (left > right) - (left < right);
}

int balance_least_conn(const struct balance_view *v, size_t n, uint64_t random)
{
	int best = -1;
	uint64_t equals = 0;

	for (size_t i = 0; i < n; i++) {
		int less;

		if (!v[i].usable)
			continue;
		less = best < 0 ? -1 : compare_load(&v[i], &v[best]);
		equals = less < 0 ? 1 : equals + (less == 0);
		if (less < 0)
			best = (int)i;
	}
	if (equals < 2)
		return best;
	/* `best` is the first of the equals. */
	random %= equals;
	for (size_t i = (size_t)best; random; random--) {
		do
			i++;
		while (!v[i].usable || compare_load(&v[i], &v[best]) != 0);
		if (random == 1)
			return (int)i;
	}
	return best;
}

int balance_round_robin(const struct balance_view *v, size_t n)
{
	int64_t total = 0;
	int best = -1;

	for (size_t i = 0; i < n; i++) {
		if (!v[i].usable)
			continue;
		*v[i].turn += v[i].weight;
		total += v[i].weight;
		if (best < 0 || *v[i].turn > *v[best].turn)
			best = (int)i;
	}
	if (best >= 0)
		*v[best].turn -= total;
	return best;
}

/* splitmix64's finish: every bit of the input reaches every bit of the output. */
static uint64_t mix(uint64_t x)
{
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
	return x ^ (x >> 31);
}

int balance_hash(const struct balance_view *v, size_t n, uint64_t key)
{
	double best_score = 0;
	int best = -1;

	for (size_t i = 0; i < n; i++) {
		/* (0, 1), never an end of it: log() stays finite and below zero. */
		double draw = ((double)(mix(key ^ mix(v[i].id)) >> 11) + 0.5) / 9007199254740992.0;
		double score = -(double)v[i].weight / log(draw);

		if (v[i].usable && (best < 0 || score > best_score)) {
			best = (int)i;
			best_score = score;
		}
	}
	return best;
}
