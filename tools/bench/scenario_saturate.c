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
	struct cpu_use cpu;
	double *v = ret->values;
	int err = stage_one_window(s, LOAD_WATCH, "warming up", "saturated", v, &cpu);

	if (!err)
		err = stage_result(s, &result, &result.events, "no event came through");
	if (err)
		return err;
	v[METRIC_RATE] = (double)result.events / s->cmp->seconds;
	stage_fill_each(v, METRIC_CONTENDER, METRIC_MACHINE, &cpu, result.events);
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
