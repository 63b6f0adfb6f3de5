#include "scale.h"
#include <math.h>

/* What a difference of two runs' CPU is thought to be uncertain by: a share of the machine's load, and a
 * floor for the noise of a machine that does nothing. It weighs the rows against each other; otherwise the
 * largest alone would decide, and the price of an idle stream be lost in their noise. */
#define CORES_SHARE 0.05
#define CORES_FLOOR 0.002

/* Share of their CPUs that origin and load may take without a relay. Above it they are what is measured: they
 * handle what piles up together, and spare more than a relay costs. */
#define CROWDED 0.9

/* The price of waking is in the model where it takes away so much of what the plain line leaves. */
#define WAKING_TELLS 0.8

#define ROWS_MAX 4096

const struct scale_row *scale_none_of(const struct scale_data *d, const struct scale_row *row)
{
	for (size_t i = 0; i < d->count; i++) {
		const struct scale_row *r = &d->rows[i];

		if (!strcmp(r->contender, "none") && r->streams == row->streams && r->rate == row->rate &&
			r->round == row->round)
			return r;
	}
	return NULL;
}

bool scale_cores(const struct scale_data *d, const struct scale_row *row, double *ret)
{
	const struct scale_row *none = scale_none_of(d, row);

	if (none)
		*ret = row->values[METRIC_CORES] - none->values[METRIC_CORES];
	return none != NULL;
}

/* A run in which something went wrong did less work than it was asked for. */
static bool usable(const struct scale_row *r, const char *contender)
{
	return !strcmp(r->contender, contender) && r->values[METRIC_WRONG] == 0;
}

bool scale_crowded(const struct scale_data *d, const struct scale_row *row)
{
	const struct scale_row *none = scale_none_of(d, row);
	/* The contender has a CPU to itself, where there are two. */
	int cpus = d->machine.cpus > 1 ? d->machine.cpus - 1 : 1;

	return none && none->values[METRIC_CORES] > CROWDED * cpus;
}

static size_t cpu_rows(const struct scale_data *d, const char *contender, struct fit_row *out)
{
	size_t n = 0;

	for (size_t i = 0; i < d->count && n < ROWS_MAX; i++) {
		const struct scale_row *r = &d->rows[i];
		double sd = CORES_SHARE * r->values[METRIC_CORES] + CORES_FLOOR, cores;

		if (usable(r, contender) && !scale_crowded(d, r) && scale_cores(d, r, &cores))
			out[n++] =
				(struct fit_row){{r->values[METRIC_RATE], r->streams}, cores, 1 / (sd * sd)};
	}
	return n;
}

/* How much of the price of waking an event pays, from 1 (alone) to 0 (at the busiest place). Wake-ups come
 * with every event at first, and are shared by more and more of them. */
static double waking(double events, double half, double busiest)
{
	double least = 1 / (1 + busiest / half), share = 1 / (1 + MIN(events, busiest) / half);

	return (share - least) / (1 - least);
}

double scale_event(const struct scale_model *m, double events)
{
	return m->cpu.c[0] + (m->half > 0 ? m->cpu.c[2] * waking(events, m->half, m->busiest) : 0);
}

static double kernel_bytes(const struct scale_row *r)
{
	return r->values[METRIC_MEMORY_SLAB] + r->values[METRIC_MEMORY_SOCKETS];
}

/* Idle streams only: with events the figure holds what is on its way as well. */
static size_t memory_rows(const struct scale_data *d, const char *contender, bool kernel, struct fit_row *out)
{
	size_t n = 0;

	for (size_t i = 0; i < d->count && n < ROWS_MAX; i++) {
		const struct scale_row *r = &d->rows[i], *none = scale_none_of(d, r);

		if (!usable(r, contender) || !none || r->rate > 0)
			continue;
		out[n++] = (struct fit_row){{r->streams, 1},
			kernel ? kernel_bytes(r) - kernel_bytes(none) : r->values[METRIC_MEMORY_USER], 1};
	}
	return n;
}

static void fit_or_nothing(const struct fit_row *rows, size_t count, size_t terms, struct fit *ret)
{
	if (fit_rows(rows, count, terms, ret))
		memset(ret, 0, sizeof(*ret));
}

/* The line, and the same with the price of waking for each place where half of that may be gone; the best of
 * them if it is much better. */
static void fit_cpu(struct fit_row *rows, size_t count, struct scale_model *m)
{
	fit_or_nothing(rows, count, 2, &m->cpu);
	for (size_t i = 0; i < count; i++)
		m->busiest = MAX(m->busiest, rows[i].x[0]);
	if (!m->cpu.rows || m->busiest <= 0)
		return;
	for (double half = m->busiest, limit = WAKING_TELLS * m->cpu.left; half > m->busiest / 1000;
		half /= 1.1) {
		struct fit f;

		for (size_t i = 0; i < count; i++)
			rows[i].x[2] = rows[i].x[0] * waking(rows[i].x[0], half, m->busiest);
		if (fit_rows(rows, count, 3, &f) || f.c[2] <= 0 || f.left >= limit)
			continue;
		m->cpu = f;
		m->half = half;
		limit = f.left;
	}
}

bool scale_fit(const struct scale_data *d, const char *contender, struct scale_model *ret)
{
	_cleanup_free_ struct fit_row *rows = calloc(ROWS_MAX, sizeof(*rows));

	*ret = (struct scale_model){0};
	if (!rows)
		return false;
	fit_cpu(rows, cpu_rows(d, contender, rows), ret);
	fit_or_nothing(rows, memory_rows(d, contender, false, rows), 2, &ret->user);
	fit_or_nothing(rows, memory_rows(d, contender, true, rows), 1, &ret->kernel);
	return ret->cpu.rows || ret->user.rows || ret->kernel.rows;
}

static double streams_for(double budget, double each)
{
	return each > 0 ? budget / each : INFINITY;
}

double scale_memory(const struct scale_model *m, double streams)
{
	return streams * (MAX(m->user.c[0], 0.0) + MAX(m->kernel.c[0], 0.0));
}

struct scale_capacity scale_capacity(const struct scale_model *m, const struct scale_host *host, double rate)
{
	const struct fit *f = &m->cpu;
	double cpus = host->cpus * host->cpu_share;
	double each = f->c[0] * rate + MAX(f->c[1], 0.0), off = 2 * (f->error[0] * rate + f->error[1]);
	struct scale_capacity c = {INFINITY, INFINITY, INFINITY, INFINITY};

	if (f->rows) {
		c.by_cpu = streams_for(cpus, each);
		c.by_cpu_low = streams_for(cpus, each + off);
		c.by_cpu_high = streams_for(cpus, each - off);
	}
	if (m->user.rows && m->kernel.rows)
		c.by_memory =
			streams_for(host->memory * host->memory_share - m->user.c[1], scale_memory(m, 1));
	return c;
}
