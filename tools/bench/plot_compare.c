#include "plot.h"
#include "topology.h"

/* "topology, load, machine, versions": what a reader needs beside the picture. */
static int caption(json_t *o, char *out, size_t size)
{
	const char *when, *cpu, *kernel, *topology = "local", *client = "h1";
	double rate, seconds;
	int cpus, streams, bytes, rounds;
	struct plot_version who[COMPARE_CONTENDERS_MAX];
	json_t *c;
	size_t i, n, used = 0;

	if (json_unpack(o, "{s:s, s:{s:s, s:i, s:s}, s:{s:i, s:F, s:i, s:i, s:F, s?:s, s?:s}}", "when", &when,
		    "machine", "cpu", &cpu, "cpus", &cpus, "kernel", &kernel, "settings", "streams", &streams,
		    "rate", &rate, "size", &bytes, "rounds", &rounds, "seconds", &seconds, "topology",
		    &topology, "client", &client))
		return -EBADMSG;
	n = (size_t)snprintf(out, size,
		"%d streams x %g events/s x %d B; medians of %d rounds of %g s, bars from least to most; "
		"%s%s.\n"
		"%s, %d CPUs; %s; %.10s.",
		streams, rate, bytes, rounds, seconds,
		!strcmp(topology, "remote") ? "three network namespaces over veth" : "all on loopback",
		!strcmp(client, "h1")	 ? ""
		: !strcmp(client, "tls") ? "; clients over TLS"
					 : "; clients over HTTP/2",
		cpu, cpus, kernel, when);
	json_array_foreach(json_object_get(o, "contenders"), i, c)
	{
		const char *name = json_string_value(json_object_get(c, "name"));
		const char *version = json_string_value(json_object_get(c, "version"));

		if (name && version && used < ARRAY_LEN(who))
			who[used++] = (struct plot_version){name, version};
	}
	plot_versions(who, used, out + n, size - n);
	return 0;
}

bool plot_spread(json_t *contender, const char *key, bool above, struct spread *ret)
{
	const char *from[] = {"above_none", "summary"};

	for (size_t i = above ? 0 : 1; i < ARRAY_LEN(from); i++)
		if (!json_unpack(contender, "{s:{s:{s:F, s:F, s:F}}}", from[i], key, "median", &ret->median,
			    "min", &ret->min, "max", &ret->max))
			return true;
	return false;
}

static double median_of(json_t *contender, const char *key)
{
	struct spread s = {0};

	return plot_spread(contender, key, false, &s) ? s.median : 0;
}

static double above_none(json_t *contender)
{
	double v = 0;

	return json_unpack(contender, "{s:{s:{s:F}}}", "above_none", metric_rows[METRIC_MACHINE].key,
		       "median", &v)
		       ? 0
		       : v;
}

static bool took_part(json_t *contender)
{
	return json_array_size(json_object_get(contender, "rounds")) > 0;
}

static int plot_cpu(json_t *o, const struct plot_dirs *dirs, const char *stem, const char *text)
{
	static const enum metric parts[] = {
		METRIC_CONTENDER, METRIC_KWORKER, METRIC_KERNEL, METRIC_ORIGIN, METRIC_LOAD};
	struct plot p;
	json_t *c;
	size_t i;
	int err = plot_begin(&p, dirs, stem, "cpu", "cpu");

	if (err)
		return err;
	plot_text(&p, "caption", text);
	fprintf(p.to, "$data << EOD\n");
	json_array_foreach(json_object_get(o, "contenders"), i, c)
	{
		struct spread all = {0};

		if (!took_part(c) || !plot_spread(c, metric_rows[METRIC_MACHINE].key, false, &all))
			continue;
		fprintf(p.to, "%s", json_string_value(json_object_get(c, "name")));
		for (size_t k = 0; k < ARRAY_LEN(parts); k++)
			fprintf(p.to, " %g", median_of(c, metric_rows[parts[k]].key));
		fprintf(p.to, " %g %g %g %g\n", all.median, all.min, all.max, above_none(c));
	}
	fprintf(p.to, "EOD\n");
	return plot_end(&p);
}

static int plot_latency(json_t *o, const struct plot_dirs *dirs, const char *stem, const char *text)
{
	char names[512] = "";
	struct plot p;
	json_t *c;
	size_t i, n = 0;
	int err = plot_begin(&p, dirs, stem, "latency", "latency");

	if (err)
		return err;
	plot_text(&p, "caption", text);
	fprintf(p.to, "$data << EOD\n");
	json_array_foreach(json_object_get(o, "contenders"), i, c)
	{
		if (!took_part(c) || n >= sizeof(names))
			continue;
		n += (size_t)snprintf(
			names + n, sizeof(names) - n, "%s ", json_string_value(json_object_get(c, "name")));
		for (int m = METRIC_P50; m <= METRIC_MAX; m++) {
			struct spread s = {0};

			if (plot_spread(c, metric_rows[m].key, false, &s))
				fprintf(p.to, "%d %g %g %g\n", m - METRIC_P50, s.median, s.min, s.max);
		}
		fprintf(p.to, "\n\n");
	}
	fprintf(p.to, "EOD\n");
	plot_text(&p, "names", names);
	return plot_end(&p);
}

static int plot_events(json_t *o, const struct plot_dirs *dirs, const char *stem, const char *text)
{
	double rate = 0;
	json_t *c;
	size_t i, with_runs = 0;
	int err;

	json_array_foreach(json_object_get(o, "contenders"), i, c) with_runs += took_part(c);
	if (!with_runs || json_unpack(o, "{s:{s:F}}", "settings", "rate", &rate) || rate == 0) {
		fprintf(stderr, "sluice-bench plots: %s: no run with events, nothing to draw\n", stem);
		return 0;
	}
	err = plot_cpu(o, dirs, stem, text);
	return err ? err : plot_latency(o, dirs, stem, text);
}

int plot_compare(json_t *o, const struct plot_dirs *dirs, const char *stem)
{
	const char *scenario = json_string_value(json_object_get(json_object_get(o, "settings"), "scenario"));
	char text[1200];
	int err = caption(o, text, sizeof(text));

	if (err)
		return err;
	if (!scenario || !strcmp(scenario, "events"))
		return plot_events(o, dirs, stem, text);
	return plot_scenario(o, scenario, dirs, stem, text);
}
