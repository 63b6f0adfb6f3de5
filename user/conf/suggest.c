#include "conf/check.h"

#define LONGEST 32

/* Letters to insert, drop, change or swap with a neighbour to make one of the other (optimal string
 * alignment). */
static size_t distance(struct slice a, struct slice b)
{
	size_t rows[3][LONGEST + 1];

	for (size_t j = 0; j <= b.n; j++)
		rows[0][j] = j;
	for (size_t i = 1; i <= a.n; i++) {
		size_t *now = rows[i % 3], *before = rows[(i + 2) % 3], *swap = rows[(i + 1) % 3];

		now[0] = i;
		for (size_t j = 1; j <= b.n; j++) {
			size_t change = before[j - 1] + (a.p[i - 1] != b.p[j - 1]);

			now[j] = MIN(change, MIN(before[j], now[j - 1]) + 1);
			if (i > 1 && j > 1 && a.p[i - 1] == b.p[j - 2] && a.p[i - 2] == b.p[j - 1])
				now[j] = MIN(now[j], swap[j - 2] + 1);
		}
	}
	return rows[a.n % 3][b.n];
}

const char *suggest_key(const struct section *s, struct slice wrong)
{
	const char *best = NULL;
	size_t near = MIN((size_t)3, (wrong.n + 2) / 3 + 1);

	if (!wrong.n || wrong.n > LONGEST)
		return NULL;
	for (size_t i = 0; s->fields[i].key; i++) {
		size_t d = distance(wrong, slice_of(s->fields[i].key));

		if (d < near) {
			near = d;
			best = s->fields[i].key;
		}
	}
	return best;
}
