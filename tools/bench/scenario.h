/* What a comparison measures: one row and one file per scenario. A scenario runs on a stage (compare_stage.h)
 * that has its origin and its contender already, opens streams, and fills the metrics that it measures; the
 * others stay NAN and appear nowhere. */
#ifndef SLUICE_BENCH_SCENARIO_H
#define SLUICE_BENCH_SCENARIO_H

#include "compare.h"

struct stage;

/* For streams without events: a comment comes with the head. Some relays send no head before there is a body
 * (nginx 1.22 over HTTP/2 and TLS): they could not take part otherwise. */
#define SCENARIO_HELLO "?hello=1"

struct scenario_column {
	const char *title;
	enum metric metric;
	bool above; /* what it is above the run without a proxy, of the same round */
};

struct scenario {
	const char *name, *about;
	uint64_t streams, size; /* defaults of the options of these names */
	double rate, seconds;
	const char *query; /* of the URL that is opened; NULL: none */
	double extra_s;	   /* what a run takes beside what every run does */
	const struct scenario_column
		*columns; /* of its table; none: the report has tables of its own for it */
	size_t column_count;
	int (*run)(struct stage *s, struct run *ret);
};

/* NULL when there is none of that name. */
const struct scenario *scenario_find(const char *name);
/* All names, with spaces between. */
void scenario_names(char *out, size_t size);

/* scenario_report.c: the scenario's table, and what the others are of the reference. */
void scenario_print(FILE *to, const struct compare *cmp);

extern const struct scenario scenario_events; /* compare_run.c */
extern const struct scenario scenario_idle;   /* scenario_idle.c, and so on */
extern const struct scenario scenario_setup;
extern const struct scenario scenario_abort;
extern const struct scenario scenario_stall;
extern const struct scenario scenario_saturate;

#endif
