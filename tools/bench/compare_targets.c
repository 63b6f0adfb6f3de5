#include "scenario.h"

#define COPY   "sluice-copy"
#define SPLICE "sluice-splice"
#define FLOOR  "none"

enum target_kind {
	TARGET_RATIO,	    /* of what `by` has in the same round */
	TARGET_ABOVE_RATIO, /* the same, of what both have above a run without a proxy */
	TARGET_VALUE,	    /* as it is */
};

struct target {
	const char *scenario, *client; /* what was measured, and how they came */
	const char *of, *by, *key, *what, *unit;
	enum target_kind kind;
	enum metric metric;
	double limit;
};

/* Of issue 2 (copy), issue 3 (splice) and issue 4 (TLS and HTTP/2). */
static const struct target targets[] = {
	{"events", "h1", COPY, COMPARE_REFERENCE, "cpu_contender_to_nginx",
		"CPU per event, the relay's processes:", "of nginx's", TARGET_RATIO, METRIC_CONTENDER, 0.85},
	{"events", "h1", COPY, COMPARE_REFERENCE, "latency_p50_to_nginx", "latency, p50:", "of nginx's",
		TARGET_RATIO, METRIC_P50, 1},
	{"events", "h1", SPLICE, COMPARE_REFERENCE, "cpu_machine_above_none_to_nginx",
		"CPU per event, machine above none:", "of nginx's", TARGET_ABOVE_RATIO, METRIC_MACHINE, 0.75},
	{"events", "h1", SPLICE, COPY, "cpu_machine_above_none_to_copy", "CPU per event, machine above none:",
		"of the copy lane's", TARGET_ABOVE_RATIO, METRIC_MACHINE, 1},
	{"events", "h1", SPLICE, NULL, "cpu_contender", "CPU per event, the relay's processes:", "us",
		TARGET_VALUE, METRIC_CONTENDER, 0.05},
	{"events", "h1", SPLICE, COMPARE_REFERENCE, "latency_p50_to_nginx", "latency, p50:", "of nginx's",
		TARGET_RATIO, METRIC_P50, 1},
	{"events", "h1", SPLICE, NULL, "stopped_latency_p99",
		"latency while the relay is stopped, p99:", "ms", TARGET_VALUE, METRIC_PAUSE_P99, 5},
	{"events", "tls", COPY, COMPARE_REFERENCE, "cpu_contender_to_nginx",
		"CPU per event, the relay's processes:", "of nginx's", TARGET_RATIO, METRIC_CONTENDER, 0.9},
	{"events", "tls", COPY, COMPARE_REFERENCE, "latency_p50_to_nginx", "latency, p50:", "of nginx's",
		TARGET_RATIO, METRIC_P50, 1},
	{"events", "h2", COPY, COMPARE_REFERENCE, "cpu_contender_to_nginx",
		"CPU per event, the relay's processes:", "of nginx's", TARGET_RATIO, METRIC_CONTENDER, 0.9},
	{"events", "h2", COPY, COMPARE_REFERENCE, "latency_p50_to_nginx", "latency, p50:", "of nginx's",
		TARGET_RATIO, METRIC_P50, 1},
	{"idle", "tls", COPY, COMPARE_REFERENCE, "idle_user_to_nginx",
		"memory per stream, the relay's processes:", "of nginx's", TARGET_RATIO, METRIC_IDLE_USER,
		0.6},
};

static double noise_share(const struct compare *cmp, double other, double steal)
{
	double events_per_us = (double)cmp->streams * cmp->rate / 1e6;

	return (other + steal) * events_per_us;
}

/* Only events have a price per event to tell it by. */
double compare_noise(const struct compare *cmp, const struct contest *c)
{
	if (cmp->scenario != &scenario_events)
		return compare_spread(c, METRIC_CORES_OTHER).median;
	return noise_share(
		cmp, compare_spread(c, METRIC_OTHER).median, compare_spread(c, METRIC_STEAL).median);
}

double compare_noise_worst(const struct compare *cmp, const struct contest *c)
{
	if (cmp->scenario != &scenario_events)
		return compare_spread(c, METRIC_CORES_OTHER).max;
	return noise_share(cmp, compare_spread(c, METRIC_OTHER).max, compare_spread(c, METRIC_STEAL).max);
}

static bool noisy(const struct compare *cmp, const struct contest *c)
{
	return c && compare_noise(cmp, c) > COMPARE_NOISE_SHARE;
}

/* False when nothing was measured. */
static bool measured(const struct compare *cmp, const struct target *t, const struct contest *c,
	const struct contest *by, struct spread *ret)
{
	switch (t->kind) {
	case TARGET_RATIO:
		return compare_ratio(c, by, t->metric, ret);
	case TARGET_ABOVE_RATIO:
		return compare_above_ratio(c, by, compare_find(cmp, FLOOR), t->metric, ret);
	case TARGET_VALUE:
		*ret = compare_spread(c, t->metric);
		return t->metric != METRIC_PAUSE_P99 || cmp->pause > 0;
	}
	return false;
}

/* Latencies are those of the events that arrived: when some of a stopped second never did, they say nothing
 * good. */
static bool arrived(const struct target *t, const struct contest *c)
{
	return t->metric != METRIC_PAUSE_P99 ||
	       compare_spread(c, METRIC_PAUSE_RATE).min >=
		       COMPARE_PAUSE_SHARE * compare_spread(c, METRIC_RATE).min;
}

size_t compare_judge(const struct compare *cmp, struct verdict *ret)
{
	size_t n = 0;

	_Static_assert(ARRAY_LEN(targets) <= COMPARE_VERDICTS_MAX, "room for a verdict on each target");
	for (size_t i = 0; i < ARRAY_LEN(targets); i++) {
		const struct target *t = &targets[i];
		const struct contest *c = compare_find(cmp, t->of),
				     *by = t->by ? compare_find(cmp, t->by) : NULL;
		struct spread s;

		if (strcmp(t->scenario, cmp->scenario->name) || strcmp(t->client, cmp->client->name) || !c ||
			!measured(cmp, t, c, by, &s))
			continue;
		ret[n++] = (struct verdict){.of = t->of,
			.key = t->key,
			.what = t->what,
			.value = s.median,
			.limit = t->limit,
			.unit = t->unit,
			.pass = s.median <= t->limit && arrived(t, c),
			.unreliable =
				noisy(cmp, c) || noisy(cmp, by) ||
				(t->kind == TARGET_ABOVE_RATIO && noisy(cmp, compare_find(cmp, FLOOR)))};
	}
	return n;
}
