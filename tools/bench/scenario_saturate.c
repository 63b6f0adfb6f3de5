/* More events than anybody can carry: how many come through, and who was at the limit. The origin makes no
 * event for a stream that is behind (origin.h), so that nothing piles up for ever. */
#include "compare_stage.h"
#include "scenario.h"

static const struct scenario_column columns[] = {{"events/s", METRIC_RATE, false},
	{"relay CPUs", METRIC_CORES_CONTENDER, false}, {"all CPUs", METRIC_CORES, false},
	{"CPU us", METRIC_CONTENDER, false}, {"machine us", METRIC_MACHINE, false},
	{"p50 us", METRIC_P50, false}};

static int run(struct stage *s, struct run *ret)
{
	static struct load_result result; /* large: it holds histograms */
	const struct compare *cmp = s->cmp;
	struct load_settings load = {.mode = LOAD_WATCH};
	struct cpu_use cpu;
	double *v = ret->values;
	int err = stage_open_streams(s, &load);

	if (!err)
		err = stage_wait(s, cmp->warmup, 0, 0.05, 0.3, "warming up");
	if (!err)
		err = stage_cpu(s, cmp->seconds, "saturated", &cpu);
	if (!err)
		err = load_job_finish(s->job, &result);
	if (!err && !result.events)
		err = stage_leave_out(
			s, -ENODATA, "no event came through; the first failure was: %s", result.why);
	if (err)
		return err;
	stage_fill_cores(v, &cpu, cmp->seconds);
	v[METRIC_RATE] = (double)result.events / cmp->seconds;
	v[METRIC_CONTENDER] = (double)cpu.ns[CPU_CONTENDER] / 1e3 / (double)result.events;
	v[METRIC_MACHINE] = (double)cpu_use_total(&cpu) / 1e3 / (double)result.events;
	v[METRIC_P50] = (double)hist_quantile(&result.latency, 0.5) / 1e3;
	v[METRIC_WRONG] =
		(double)(result.failed + result.ended + result.lost + result.repeated + result.damaged);
	return 0;
}

const struct scenario scenario_saturate = {.name = "saturate",
	.about = "more events than can be carried; how many come through, and who was at the limit",
	.streams = 200,
	.size = 200,
	.rate = 2000,
	.seconds = 4,
	.columns = columns,
	.column_count = ARRAY_LEN(columns),
	.run = run};
