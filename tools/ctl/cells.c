#include "ctl/cells.h"
#include "ctl/units.h"

void cell_count(struct table *t, enum mood mood, uint64_t n)
{
	char text[UNITS_MAX];

	table_cell(t, mood == MOOD_PLAIN && !n ? MOOD_FAINT : mood, units_count(n, text));
}

void cell_bytes(struct table *t, enum mood mood, uint64_t n)
{
	char text[UNITS_MAX];

	table_cell(t, mood == MOOD_PLAIN && !n ? MOOD_FAINT : mood, units_bytes(n, text));
}

void cell_age(struct table *t, enum mood mood, uint64_t ms)
{
	char text[UNITS_MAX];

	table_cell(t, ms ? mood : MOOD_FAINT, ms ? units_age(ms, text) : "-");
}

void cells_head(struct table *t, const char *const *titles, size_t texts)
{
	for (size_t i = 0; titles[i]; i++)
		table_column(t, titles[i], i >= texts, i < texts ? 8 : 0, i ? (int)(100 - i) : 0);
}

int cells_print(struct table *t, const struct ctl *c)
{
	int err = table_print(t, &c->term, stdout);

	table_done(t);
	return err ? ctl_fail("out of memory") : 0;
}

long long json_number(const json_t *o, const char *key)
{
	return json_integer_value(json_object_get(o, key));
}

const char *json_text(const json_t *o, const char *key)
{
	const char *text = json_string_value(json_object_get(o, key));

	return text ? text : "";
}
