/* What one run of one contender stands on: a directory, an origin, the contender, the load. Started and ended
 * by `compare`, once for every run, so that nobody inherits anything; the scenarios measure on it. Private to
 * the files of `compare`. */
#ifndef SLUICE_BENCH_COMPARE_STAGE_H
#define SLUICE_BENCH_COMPARE_STAGE_H

#include "compare.h"
#include "load_job.h"
#include <jansson.h>

struct stage {
	struct compare *cmp;
	struct contest *contest;
	char dir[64];
	char cert[80]; /* its path in there, when clients come over TLS */
	char origin[NET_TEXT_MAX], contender[NET_TEXT_MAX]; /* addresses */
	pid_t origin_pid, contender_pid;
	struct load_job *job;
};

/* Starts origin and contender and waits until a request comes through. -EINTR when the user wants to stop, or
 * a negative errno, mostly with the contest's left_out filled; call stage_done() then too. */
must_check int stage_start(struct stage *s, struct compare *cmp, struct contest *c);
void stage_done(struct stage *s);
/* Starts the load with the comparison's streams and kind of clients (`load` says what else it is to do) and
 * waits until all streams are open or have failed. Negative errno. */
must_check int stage_open_streams(struct stage *s, struct load_settings *load);
/* Lets time pass, until `seconds` are over or, when `opened` > 0, so many streams are open; -ETIMEDOUT when
 * they are not. The two parts are the shares of the run that are over before and after it. */
must_check int stage_wait(
	struct stage *s, double seconds, uint64_t opened, double part_from, double part_to, const char *what);
/* Lets time pass when no load runs any more. -EINTR. */
must_check int stage_pause(struct stage *s, double seconds, const char *what);
/* Opens the load's window for `seconds`, waits for its end, and tells whose CPU time it took. Negative errno.
 */
must_check int stage_cpu(struct stage *s, double seconds, const char *what, struct cpu_use *ret);
/* The same with the load's second window (load_job_pause()). */
must_check int stage_cpu_second(struct stage *s, double seconds, const char *what, struct cpu_use *ret);
/* What a scenario with one window does: opens streams in this mode, lets the warm-up pass (`first` says what
 * for), measures for the comparison's seconds (`then`). Fills METRIC_CORES and the like and tells whose CPU
 * time it was. The load goes on; what it counted comes from stage_result(). Negative errno. */
must_check int stage_one_window(struct stage *s, enum load_mode mode, const char *first, const char *then,
	double *values, struct cpu_use *ret);
/* Ends the load. With `without` the run is nothing without the count at `needed`, a field of `ret`: the
 * contender is left out with these words when it is 0. Negative errno. */
must_check int stage_result(
	struct stage *s, struct load_result *ret, const uint64_t *needed, const char *without);
/* What each of n things took of the CPU, in us: the contender's time and the whole machine's. */
void stage_fill_each(
	double *values, enum metric contender, enum metric machine, const struct cpu_use *use, uint64_t n);
/* CPU seconds per second: METRIC_CORES and the like. */
void stage_fill_cores(double *values, const struct cpu_use *use, double seconds);
/* Asks the origin for its own figures: "/json", "/json?reset=1", "/closes". Negative errno. */
must_check int stage_ask_origin(const struct stage *s, const char *path, json_t **ret);
/* Notes why this contender cannot run. Returns err. */
int stage_leave_out(struct stage *s, int err, const char *fmt, ...) printf_like(3, 4);
/* Shows where the whole comparison stands; `part` is the share of this run that is over. */
void stage_progress(const struct stage *s, double part, const char *what);

#endif
