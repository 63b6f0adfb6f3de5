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
	const struct compare *cmp = s->cmp;
	struct load_settings load = {.mode = LOAD_SETUP};
	struct cpu_use cpu;
	double *v = ret->values;
	int err = stage_open_streams(s, &load);

	if (!err)
		err = stage_wait(s, cmp->warmup, 0, 0.05, 0.3, "warming up");
	if (!err)
		err = stage_cpu(s, cmp->seconds, "opening and closing", &cpu);
	if (!err)
		err = load_job_finish(s->job, &result);
	if (!err && !result.setups)
		err = stage_leave_out(
			s, -ENODATA, "no stream was set up; the first failure was: %s", result.why);
	if (err)
		return err;
	stage_fill_cores(v, &cpu, cmp->seconds);
	v[METRIC_SETUPS] = (double)result.setups / cmp->seconds;
	v[METRIC_SETUP_CPU] = (double)cpu.ns[CPU_CONTENDER] / 1e3 / (double)result.setups;
	v[METRIC_SETUP_MACHINE] = (double)cpu_use_total(&cpu) / 1e3 / (double)result.setups;
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
