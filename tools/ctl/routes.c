/* routes: each route of the config, and the streams that live on it now. */
#include "ctl/cells.h"
#include "ctl/verbs.h"
#include "ctl/watch.h"
#include "observe/names.h"

struct live {
	uint64_t streams, lanes[4], blocked, pending, lag_ms, events, bytes;
};

static void add(struct live *l, const struct row *r)
{
	const struct sluice_ctl *c = &r->s->c;

	l->streams++;
	l->lanes[MIN(c->lane, ARRAY_LEN(l->lanes) - 1)]++;
	l->blocked += c->flags & SLUICE_CTL_BLOCKED ? 1 : 0;
	l->pending += row_pending(r);
	l->lag_ms = MAX(l->lag_ms, row_lag_ms(r));
	l->events += c->events;
	l->bytes += c->bytes_out;
}

/* The record cuts names to fit. */
static bool is_of(const struct sluice_ctl *c, const char *name)
{
	return strncmp(c->route_name, name, sizeof(c->route_name) - 1) == 0;
}

static struct live live_of(const struct watch *w, const char *name)
{
	struct live l = {0};

	for (size_t i = 0; i < w->n; i++)
		if (is_of(&w->rows[i].s->c, name))
			add(&l, &w->rows[i]);
	return l;
}

static void live_json(json_t *o, const struct live *l)
{
	json_object_set_new(o, "streams", json_integer((json_int_t)l->streams));
	for (unsigned lane = SLUICE_LANE_COPY; lane <= SLUICE_LANE_TUNNEL; lane++)
		json_object_set_new(o, names_lane(lane), json_integer((json_int_t)l->lanes[lane]));
	json_object_set_new(o, "blocked", json_integer((json_int_t)l->blocked));
	json_object_set_new(o, "pending", json_integer((json_int_t)l->pending));
	json_object_set_new(o, "lag_ms", json_integer((json_int_t)l->lag_ms));
	json_object_set_new(o, "events", json_integer((json_int_t)l->events));
	json_object_set_new(o, "bytes_out", json_integer((json_int_t)l->bytes));
}

static void match_text(const json_t *route, char out[128])
{
	const char *host = json_text(route, "host"), *path = json_text(route, "path");
	bool exact = strcmp(json_text(route, "exact"), "on") == 0;

	snprintf(out, 128, "%s%s%s", *host ? host : "*", *path ? path : "/", exact ? "" : *path ? "…" : "…");
}

static void route_row(struct table *t, const json_t *route, const struct live *l)
{
	uint64_t most = (uint64_t)json_number(route, "max_streams");
	char match[128];

	match_text(route, match);
	table_cell(t, MOOD_PLAIN, json_text(route, "name"));
	table_cell(t, MOOD_PLAIN, match);
	table_cell(t, MOOD_PLAIN, json_text(route, "upstream"));
	table_cell(t, MOOD_PLAIN, json_text(route, "lane"));
	cell_count(t, most && l->streams >= most ? MOOD_BAD : MOOD_PLAIN, l->streams);
	cell_count(t, MOOD_PLAIN, l->lanes[SLUICE_LANE_SPLICE]);
	cell_count(t, MOOD_PLAIN, l->lanes[SLUICE_LANE_COPY]);
	cell_count(t, l->blocked ? MOOD_WARN : MOOD_PLAIN, l->blocked);
	cell_bytes(t, l->pending ? MOOD_WARN : MOOD_PLAIN, l->pending);
	cell_age(t, l->lag_ms >= 1000 ? MOOD_WARN : MOOD_PLAIN, l->lag_ms);
	cell_count(t, MOOD_PLAIN, l->events);
	cell_bytes(t, MOOD_PLAIN, l->bytes);
}

static int show(struct ctl *c, const struct watch *w, const json_t *routes)
{
	static const char *const titles[] = {"ROUTE", "MATCHES", "UPSTREAM", "LANE", "STREAMS", "SPLICE",
		"COPY", "BLOCKED", "PENDING", "LAG", "EVENTS", "BYTES", NULL};
	struct table t = {0};
	json_t *o;
	size_t i;

	if (!c->json)
		cells_head(&t, titles, 4);
	json_array_foreach((json_t *)routes, i, o)
	{
		struct live l = live_of(w, json_text(o, "name"));

		if (c->json)
			live_json(o, &l);
		else
			route_row(&t, o, &l);
	}
	return c->json ? ctl_print_json(json_incref((json_t *)routes)) : cells_print(&t, c);
}

int verb_routes(struct ctl *c, char **words)
{
	struct view *v = ctl_open(c);
	json_t *settings = v ? ctl_ask(c, "settings") : NULL;
	struct watch w = {0};
	int status = 1;

	(void)words;
	if (settings) {
		int err = watch_init(&w, v);

		if (!err)
			err = watch_look(&w, true);
		status = err ? ctl_fail("%s", strerror(-err))
			     : show(c, &w, json_object_get(settings, "routes"));
		watch_done(&w);
	}
	json_decref(settings);
	view_close(v);
	return status;
}
