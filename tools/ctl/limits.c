/* limits: every limit in force, and how much of it is used where that can be told. The settings come from the
 * daemon by the table that it reads its config with, so that a limit that is added there is in here. */
#include "ctl/cells.h"
#include "ctl/units.h"
#include "ctl/verbs.h"
#include "sluice/counters.h"
#include <dirent.h>

#define UNKNOWN (-1LL)

struct rows {
	json_t *list;
};

static bool ends_with(const char *s, const char *end)
{
	size_t n = strlen(s), m = strlen(end);

	return n >= m && strcmp(s + n - m, end) == 0;
}

/* The unit is the name's ending. */
static void add(struct rows *r, const char *scope, const char *name, long long limit, long long used)
{
	const char *unit = ends_with(name, "_ms") ? "ms" : ends_with(name, "_bytes") ? "bytes" : "";
	char bare[64];

	snprintf(bare, sizeof(bare), "%.*s", (int)(strlen(name) - (*unit ? strlen(unit) + 1 : 0)), name);
	json_array_append_new(r->list,
		json_pack("{s:s,s:s,s:s,s:I,s:o}", "scope", scope, "limit", bare, "unit", unit, "value",
			(json_int_t)limit, "used", used == UNKNOWN ? json_null() : json_integer(used)));
}

/* What is a number in the config, and no limit. */
static bool is_limit(const char *key)
{
	static const char *const others[] = {"workers", "mode", "weight", "retry_ms"};

	for (size_t i = 0; i < ARRAY_LEN(others); i++)
		if (strcmp(key, others[i]) == 0)
			return false;
	return true;
}

static long long route_streams(const struct view_shot *shot, const char *name)
{
	long long n = 0;

	for (size_t i = 0; i < shot->n; i++)
		n += strncmp(shot->streams[i].c.route_name, name,
			     sizeof(shot->streams[i].c.route_name) - 1) == 0;
	return n;
}

static long long connections(const struct view *v, const char *upstream, const char *address)
{
	uint32_t count = 0;
	const struct sluice_server *s = view_section(v, "servers", sizeof(*s), &count);
	long long n = s ? 0 : UNKNOWN;

	for (uint32_t i = 0; s && i < count; i++)
		if (strncmp(s[i].upstream, upstream, sizeof(s[i].upstream) - 1) == 0 &&
			strncmp(s[i].address, address, sizeof(s[i].address) - 1) == 0)
			n += s[i].connections + s[i].idle;
	return n;
}

/* All numbers of a section; `used` of the key `of`. */
static void add_section(struct rows *r, const char *scope, const json_t *o, const char *of, long long used)
{
	const char *key;
	json_t *v;

	json_object_foreach((json_t *)o, key, v)
	{
		char inner[128];

		if (json_is_integer(v) && is_limit(key))
			add(r, scope, key, json_integer_value(v),
				of && strcmp(key, of) == 0 ? used : UNKNOWN);
		snprintf(inner, sizeof(inner), "%s %s", scope, key);
		if (json_is_object(v))
			add_section(r, inner, v, NULL, 0);
	}
}

static void add_upstreams(struct rows *r, const struct view *v, const json_t *list)
{
	json_t *o, *s;
	size_t i, k;

	json_array_foreach((json_t *)list, i, o)
	{
		char scope[128];

		snprintf(scope, sizeof(scope), "upstream %s", json_text(o, "name"));
		add_section(r, scope, o, NULL, 0);
		json_array_foreach(json_object_get(o, "servers"), k, s)
		{
			char server[256];

			snprintf(server, sizeof(server), "%s %s", scope, json_text(s, "address"));
			add_section(r, server, s, "max_connections",
				connections(v, json_text(o, "name"), json_text(s, "address")));
		}
	}
}

/* Open descriptors of a process; UNKNOWN when we may not look. */
static long long open_fds(long long pid)
{
	long long n = 0;
	char path[48];
	DIR *d;

	snprintf(path, sizeof(path), "/proc/%lld/fd", pid);
	d = opendir(path);
	if (!d)
		return UNKNOWN;
	for (struct dirent *e; (e = readdir(d));)
		n += e->d_name[0] != '.';
	closedir(d);
	return n;
}

