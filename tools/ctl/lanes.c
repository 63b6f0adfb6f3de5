/* lanes: how many streams travel how and why not better, and whether the splice lane came up. */
#include "ctl/cells.h"
#include "ctl/verbs.h"
#include "kern/probe.h"
#include "observe/names.h"
#include <sys/utsname.h>

#define LANES 4

struct counts {
	uint64_t streams[LANES][SLUICE_REASON_COUNT];
};

static void count(const struct view_shot *shot, struct counts *n)
{
	for (size_t i = 0; i < shot->n; i++) {
		const struct sluice_ctl *c = &shot->streams[i].c;

		if (c->lane < LANES && c->reason < SLUICE_REASON_COUNT)
			n->streams[c->lane][c->reason]++;
	}
}

static json_t *counts_json(const struct counts *n)
{
	json_t *list = json_array();

	for (unsigned lane = 0; list && lane < LANES; lane++)
		for (unsigned reason = 0; reason < SLUICE_REASON_COUNT; reason++)
			if (n->streams[lane][reason])
				json_array_append_new(
					list, json_pack("{s:s,s:s,s:I}", "lane", names_lane(lane),
						      "lane_reason", names_reason(reason), "streams",
						      (json_int_t)n->streams[lane][reason]));
	return list;
}

static json_t *features_json(const struct probe *p)
{
	json_t *list = json_array();

	for (size_t i = 0; list && i < p->count; i++) {
		const struct probe_result *r = &p->results[i];

		json_array_append_new(
			list, json_pack("{s:s,s:b,s:s,s:s?,s:s?}", "name", r->name, "ok", (int)r->ok,
				      "detail", r->detail, "since", r->since, "fallback", r->fallback));
	}
	return list;
}

static int print_counts(const struct ctl *c, const struct counts *n)
{
	static const char *const titles[] = {"LANE", "WHY NOT A BETTER ONE", "STREAMS", NULL};
	struct table t = {0};

	cells_head(&t, titles, 2);
	for (unsigned lane = 0; lane < LANES; lane++)
		for (unsigned reason = 0; reason < SLUICE_REASON_COUNT; reason++) {
			if (!n->streams[lane][reason])
				continue;
			table_cell(&t, lane == SLUICE_LANE_SPLICE ? MOOD_GOOD : MOOD_PLAIN, names_lane(lane));
			table_cell(&t, MOOD_PLAIN, names_reason(reason));
			cell_count(&t, MOOD_PLAIN, n->streams[lane][reason]);
		}
	return cells_print(&t, c);
}

static int print_results(const struct ctl *c, const char *title, const json_t *list, const char *detail)
{
	const char *const titles[] = {title, "OK", "DETAIL", NULL};
	struct table t = {0};
	json_t *o;
	size_t i;

	cells_head(&t, titles, 3);
	json_array_foreach((json_t *)list, i, o)
	{
		bool ok = json_is_true(json_object_get(o, "ok"));
		char took[32];

		snprintf(took, sizeof(took), "%lld us", json_number(o, "us"));
		table_cell(&t, MOOD_PLAIN, json_text(o, "name"));
		table_cell(&t, ok ? MOOD_GOOD : MOOD_BAD, ok ? "yes" : "NO");
		table_cell(&t, MOOD_PLAIN, ok && !strcmp(detail, "reason") ? took : json_text(o, detail));
	}
	return cells_print(&t, c);
}

static int print_all(const struct ctl *c, const struct counts *n, const json_t *o)
{
	bool on = json_is_true(json_object_get(o, "splice"));
	int status;

	printf("splice lane: %s%s%s%s%s   kernel %s\n\n", term_on(&c->term, on ? MOOD_GOOD : MOOD_WARN),
		on ? "on" : "off", term_off(&c->term, on ? MOOD_GOOD : MOOD_WARN), on ? "" : ": ",
		json_text(o, "why"), json_text(o, "kernel"));
	status = print_counts(c, n);
	if (!status && json_array_size(json_object_get(o, "selftest"))) {
		putchar('\n');
		status = print_results(c, "SELF-TEST AT THE START", json_object_get(o, "selftest"), "reason");
	}
	if (!status && json_array_size(json_object_get(o, "features"))) {
		putchar('\n');
		status = print_results(c, "KERNEL FEATURE", json_object_get(o, "features"), "detail");
	}
	return status;
}

int verb_lanes(struct ctl *c, char **words)
{
	static struct probe probe;
	struct view_shot shot = {0};
	struct counts n = {0};
	struct utsname u;
	struct view *v = ctl_open(c);
	json_t *o = v ? ctl_ask(c, "lanes") : NULL;
	int status = 1;

	(void)words;
	if (o && view_snapshot(v, &shot)) {
		ctl_fail("out of memory");
	} else if (o) {
		count(&shot, &n);
		uname(&u);
		json_object_set_new(o, "kernel", json_string(u.release));
		json_object_set_new(o, "streams", counts_json(&n));
		if (ctl_flag(c, "features"))
			probe_run(&probe);
		json_object_set_new(
			o, "features", ctl_flag(c, "features") ? features_json(&probe) : json_null());
		status = c->json ? ctl_print_json(json_incref(o)) : print_all(c, &n, o);
	}
	json_decref(o);
	view_shot_done(&shot);
	view_close(v);
	return status;
}
