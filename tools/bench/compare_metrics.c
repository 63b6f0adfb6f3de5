#include "compare.h"
#include <math.h>

const struct metric_row metric_rows[METRICS] = {
	[METRIC_CONTENDER] = {"cpu_contender", "us/event"},
	[METRIC_ORIGIN] = {"cpu_origin", "us/event"},
	[METRIC_LOAD] = {"cpu_load", "us/event"},
	[METRIC_KWORKER] = {"cpu_kworker_ksoftirqd", "us/event"},
	[METRIC_KERNEL] = {"cpu_other_kernel_threads", "us/event"},
	[METRIC_OTHER] = {"cpu_unrelated", "us/event"},
	[METRIC_MACHINE] = {"cpu_machine", "us/event"},
	[METRIC_BUSY] = {"cpu_proc_stat_busy", "us/event"},
	[METRIC_IRQ] = {"cpu_proc_stat_irq", "us/event"},
	[METRIC_STEAL] = {"cpu_steal", "us/event"},
	[METRIC_P50] = {"latency_p50", "us"},
	[METRIC_P90] = {"latency_p90", "us"},
	[METRIC_P99] = {"latency_p99", "us"},
	[METRIC_P999] = {"latency_p999", "us"},
	[METRIC_MAX] = {"latency_max", "us"},
	[METRIC_HEAD_P50] = {"head_p50", "us"},
	[METRIC_RATE] = {"events_per_s", "1/s"},
	[METRIC_WRONG] = {"wrong", "count"},
	[METRIC_LATE_P99] = {"origin_late_p99", "us"},
	[METRIC_SKIPPED] = {"origin_skipped", "count"},
	[METRIC_PAUSE_P50] = {"stopped_latency_p50", "ms"},
	[METRIC_PAUSE_P90] = {"stopped_latency_p90", "ms"},
	[METRIC_PAUSE_P99] = {"stopped_latency_p99", "ms"},
	[METRIC_PAUSE_MAX] = {"stopped_latency_max", "ms"},
	[METRIC_PAUSE_RATE] = {"stopped_events_per_s", "1/s"},
	[METRIC_CORES] = {"cores_machine", "CPUs"},
	[METRIC_CORES_CONTENDER] = {"cores_contender", "CPUs"},
	[METRIC_CORES_OTHER] = {"cores_unrelated", "CPUs"},
	[METRIC_MEMORY_USER] = {"memory_user", "bytes"},
	[METRIC_MEMORY_SLAB] = {"memory_slab", "bytes"},
	[METRIC_MEMORY_SOCKETS] = {"memory_sockets", "bytes"},
	[METRIC_IDLE_USER] = {"idle_user", "bytes/stream"},
	[METRIC_IDLE_RESIDENT] = {"idle_resident", "bytes/stream"},
	[METRIC_IDLE_SLAB] = {"idle_slab", "bytes/stream"},
	[METRIC_IDLE_SOCKETS] = {"idle_sockets", "bytes/stream"},
	[METRIC_IDLE_CPU] = {"idle_cpu", "us/s/stream"},
	[METRIC_SETUPS] = {"setups_per_s", "1/s"},
	[METRIC_SETUP_CPU] = {"setup_cpu_contender", "us"},
	[METRIC_SETUP_MACHINE] = {"setup_cpu_machine", "us"},
	[METRIC_HEAD_P99] = {"head_p99", "us"},
	[METRIC_ABORT_P50] = {"abort_p50", "us"},
	[METRIC_ABORT_P90] = {"abort_p90", "us"},
	[METRIC_ABORT_P99] = {"abort_p99", "us"},
	[METRIC_ABORT_MAX] = {"abort_max", "us"},
	[METRIC_ABORT_MISSED] = {"abort_missed", "count"},
	[METRIC_STALL_USER] = {"stall_user", "bytes/client"},
	[METRIC_STALL_SOCKETS] = {"stall_sockets", "bytes/client"},
	[METRIC_STALL_CUT] = {"stall_ended", "count"},
	[METRIC_STALL_P50] = {"stall_latency_p50", "us"},
	[METRIC_STALL_P99] = {"stall_latency_p99", "us"},
	[METRIC_STALL_CPU] = {"stall_cpu_contender", "us/event"},
};

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static struct spread spread_of(double *values, size_t n)
{
	struct spread s = {0};

	if (!n)
		return s;
	qsort(values, n, sizeof(*values), by_value);
	s.median = n % 2 ? values[n / 2] : (values[n / 2 - 1] + values[n / 2]) / 2;
	s.min = values[0];
	s.max = values[n - 1];
	return s;
}

bool compare_measured(const struct contest *c, enum metric m, struct spread *ret)
{
	double values[COMPARE_ROUNDS_MAX];
	size_t n = 0;

	for (size_t i = 0; i < c->count; i++)
		if (!isnan(c->runs[i].values[m]))
			values[n++] = c->runs[i].values[m];
	if (n)
		*ret = spread_of(values, n);
	return n > 0;
}

struct spread compare_spread(const struct contest *c, enum metric m)
{
	struct spread s = {0};

	return compare_measured(c, m, &s) ? s : (struct spread){0};
}

bool compare_ratio(const struct contest *c, const struct contest *by, enum metric m, struct spread *ret)
{
	double values[COMPARE_ROUNDS_MAX];
	size_t n = 0;

	for (size_t i = 0; by && i < MIN(c->count, by->count); i++)
		if (by->runs[i].values[m] > 0 && !isnan(c->runs[i].values[m]))
			values[n++] = c->runs[i].values[m] / by->runs[i].values[m];
	if (n)
		*ret = spread_of(values, n);
	return n > 0;
}

bool compare_above(const struct contest *c, const struct contest *by, enum metric m, struct spread *ret)
{
	double values[COMPARE_ROUNDS_MAX];
	size_t n = 0;

	for (size_t i = 0; by && i < MIN(c->count, by->count); i++) {
		double above = c->runs[i].values[m] - by->runs[i].values[m];

		if (!isnan(above))
			values[n++] = above;
	}
	if (n)
		*ret = spread_of(values, n);
	return n > 0;
}

bool compare_above_ratio(const struct contest *c, const struct contest *by, const struct contest *floor,
	enum metric m, struct spread *ret)
{
	double values[COMPARE_ROUNDS_MAX];
	size_t n = 0;

	for (size_t i = 0; by && floor && i < MIN(MIN(c->count, by->count), floor->count); i++) {
		double low = floor->runs[i].values[m], under = by->runs[i].values[m] - low;

		if (under > 0)
			values[n++] = (c->runs[i].values[m] - low) / under;
	}
	if (n)
		*ret = spread_of(values, n);
	return n > 0;
}

const struct contest *compare_find(const struct compare *cmp, const char *name)
{
	for (size_t i = 0; i < cmp->count; i++)
		if (!strcmp(cmp->contests[i].peer->name, name) && cmp->contests[i].count)
			return &cmp->contests[i];
	return NULL;
}
