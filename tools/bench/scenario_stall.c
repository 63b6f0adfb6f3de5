/* Some clients stop reading while their events go on: what each of them makes the relay and the kernel hold,
 * whether the relay ends it, and what it does to the others, beside a window in which all read. With HTTP/2
 * they are streams that get no more window, on connections whose other streams read on. */
#include "compare_stage.h"
#include "memory.h"
#include "scenario.h"

#define STALLED_SHARE 0.1

static const struct scenario_column columns[] = {{"user B", METRIC_STALL_USER, false},
	{"sockets B", METRIC_STALL_SOCKETS, false}, {"sockets-none", METRIC_STALL_SOCKETS, true},
	{"ended", METRIC_STALL_CUT, false}, {"p50 us", METRIC_P50, false},
	{"p50 after", METRIC_STALL_P50, false}, {"p99 us", METRIC_P99, false},
	{"p99 after", METRIC_STALL_P99, false}, {"CPU us", METRIC_CONTENDER, false},
	{"CPU after", METRIC_STALL_CPU, false}};

struct window {
	struct memory_sample memory; /* at its end */
	struct cpu_use cpu;
};

/* The first window, in which all read; then the second. */
static int both_windows(struct stage *s, struct window *all, struct window *stalled)
{
	double seconds = s->cmp->seconds;
	int err = stage_cpu(s, seconds, "all reading", &all->cpu);

	if (!err)
		err = stage_wait(s, (double)LOAD_DRAIN_NS / 1e9, 0, 0.5, 0.55, "late events");
	if (!err)
		err = memory_sample_take(&all->memory, s->contender_pid);
	if (!err)
		err = stage_cpu_second(s, seconds, "some stalled", &stalled->cpu);
	return err ? err : memory_sample_take(&stalled->memory, s->contender_pid);
}

static void fill(double *v, const struct load_result *r, const struct window *all,
	const struct window *stalled, double n)
{
	v[METRIC_P50] = (double)hist_quantile(&r->latency, 0.5) / 1e3;
	v[METRIC_P99] = (double)hist_quantile(&r->latency, 0.99) / 1e3;
	v[METRIC_STALL_P50] = (double)hist_quantile(&r->pause, 0.5) / 1e3;
	v[METRIC_STALL_P99] = (double)hist_quantile(&r->pause, 0.99) / 1e3;
	v[METRIC_CONTENDER] = (double)all->cpu.ns[CPU_CONTENDER] / 1e3 / (double)r->events;
	v[METRIC_STALL_CPU] =
		(double)stalled->cpu.ns[CPU_CONTENDER] / 1e3 / (double)MAX(r->pause.count, (uint64_t)1);
	v[METRIC_STALL_USER] = ((double)stalled->memory.user - (double)all->memory.user) / n;
	v[METRIC_STALL_SOCKETS] = ((double)stalled->memory.sockets - (double)all->memory.sockets) / n;
	v[METRIC_STALL_CUT] = (double)r->cut;
	v[METRIC_WRONG] = (double)(r->failed + r->ended + r->lost + r->repeated + r->damaged);
}

static int run(struct stage *s, struct run *ret)
{
	static struct load_result result; /* large: it holds histograms */
	const struct compare *cmp = s->cmp;
	uint64_t n = MAX((uint64_t)((double)cmp->streams * STALLED_SHARE), (uint64_t)1);
	struct load_settings load = {.mode = LOAD_STALL, .stalled = n, .pause = true};
	struct window all, stalled;
	int err = stage_open_streams(s, &load);

	if (!err)
		err = stage_wait(s, cmp->warmup, 0, 0.05, 0.2, "warming up");
	if (!err)
		err = both_windows(s, &all, &stalled);
	if (!err)
		err = stage_result(s, &result, &result.events, "no event came through");
	if (err)
		return err;
	stage_fill_cores(ret->values, &stalled.cpu, cmp->seconds);
	fill(ret->values, &result, &all, &stalled, (double)n);
	return 0;
}

const struct scenario scenario_stall = {.name = "stall",
	.about =
		"a tenth of the clients stop reading; what one of them costs, and what it does to the others",
	.streams = 200,
	.size = 2048,
	.rate = 50,
	.seconds = 6,
	.extra_s = 7,
	.columns = columns,
	.column_count = ARRAY_LEN(columns),
	.run = run};
