/* Streams that are opened, closed when their head is there, and opened anew, so many at a time: set-ups per
 * second, and the time to the head. With HTTP/2 the connections stay and the streams are cancelled. */
#include "compare_stage.h"
#include "scenario.h"

static const struct scenario_column columns[] = {{"set-ups/s", METRIC_SETUPS, false},
	{"CPU us", METRIC_SETUP_CPU, false}, {"machine us", METRIC_SETUP_MACHINE, false},
	{"head p50 us", METRIC_HEAD_P50, false}, {"head p99 us", METRIC_HEAD_P99, false},
	{"CPUs", METRIC_CORES_CONTENDER, false}};

static int run(struct stage *s, struct run *ret)
{
	static struct load_result result; /* large: it holds histograms */
	struct cpu_use cpu;
	double *v = ret->values;
	int err = stage_one_window(s, LOAD_SETUP, "warming up", "opening and closing", v, &cpu);

	if (!err)
		err = stage_result(s, &result, &result.setups, "no stream was set up");
	if (err)
		return err;
	v[METRIC_SETUPS] = (double)result.setups / s->cmp->seconds;
	stage_fill_each(v, METRIC_SETUP_CPU, METRIC_SETUP_MACHINE, &cpu, result.setups);
	v[METRIC_HEAD_P50] = (double)hist_quantile(&result.head, 0.5) / 1e3;
	v[METRIC_HEAD_P99] = (double)hist_quantile(&result.head, 0.99) / 1e3;
	v[METRIC_WRONG] = (double)(result.failed + result.ended);
	return 0;
}

const struct scenario scenario_setup = {.name = "setup",
	.about = "streams opened, closed at their head and opened anew; set-ups per second, time to head",
	.streams = 32,
	.size = 200,
	.rate = 0,
	.seconds = 4,
	.query = SCENARIO_HELLO,
	.columns = columns,
	.column_count = ARRAY_LEN(columns),
	.run = run};
