/* workers: the processes, and how often each was started anew. */
#include "ctl/table.h"
#include "ctl/units.h"
#include "ctl/verbs.h"

static long long number(const json_t *o, const char *key)
{
	return json_integer_value(json_object_get(o, key));
}

static void cell(struct table *t, enum mood mood, long long n)
{
	char text[24];

	snprintf(text, sizeof(text), "%lld", n);
	table_cell(t, mood, text);
}

int verb_workers(struct ctl *c, char **words)
{
	struct table t = {0};
	json_t *list = ctl_ask(c, "workers"), *o;
	size_t i;
	int err;

	(void)words;
	if (!list)
		return 1;
	if (c->json)
		return ctl_print_json(list);
	table_column(&t, "WORKER", true, 0, 0);
	table_column(&t, "PID", true, 0, 0);
	table_column(&t, "AGE", true, 0, 0);
	table_column(&t, "RESTARTS", true, 0, 0);
	json_array_foreach(list, i, o)
	{
		char age[UNITS_MAX];

		cell(&t, MOOD_PLAIN, number(o, "worker"));
		cell(&t, number(o, "pid") ? MOOD_PLAIN : MOOD_BAD, number(o, "pid"));
		table_cell(&t, MOOD_PLAIN, units_age((uint64_t)number(o, "age_ms"), age));
		cell(&t, number(o, "restarts") ? MOOD_WARN : MOOD_PLAIN, number(o, "restarts"));
	}
	err = table_print(&t, &c->term, stdout);
	table_done(&t);
	json_decref(list);
	return err ? ctl_fail("out of memory") : 0;
}
