#include "plot.h"

int plot_bars(const struct plot_dirs *dirs, const char *stem, const char *name, const char *title,
	const char *ylabel, const char *const *parts, bool logarithmic, const char *caption,
	const struct plot_bar *bars, size_t count)
{
	struct plot p;
	size_t n = 0;
	int err = plot_begin(&p, dirs, stem, name, "bars");

	if (err)
		return err;
	while (parts[n])
		n++;
	plot_text(&p, "caption", caption);
	plot_text(&p, "title_text", title);
	plot_text(&p, "ylabel_text", ylabel);
	fprintf(p.to, "parts = %zu\nlogarithmic = %d\narray titles[%d]\n", n, (int)logarithmic,
		PLOT_PARTS_MAX);
	for (size_t i = 0; i < n; i++) {
		char variable[32];

		snprintf(variable, sizeof(variable), "titles[%zu]", i + 1);
		plot_text(&p, variable, parts[i]);
	}
	fprintf(p.to, "$data << EOD\n");
	for (size_t i = 0; i < count; i++) {
		double sum = 0;

		fprintf(p.to, "%s", bars[i].name);
		for (size_t k = 0; k < PLOT_PARTS_MAX; k++) {
			fprintf(p.to, " %g", bars[i].parts[k]);
			sum += bars[i].parts[k];
		}
		fprintf(p.to, " %g %g %g\n", sum, bars[i].most > 0 ? bars[i].least : sum,
			bars[i].most > 0 ? bars[i].most : sum);
	}
	fprintf(p.to, "EOD\n");
	return plot_end(&p);
}

/* What is drawn of each scenario. */
static const struct picture {
	const char *scenario, *name, *title, *ylabel;
	struct {
		enum metric metric;
		const char *title; /* NULL: no such part */
		bool above;	   /* what none has as well is taken off, where none was measured */
	} parts[PLOT_PARTS_MAX];
	double divisor;
	bool logarithmic;
} pictures[] = {
	{"idle", "memory", "What an idle stream holds in memory", "KiB per stream (lower is better)",
		{{METRIC_IDLE_USER, "user: the relay's processes (PSS)", false},
			{METRIC_IDLE_SLAB, "kernel: slab, above none if that took part", true},
			{METRIC_IDLE_SOCKETS, "kernel: sockets, likewise", true}},
		1024, false},
	{"setup", "rate", "Streams opened, one after the other, by 32 clients",
		"streams a second (higher is better)", {{METRIC_SETUPS, "set-ups", false}}, 1, false},
	{"abort", "close", "From a client's abort to the upstream's close, 99 % of them",
		"ms (logarithmic; lower is better)", {{METRIC_ABORT_P99, "p99", false}}, 1000, true},
	{"stall", "memory", "What a client that reads no more makes the relay's host hold",
		"KiB per stalled client (lower is better)",
		{{METRIC_STALL_USER, "user: the relay's processes (PSS)", false},
			{METRIC_STALL_SOCKETS, "kernel: queued in sockets", false}},
		1024, false},
	{"saturate", "rate", "Events a second that come through when there are more than can be carried",
		"thousand events a second (higher is better)", {{METRIC_RATE, "events", false}}, 1000, false},
};

static bool bar_of(json_t *contender, const struct picture *what, struct plot_bar *ret)
{
	struct plot_bar bar = {.name = json_string_value(json_object_get(contender, "name"))};
	size_t n = 0;

	for (; n < PLOT_PARTS_MAX && what->parts[n].title; n++) {
		struct spread s;

		if (!bar.name || !plot_spread(contender, metric_rows[what->parts[n].metric].key,
					 what->parts[n].above, &s))
			return false;
		bar.parts[n] = MAX(s.median, 0.0) / what->divisor;
		bar.least = s.min / what->divisor;
		bar.most = s.max / what->divisor;
	}
	if (n > 1) /* the parts' ranges are not that of their sum */
		bar.least = bar.most = 0;
	*ret = bar;
	return true;
}

int plot_scenario(
	json_t *o, const char *scenario, const struct plot_dirs *dirs, const char *stem, const char *caption)
{
	const struct picture *what = NULL;
	const char *parts[PLOT_PARTS_MAX + 1] = {NULL};
	struct plot_bar bars[COMPARE_CONTENDERS_MAX];
	json_t *c;
	size_t i, n = 0;

	for (i = 0; i < ARRAY_LEN(pictures); i++)
		if (!strcmp(pictures[i].scenario, scenario))
			what = &pictures[i];
	if (!what)
		return 0;
	for (i = 0; i < PLOT_PARTS_MAX; i++)
		parts[i] = what->parts[i].title;
	json_array_foreach(json_object_get(o, "contenders"), i, c)
	{
		const char *name = json_string_value(json_object_get(c, "name"));

		/* A scenario that is about the relay's own memory has nothing to say of no relay. */
		if (name && !strcmp(name, "none") && parts[1])
			continue;
		if (n < ARRAY_LEN(bars) && bar_of(c, what, &bars[n]))
			n++;
	}
	if (!n) {
		fprintf(stderr, "sluice-bench plots: %s: no run that measured anything\n", stem);
		return 0;
	}
	return plot_bars(dirs, stem, what->name, what->title, what->ylabel, parts, what->logarithmic, caption,
		bars, n);
}
