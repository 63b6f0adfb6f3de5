#include "compare.h"
#include "machine.h"
#include "scenario.h"
#include <jansson.h>
#include <math.h>

static json_t *spread_to_json(struct spread s)
{
	return json_pack("{s:f, s:f, s:f}", "median", s.median, "min", s.min, "max", s.max);
}

/* "median": {…} or nothing, when there are no rounds to tell of. */
static void set_spreads(json_t *o, const char *key, const struct contest *c, const struct contest *by,
	bool (*of)(const struct contest *, const struct contest *, enum metric, struct spread *))
{
	json_t *all = json_object();
	struct spread s;

	for (int m = 0; m < METRICS; m++)
		if (of(c, by, (enum metric)m, &s))
			json_object_set_new(all, metric_rows[m].key, spread_to_json(s));
	json_object_set_new(o, key, all);
}

static bool plain(const struct contest *c, const struct contest *by, enum metric m, struct spread *ret)
{
	(void)by;
	return compare_measured(c, m, ret);
}

static json_t *run_to_json(const struct run *r)
{
	json_t *o = json_object();

	for (int m = 0; m < METRICS; m++)
		if (!isnan(r->values[m]))
			json_object_set_new(o, metric_rows[m].key, json_real(r->values[m]));
	return o;
}

static json_t *contest_to_json(const struct compare *cmp, const struct contest *c)
{
	json_t *o = json_pack("{s:s, s:s, s:s, s:s}", "name", c->peer->name, "about", c->peer->about,
		"version", c->version, "left_out", c->left_out);
	json_t *rounds = json_array();

	if (!o)
		return NULL;
	set_spreads(o, "summary", c, NULL, plain);
	set_spreads(o, "ratio_to_" COMPARE_REFERENCE, c, compare_find(cmp, COMPARE_REFERENCE), compare_ratio);
	set_spreads(o, "above_none", c, compare_find(cmp, "none"), compare_above);
	for (size_t i = 0; i < c->count; i++)
		json_array_append_new(rounds, run_to_json(&c->runs[i]));
	json_object_set_new(o, "rounds", rounds);
	return o;
}

/* Of what was measured. */
static json_t *units_to_json(const struct compare *cmp)
{
	json_t *o = json_object();
	struct spread s;

	for (int m = 0; m < METRICS; m++)
		for (size_t i = 0; i < cmp->count; i++)
			if (compare_measured(&cmp->contests[i], (enum metric)m, &s))
				json_object_set_new(o, metric_rows[m].key, json_string(metric_rows[m].unit));
	return o;
}

static json_t *targets_to_json(const struct compare *cmp)
{
	struct verdict verdicts[COMPARE_VERDICTS_MAX];
	size_t n = compare_judge(cmp, verdicts);
	json_t *all = json_array();

	for (size_t i = 0; i < n; i++) {
		const struct verdict *v = &verdicts[i];

		json_array_append_new(
			all, json_pack("{s:s, s:s, s:f, s:f, s:s, s:b, s:b}", "contender", v->of, "target",
				     v->key, "value", v->value, "limit", v->limit, "unit", v->unit, "pass",
				     (int)v->pass, "unreliable", (int)v->unreliable));
	}
	return all;
}

int compare_write_json(const struct compare *cmp, const char *path)
{
	struct machine m;
	json_t *o, *list = json_array();
	int err;

	machine_describe(&m);
	for (size_t i = 0; i < cmp->count; i++)
		json_array_append_new(list, contest_to_json(cmp, &cmp->contests[i]));
	o = json_pack("{s:i, s:s, s:s, s:{s:s, s:i, s:s, s:i}, s:{s:s, s:s, s:I, s:f, s:I, s:I, s:f, s:f, "
		      "s:f, s:I, s:I, "
		      "s:b, s:s}, "
		      "s:o, s:o, s:o}",
		"format", 1, "tool", "sluice-bench " SLUICE_VERSION, "when", m.when, "machine", "cpu", m.cpu,
		"cpus", m.cpus, "kernel", m.kernel, "memory_mib", (int)m.memory_mib, "settings", "scenario",
		cmp->scenario->name, "client", cmp->client->name, "streams", (json_int_t)cmp->streams, "rate",
		cmp->rate, "size", (json_int_t)cmp->size, "rounds", (json_int_t)cmp->rounds, "seconds",
		cmp->seconds, "warmup", cmp->warmup, "pause", cmp->pause, "load_processes",
		(json_int_t)cmp->processes, "workers", (json_int_t)cmp->workers, "pinned", (int)cmp->pinned,
		"topology", cmp->topology_name, "units", units_to_json(cmp), "contenders", list, "targets",
		targets_to_json(cmp));
	if (!o)
		return -ENOMEM;
	err = json_dump_file(o, path, JSON_INDENT(1) | JSON_REAL_PRECISION(8)) ? -EIO : 0;
	json_decref(o);
	return err;
}
