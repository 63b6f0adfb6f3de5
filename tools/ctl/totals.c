/* totals: what the daemon counted since it began. */
#include "ctl/cells.h"
#include "ctl/verbs.h"

static void add(struct table *t, const char *of, const json_t *o)
{
	const char *key;
	json_t *v;

	json_object_foreach((json_t *)o, key, v)
	{
		char number[24], name[80];

		snprintf(name, sizeof(name), "%s%s%s", of, *of ? " " : "", key);
		if (json_is_object(v)) {
			add(t, name, v);
		} else if (json_is_integer(v)) {
			snprintf(number, sizeof(number), "%lld", (long long)json_integer_value(v));
			table_cell(t, MOOD_PLAIN, name);
			table_cell(t, json_integer_value(v) ? MOOD_PLAIN : MOOD_FAINT, number);
		}
	}
}

int verb_totals(struct ctl *c, char **words)
{
	static const char *const titles[] = {"COUNTER", "VALUE", NULL};
	struct table t = {0};
	json_t *answer = ctl_ask(c, "totals");

	(void)words;
	if (!answer)
		return 1;
	if (c->json)
		return ctl_print_json(answer);
	cells_head(&t, titles, 1);
	add(&t, "", answer);
	json_decref(answer);
	return cells_print(&t, c);
}
