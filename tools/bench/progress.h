/* How far a series of runs is, and how long the rest will take. Owned by the command that runs them; shown on
 * stderr, and only on a terminal. */
#ifndef SLUICE_BENCH_PROGRESS_H
#define SLUICE_BENCH_PROGRESS_H

#include "base/util.h"

/* Runs count by the time that they are meant to take. */
struct progress {
	uint64_t begin_ns; /* monotonic; when the first began */
	double total_s;	   /* of all */
	double run_s;	   /* of the one in progress */
	double done_s;	   /* of those that are over */
};

/* Seconds that are left, `part` (0..1) of the run in progress being over. Pure. */
double progress_left(const struct progress *p, double part, uint64_t now_ns);
/* Draws the bar with the text and the time left. */
void progress_show(const struct progress *p, double part, const char *fmt, ...) printf_like(3, 4);
/* "about 50 s" or "about 3 min". Returns `out`, of at least 24 bytes. */
const char *progress_time(double seconds, char *out);

/* The longest window with which `runs` runs, each with `overhead_s` around its window, are over within
 * `budget_s`; between `least` and `most`. Pure. */
double progress_window(double runs, double overhead_s, double budget_s, double least, double most);

#endif
