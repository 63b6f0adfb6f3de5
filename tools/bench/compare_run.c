#include "compare_stage.h"
#include "scenario.h"
#include <math.h>

double compare_overhead(const struct compare *cmp)
{
	double late = (double)LOAD_DRAIN_NS / 1e9;

	return COMPARE_OVERHEAD_S + cmp->scenario->extra_s + cmp->warmup +
	       (cmp->pause > 0 ? cmp->pause + late : 0);
}

/* Streams without events have no price per event. */
static void fill_cpu(double *v, const struct cpu_use *use, double events, double seconds)
{
	stage_fill_cores(v, use, seconds);
	if (events <= 0)
		return;
	for (int i = 0; i < CPU_CLASSES; i++)
		v[METRIC_CONTENDER + i] = (double)use->ns[i] / 1e3 / events;
	v[METRIC_MACHINE] = (double)cpu_use_total(use) / 1e3 / events;
	v[METRIC_BUSY] = (double)use->busy_ns / 1e3 / events;
	v[METRIC_IRQ] = (double)use->irq_ns / 1e3 / events;
	v[METRIC_STEAL] = (double)use->steal_ns / 1e3 / events;
}

static void fill_memory(double *v, const struct memory_sample *before, const struct memory_sample *after)
{
	v[METRIC_MEMORY_USER] = (double)after->user;
	v[METRIC_MEMORY_SLAB] = (double)after->slab - (double)before->slab;
	v[METRIC_MEMORY_SOCKETS] = (double)after->sockets - (double)before->sockets;
}

static void fill_load(double *v, const struct load_result *r, const struct compare *cmp)
{
	static const double shares[] = {0.5, 0.9, 0.99, 0.999, 1}, pause_shares[] = {0.5, 0.9, 0.99, 1};

	for (size_t i = 0; i < ARRAY_LEN(shares); i++)
		v[METRIC_P50 + i] = (double)hist_quantile(&r->latency, shares[i]) / 1e3;
	v[METRIC_HEAD_P50] = (double)hist_quantile(&r->head, 0.5) / 1e3;
	v[METRIC_RATE] = (double)r->events / cmp->seconds;
	for (size_t i = 0; i < ARRAY_LEN(pause_shares); i++)
		v[METRIC_PAUSE_P50 + i] = (double)hist_quantile(&r->pause, pause_shares[i]) / 1e6;
	v[METRIC_PAUSE_RATE] = cmp->pause > 0 ? (double)r->pause.count / cmp->pause : 0;
	v[METRIC_WRONG] = (double)(r->failed + r->ended + (cmp->rate > 0 ? r->silent : 0) + r->lost +
				   r->repeated + r->damaged);
}

/* The window itself: two samples of CPU time around the seconds that count. */
static int measure(
	struct stage *s, struct cpu_use *ret_cpu, struct memory_sample *ret_memory, json_t **ret_origin)
{
	struct cpu_roots roots = {s->contender_pid, s->origin_pid, getpid()};
	_cleanup_(cpu_sample_done) struct cpu_sample before = {0}, after = {0};
	json_t *discard = NULL;
	int err = stage_ask_origin(s, "/json?reset=1", &discard);

	json_decref(discard);
	if (!err)
		err = cpu_sample_take(&before, &roots);
	if (err)
		return err;
	load_job_measure(s->job, s->cmp->seconds);
	err = stage_wait(s, s->cmp->seconds, 0, 0.2, 0.8, "measuring");
	if (!err)
		err = cpu_sample_take(&after, &roots);
	if (!err)
		err = memory_sample_take(ret_memory, s->contender_pid);
	if (!err)
		err = stage_ask_origin(s, "/json", ret_origin);
	if (!err)
		cpu_between(&before, &after, ret_cpu);
	return err;
}

/* The second window: the contender's processes stand still, the streams stay open. The first window's late
 * events come first, so that this cannot touch them. Without a process nothing is stopped. */
static int measure_stopped(struct stage *s)
{
	double seconds = s->cmp->pause;
	int err;

	if (seconds <= 0)
		return 0;
	err = stage_wait(s, (double)LOAD_DRAIN_NS / 1e9, 0, 0.8, 0.85, "late events");
	if (!err && s->contender_pid)
		err = compare_stop_group(s->contender_pid);
	if (!err) {
		load_job_pause(s->job, seconds);
		err = stage_wait(s, seconds, 0, 0.85, 0.95, "stopped");
	}
	if (s->contender_pid)
		compare_continue_group(s->contender_pid);
	return err;
}

static int run_load(struct stage *s, struct run *ret)
{
	static struct load_result result; /* large: it holds histograms */
	struct memory_sample before, after;
	struct cpu_use cpu;
	json_t *origin = NULL, *late;
	struct load_settings load = {.pause = s->cmp->pause > 0};
	int err = memory_sample_take(&before, s->contender_pid);

	if (!err)
		err = stage_open_streams(s, &load);
	if (!err && s->cmp->warmup > 0)
		err = stage_wait(s, s->cmp->warmup, 0, 0.05, 0.2, "warming up");
	if (!err)
		err = measure(s, &cpu, &after, &origin);
	if (!err)
		err = measure_stopped(s);
	stage_progress(s, 0.95, "adding up");
	if (!err)
		err = load_job_finish(s->job, &result);
	if (!err && !result.events && s->cmp->rate > 0)
		err = stage_leave_out(
			s, -ENODATA, "no event came through; the first failure was: %s", result.why);
	if (!err) {
		fill_cpu(ret->values, &cpu, (double)result.events, s->cmp->seconds);
		fill_memory(ret->values, &before, &after);
		fill_load(ret->values, &result, s->cmp);
		late = json_object_get(origin, "late_ns");
		ret->values[METRIC_LATE_P99] = (double)json_integer_value(json_object_get(late, "p99")) / 1e3;
		ret->values[METRIC_SKIPPED] = (double)json_integer_value(json_object_get(origin, "skipped"));
	}
	json_decref(origin);
	return err;
}

const struct scenario scenario_events = {.name = "events",
	.about = "streams with events; CPU per event and latency",
	.streams = 1000,
	.size = 200,
	.rate = 40,
	.seconds = 8,
	.run = run_load};

int compare_run(struct compare *cmp, struct contest *c)
{
	struct run run;
	struct stage s;
	int err = stage_start(&s, cmp, c);

	for (int m = 0; m < METRICS; m++)
		run.values[m] = NAN;
	if (!err)
		err = cmp->scenario->run(&s, &run);
	if (err && err != -EINTR && !c->left_out[0])
		stage_leave_out(&s, err, "the run failed");
	stage_done(&s);
	if (!err)
		c->runs[c->count++] = run;
	return err;
}
