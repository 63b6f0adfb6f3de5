#include "plot.h"

static void caption(const struct scale_data *d, const char *what, char *out, size_t size)
{
	const struct machine *m = &d->machine;
	size_t n = (size_t)snprintf(out, size, "%s\n%s, %d CPUs; %s; %.10s; %s.", what, m->cpu, m->cpus,
		m->kernel, m->when,
		!strcmp(d->topology, "remote") ? "three network namespaces over veth" : "all on loopback");
	struct plot_version who[COMPARE_CONTENDERS_MAX];

	for (size_t i = 0; i < d->contender_count; i++)
		who[i] = (struct plot_version){d->contenders[i].name, d->contenders[i].version};
	plot_versions(who, d->contender_count, out + n, size - n);
}

double plot_shared(const struct scale_data *d, bool by_rate)
{
	double best = 0, best_places = 0;

	for (size_t i = 0; i < d->count; i++) {
		const struct scale_row *r = &d->rows[i];
		double key = by_rate ? r->streams : r->rate, places = 0;

		if (r->rate == 0)
			continue;
		for (size_t k = 0; k < d->count; k++)
			places += d->rows[k].rate > 0 &&
				  (by_rate ? d->rows[k].streams : d->rows[k].rate) == key;
		if (places > best_places || (places == best_places && key > best)) {
			best = key;
			best_places = places;
		}
	}
	return best;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* CPU above none per event, in us, over the rounds of one place. Rounds in which something went wrong do not
 * count. */
static bool place(
	const struct scale_data *d, const char *name, double streams, double rate, struct spread *ret)
{
	double values[COMPARE_ROUNDS_MAX];
	size_t n = 0;

	for (size_t i = 0; i < d->count && n < ARRAY_LEN(values); i++) {
		const struct scale_row *r = &d->rows[i];
		double cores;

		if (strcmp(r->contender, name) != 0 || r->streams != streams || r->rate != rate ||
			r->values[METRIC_RATE] <= 0 || r->values[METRIC_WRONG] > 0 ||
			!scale_cores(d, r, &cores))
			continue;
		values[n++] = cores / r->values[METRIC_RATE] * 1e6;
	}
	if (!n)
		return false;
	qsort(values, n, sizeof(*values), by_value);
	*ret = (struct spread){(values[n / 2] + values[(n - 1) / 2]) / 2, values[0], values[n - 1]};
	return true;
}

/* True at the first row with this number of streams (or rate): each value is drawn once. */
static bool first_of(const struct scale_data *d, size_t at, bool by_rate)
{
	for (size_t i = 0; i < at; i++)
		if (by_rate ? d->rows[i].rate == d->rows[at].rate : d->rows[i].streams == d->rows[at].streams)
			return false;
	return true;
}

/* The contender's points, and the model's value at each. Returns how many. */
static size_t write_points(
	struct plot *p, const struct scale_data *d, const char *name, bool by_rate, double shared)
{
	struct scale_model m;
	size_t n = 0;

	if (!scale_fit(d, name, &m))
		m = (struct scale_model){.half = 0};
	for (size_t i = 0; i < d->count; i++) {
		double streams = by_rate ? shared : d->rows[i].streams,
		       rate = by_rate ? d->rows[i].rate : shared;
		struct spread s;

		if (!first_of(d, i, by_rate) || !place(d, name, streams, rate, &s))
			continue;
		fprintf(p->to, "%g %g %g %g ", by_rate ? rate : streams, s.median, s.min, s.max);
		if (m.cpu.rows)
			fprintf(p->to, "%g\n", (scale_event(&m, streams * rate) + m.cpu.c[1] / rate) * 1e6);
		else
			fprintf(p->to, "NaN\n");
		n++;
	}
	return n;
}

static int plot_cost(const struct scale_data *d, const struct plot_dirs *dirs, const char *stem, bool by_rate)
{
	double shared = plot_shared(d, by_rate);
	char names[512] = "", text[1200], what[200];
	struct plot p;
	size_t n = 0;
	int err;

	if (shared == 0)
		return -ENODATA;
	err = plot_begin(
		&p, dirs, stem, by_rate ? "by-rate" : "by-streams", by_rate ? "by-rate" : "by-streams");
	if (err)
		return err;
	snprintf(what, sizeof(what),
		"%g %s; events of %g B; medians of runs of %g s, bars from least to most; dashed: the fitted "
		"model.",
		shared, by_rate ? "streams" : "events/s on each stream", d->size, d->seconds);
	caption(d, what, text, sizeof(text));
	plot_text(&p, "caption", text);
	fprintf(p.to, "$data << EOD\n");
	for (size_t i = 0; i < d->contender_count && n < sizeof(names); i++) {
		const char *name = d->contenders[i].name;

		if (!strcmp(name, "none") || !write_points(&p, d, name, by_rate, shared))
			continue;
		fprintf(p.to, "\n\n");
		n += (size_t)snprintf(names + n, sizeof(names) - n, "%s ", name);
	}
	fprintf(p.to, "EOD\n");
	plot_text(&p, "names", names);
	return plot_end(&p);
}

static int plot_memory(const struct scale_data *d, const struct plot_dirs *dirs, const char *stem)
{
	static const char *const parts[] = {
		"user: the relay's processes (PSS)", "kernel: slab and sockets, above none", NULL};
	struct plot_bar bars[COMPARE_CONTENDERS_MAX];
	char text[1200];
	size_t n = 0;

	for (size_t i = 0; i < d->contender_count; i++) {
		struct scale_model m;

		if (strcmp(d->contenders[i].name, "none") != 0 && scale_fit(d, d->contenders[i].name, &m) &&
			m.user.rows && m.kernel.rows)
			bars[n++] = (struct plot_bar){d->contenders[i].name,
				{MAX(m.user.c[0], 0.0) / 1024, MAX(m.kernel.c[0], 0.0) / 1024}, 0, 0};
	}
	if (!n)
		return 0;
	caption(d,
		"Streams without events; slopes of the fitted lines, without what a daemon holds before its "
		"first stream.",
		text, sizeof(text));
	return plot_bars(dirs, stem, "memory", "What an idle stream holds in memory",
		"KiB per stream (lower is better)", parts, false, text, bars, n);
}

int plot_scale(const struct scale_data *d, const struct plot_dirs *dirs, const char *stem)
{
	int err = plot_cost(d, dirs, stem, false);

	if (!err)
		err = plot_cost(d, dirs, stem, true);
	if (err == -ENODATA) {
		fprintf(stderr, "sluice-bench plots: %s: no run with events\n", stem);
		err = 0;
	}
	return err ? err : plot_memory(d, dirs, stem);
}
