#include "scale.h"
#include <math.h>
#include <jansson.h>

#define FORMAT 1

int scale_add(struct scale_data *d, const struct scale_row *row)
{
	if (d->count == d->cap) {
		size_t cap = d->cap ? d->cap * 2 : 64;
		struct scale_row *rows = realloc(d->rows, cap * sizeof(*rows));

		if (!rows)
			return -ENOMEM;
		d->rows = rows;
		d->cap = cap;
	}
	d->rows[d->count++] = *row;
	return 0;
}

void scale_data_done(struct scale_data *d)
{
	free(d->rows);
	*d = (struct scale_data){0};
}

static json_t *row_to_json(const struct scale_row *r)
{
	json_t *o = json_pack("{s:s, s:f, s:f, s:i}", "contender", r->contender, "streams", r->streams,
		"rate", r->rate, "round", (int)r->round);

	for (int m = 0; o && m < METRICS; m++)
		if (!isnan(r->values[m]))
			json_object_set_new(o, metric_rows[m].key, json_real(r->values[m]));
	return o;
}

static bool measured(const struct scale_data *d, int metric)
{
	for (size_t i = 0; i < d->count; i++)
		if (!isnan(d->rows[i].values[metric]))
			return true;
	return false;
}

int scale_write(const struct scale_data *d, const char *path)
{
	const struct machine *m = &d->machine;
	json_t *rows = json_array(), *contenders = json_array(), *units = json_object(), *o;
	int err;

	for (size_t i = 0; i < d->count; i++)
		json_array_append_new(rows, row_to_json(&d->rows[i]));
	for (size_t i = 0; i < d->contender_count; i++)
		json_array_append_new(contenders, json_pack("{s:s, s:s}", "name", d->contenders[i].name,
							  "version", d->contenders[i].version));
	for (int i = 0; i < METRICS; i++)
		if (measured(d, i))
			json_object_set_new(units, metric_rows[i].key, json_string(metric_rows[i].unit));
	o = json_pack("{s:i, s:s, s:s, s:s, s:{s:s, s:i, s:s, s:i}, s:{s:s, s:f, s:f, s:f}, s:o, s:o, s:o}",
		"format", FORMAT, "kind", "scale", "tool", "sluice-bench " SLUICE_VERSION, "when", m->when,
		"machine", "cpu", m->cpu, "cpus", m->cpus, "kernel", m->kernel, "memory_mib",
		(int)m->memory_mib, "settings", "topology", d->topology, "size", d->size, "seconds",
		d->seconds, "idle_seconds", d->idle_seconds, "units", units, "contenders", contenders, "runs",
		rows);
	if (!o)
		return -ENOMEM;
	err = json_dump_file(o, path, JSON_INDENT(1) | JSON_REAL_PRECISION(8)) ? -EIO : 0;
	json_decref(o);
	return err;
}

static void copy_text(char *out, size_t size, const char *text)
{
	snprintf(out, size, "%s", text);
}

static int read_head(json_t *o, struct scale_data *d, char *why, size_t size)
{
	const char *kind, *when, *cpu, *kernel, *topology;
	json_error_t error;
	int format, memory;

	if (json_unpack_ex(o, &error, 0, "{s:i, s:s, s:s, s:{s:s, s:i, s:s, s:i}, s:{s:s, s:F, s:F, s:F}}",
		    "format", &format, "kind", &kind, "when", &when, "machine", "cpu", &cpu, "cpus",
		    &d->machine.cpus, "kernel", &kernel, "memory_mib", &memory, "settings", "topology",
		    &topology, "size", &d->size, "seconds", &d->seconds, "idle_seconds", &d->idle_seconds)) {
		snprintf(why, size, "not a file of `sluice-bench scale`: %.100s", error.text);
		return -EBADMSG;
	}
	if (strcmp(kind, "scale") != 0 || format != FORMAT) {
		snprintf(why, size, "kind \"%.20s\" and format %d; \"scale\" and %d are understood", kind,
			format, FORMAT);
		return -EBADMSG;
	}
	d->machine.memory_mib = memory;
	copy_text(d->machine.when, sizeof(d->machine.when), when);
	copy_text(d->machine.cpu, sizeof(d->machine.cpu), cpu);
	copy_text(d->machine.kernel, sizeof(d->machine.kernel), kernel);
	copy_text(d->topology, sizeof(d->topology), topology);
	return 0;
}

static int read_contenders(json_t *list, struct scale_data *d)
{
	json_t *o;
	size_t i;

	json_array_foreach(list, i, o)
	{
		const char *name, *version;

		if (i == COMPARE_CONTENDERS_MAX ||
			json_unpack(o, "{s:s, s:s}", "name", &name, "version", &version))
			return -EBADMSG;
		copy_text(d->contenders[i].name, sizeof(d->contenders[i].name), name);
		copy_text(d->contenders[i].version, sizeof(d->contenders[i].version), version);
		d->contender_count++;
	}
	return d->contender_count ? 0 : -EBADMSG;
}

static int read_rows(json_t *list, struct scale_data *d)
{
	json_t *o;
	size_t i;

	json_array_foreach(list, i, o)
	{
		struct scale_row r = {.round = 0};
		const char *contender;
		int round;

		if (json_unpack(o, "{s:s, s:F, s:F, s:i}", "contender", &contender, "streams", &r.streams,
			    "rate", &r.rate, "round", &round))
			return -EBADMSG;
		copy_text(r.contender, sizeof(r.contender), contender);
		r.round = (unsigned)round;
		/* Files of older programs have fewer figures: those are 0. */
		for (int m = 0; m < METRICS; m++)
			r.values[m] = json_number_value(json_object_get(o, metric_rows[m].key));
		if (scale_add(d, &r))
			return -ENOMEM;
	}
	return 0;
}

int scale_read(const char *path, struct scale_data *ret, char *why, size_t size)
{
	struct scale_data d = {.count = 0};
	json_error_t error;
	json_t *o = json_load_file(path, 0, &error);
	int err = 0;

	if (!o) {
		snprintf(why, size, "line %d: %.140s", error.line, error.text);
		return -EBADMSG;
	}
	err = read_head(o, &d, why, size);
	if (!err) {
		err = read_contenders(json_object_get(o, "contenders"), &d);
		if (!err)
			err = read_rows(json_object_get(o, "runs"), &d);
		if (err)
			snprintf(why, size,
				"its contenders or runs are not as `sluice-bench scale` writes them");
	}
	json_decref(o);
	if (err)
		scale_data_done(&d);
	else
		*ret = d;
	return err;
}