static void add_workers(struct rows *r, const struct ctl *c, const json_t *fds)
{
	json_t *list = ctl_ask(c, "workers"), *o;
	size_t i;

	json_array_foreach(list, i, o)
	{
		char scope[32];

		snprintf(scope, sizeof(scope), "worker %lld", json_number(o, "worker"));
		add(r, scope, "fds", json_number(fds, "limit"), open_fds(json_number(o, "pid")));
	}
	json_decref(list);
}

static void add_lists(
	struct rows *r, const struct view *v, const struct view_shot *shot, const json_t *settings)
{
	json_t *o;
	size_t i;
	char scope[160];

	json_array_foreach(json_object_get(settings, "routes"), i, o)
	{
		snprintf(scope, sizeof(scope), "route %s", json_text(o, "name"));
		add_section(r, scope, o, "max_streams", route_streams(shot, json_text(o, "name")));
	}
	json_array_foreach(json_object_get(settings, "listeners"), i, o)
	{
		snprintf(scope, sizeof(scope), "listener %s", json_text(o, "listen"));
		add_section(r, scope, o, NULL, 0);
	}
	add_upstreams(r, v, json_object_get(settings, "upstreams"));
}

static void collect(struct rows *r, const struct ctl *c, const struct view *v, const struct view_shot *shot,
	const json_t *settings)
{
	const char *key;
	json_t *o;

	add_section(r, "sluice", json_object_get(settings, "top"), "max_streams", (long long)shot->n);
	add_workers(r, c, json_object_get(settings, "fds"));
	json_object_foreach((json_t *)settings, key,
		o) if (json_is_object(o) && strcmp(key, "top") != 0 && strcmp(key, "fds") != 0)
		add_section(r, key, o, NULL, 0);
	add_lists(r, v, shot, settings);
}

static const char *format(const char *unit, long long n, char out[UNITS_MAX])
{
	if (strcmp(unit, "ms") == 0)
		return units_age((uint64_t)n, out);
	return strcmp(unit, "bytes") == 0 ? units_bytes((uint64_t)n, out) : units_count((uint64_t)n, out);
}

static int print_table(const struct ctl *c, const json_t *list)
{
	static const char *const titles[] = {"WHERE", "LIMIT", "USED", "VALUE", NULL};
	struct table t = {0};
	json_t *o;
	size_t i;

	cells_head(&t, titles, 2);
	json_array_foreach((json_t *)list, i, o)
	{
		long long value = json_number(o, "value"), used = json_number(o, "used");
		bool known = json_is_integer(json_object_get(o, "used"));
		enum mood mood = !known || !value	    ? MOOD_PLAIN
				 : used >= value	    ? MOOD_BAD
				 : used > value - value / 5 ? MOOD_WARN
							    : MOOD_PLAIN;
		char text[UNITS_MAX];

		table_cell(&t, MOOD_PLAIN, json_text(o, "scope"));
		table_cell(&t, MOOD_PLAIN, json_text(o, "limit"));
		table_cell(&t, mood, known ? format(json_text(o, "unit"), used, text) : "");
		table_cell(&t, value ? MOOD_PLAIN : MOOD_FAINT,
			value ? format(json_text(o, "unit"), value, text) : "none");
	}
	return cells_print(&t, c);
}

int verb_limits(struct ctl *c, char **words)
{
	struct view_shot shot = {0};
	struct rows r = {.list = json_array()};
	struct view *v = ctl_open(c);
	json_t *settings = v ? ctl_ask(c, "settings") : NULL;
	int status = 1;

	(void)words;
	if (settings && (!r.list || view_snapshot(v, &shot))) {
		ctl_fail("out of memory");
	} else if (settings) {
		collect(&r, c, v, &shot, settings);
		status = c->json ? ctl_print_json(json_incref(r.list)) : print_table(c, r.list);
	}
	json_decref(r.list);
	json_decref(settings);
	view_shot_done(&shot);
	view_close(v);
	return status;
}
