/* workers: the processes, and how often each was started anew. */
#include "ctl/cells.h"
#include "ctl/verbs.h"

static void cell_number(struct table *t, enum mood mood, long long n)
{
	char text[24];

	snprintf(text, sizeof(text), "%lld", n);
	table_cell(t, mood, text);
}

int verb_workers(struct ctl *c, char **words)
{
	static const char *const titles[] = {"WORKER", "PID", "AGE", "RESTARTS", NULL};
	struct table t = {0};
	json_t *list = ctl_ask(c, "workers"), *o;
	size_t i;

	(void)words;
	if (!list)
		return 1;
	if (c->json)
		return ctl_print_json(list);
	cells_head(&t, titles, 0);
	json_array_foreach(list, i, o)
	{
		cell_number(&t, MOOD_PLAIN, json_number(o, "worker"));
		cell_number(&t, json_number(o, "pid") ? MOOD_PLAIN : MOOD_BAD, json_number(o, "pid"));
		cell_age(&t, MOOD_PLAIN, (uint64_t)json_number(o, "age_ms"));
		cell_count(&t, json_number(o, "restarts") ? MOOD_WARN : MOOD_PLAIN,
			(uint64_t)json_number(o, "restarts"));
	}
	json_decref(list);
	return cells_print(&t, c);
}
