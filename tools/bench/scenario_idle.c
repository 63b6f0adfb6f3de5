/* Streams that say nothing: what each holds in memory, in the relay and in the kernel, and what it costs to
 * keep it. */
#include "compare_stage.h"
#include "memory.h"
#include "scenario.h"

static const struct scenario_column columns[] = {{"user B", METRIC_IDLE_USER, false},
	{"resident B", METRIC_IDLE_RESIDENT, false}, {"slab B", METRIC_IDLE_SLAB, false},
	{"slab-none", METRIC_IDLE_SLAB, true}, {"sockets B", METRIC_IDLE_SOCKETS, false},
	{"CPU us/s", METRIC_IDLE_CPU, false}};

static int run(struct stage *s, struct run *ret)
{
	static struct load_result result; /* large: it holds histograms */
	const struct compare *cmp = s->cmp;
	struct memory_sample before, after;
	struct cpu_use cpu;
	double *v = ret->values, n = (double)cmp->streams;
	int err = memory_sample_take(&before, s->contender_pid);

	/* What a ramp leaves for a moment is not what a stream holds: it settles first. */
	if (!err)
		err = stage_one_window(s, LOAD_WATCH, "settling", "idle", v, &cpu);
	if (!err)
		err = memory_sample_take(&after, s->contender_pid);
	if (!err)
		err = stage_result(s, &result, NULL, NULL);
	if (err)
		return err;
	v[METRIC_IDLE_USER] = ((double)after.user - (double)before.user) / n;
	v[METRIC_IDLE_RESIDENT] = ((double)after.resident - (double)before.resident) / n;
	v[METRIC_IDLE_SLAB] = ((double)after.slab - (double)before.slab) / n;
	v[METRIC_IDLE_SOCKETS] = ((double)after.sockets - (double)before.sockets) / n;
	v[METRIC_IDLE_CPU] = (double)cpu.ns[CPU_CONTENDER] / 1e3 / cmp->seconds / n;
	v[METRIC_HEAD_P50] = (double)hist_quantile(&result.head, 0.5) / 1e3;
	v[METRIC_WRONG] = (double)(result.failed + result.ended);
	return 0;
}

const struct scenario scenario_idle = {.name = "idle",
	.about = "streams without events; memory and CPU per stream",
	.streams = 1000,
	.size = 200,
	.rate = 0,
	.seconds = 4,
	.query = SCENARIO_HELLO,
	.columns = columns,
	.column_count = ARRAY_LEN(columns),
	.run = run};
