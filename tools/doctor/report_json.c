/* The report for scripts: stable keys, times in milliseconds, null where something did not happen. */
#include "doctor/doctor.h"

#define MAX_BURSTS 1000

static const char *const ends[] = {[OBSERVE_OPEN] = "open",
	[OBSERVE_CLEAN] = "clean",
	[OBSERVE_CUT] = "cut",
	[OBSERVE_FAILED] = "failed"};

static json_t *time_or_null(int64_t ms)
{
	return ms == OBSERVE_NEVER ? json_null() : json_integer(ms);
}

static json_t *bursts_json(const struct observation *o)
{
	json_t *list = json_array();

	for (size_t i = 0; i < o->nbursts && i < MAX_BURSTS; i++)
		json_array_append_new(list,
			json_pack("{s:I,s:I,s:I,s:i,s:i}", "at_ms", (json_int_t)o->bursts[i].at_ms, "last_ms",
				(json_int_t)o->bursts[i].last_ms, "bytes", (json_int_t)o->bursts[i].bytes,
				"events", (int)o->bursts[i].events, "comments", (int)o->bursts[i].comments));
	return list;
}

static json_t *fields_json(const struct observation *o)
{
	json_t *list = json_array();

	for (size_t i = 0; i < o->nfields; i++)
		/* A field that is not UTF-8 packs to NULL and is left out. */
		json_array_append_new(list, json_pack("[ss]", o->fields[i].name, o->fields[i].value));
	return list;
}

static json_t *look_json(const struct observation *o)
{
	int64_t at, silence;

	if (!o)
		return json_null();
	silence = observe_longest_silence(o, &at);
	return json_pack("{s:s?,s:i,s:i,s:i,s:o,s:o,s:o,s:o,s:I,s:s,s:s?,s:I,s:I,s:I,s:I,s:o,s:o}", "url",
		o->url, "status", o->status, "http", o->http, "redirects", (int)o->redirects, "sent_ms",
		time_or_null(o->sent_ms), "head_ms", time_or_null(o->head_ms), "first_byte_ms",
		time_or_null(o->body_ms), "first_event_ms", time_or_null(o->event_ms), "end_ms",
		(json_int_t)o->end_ms, "end", ends[o->end], "error", o->error, "bytes", (json_int_t)o->bytes,
		"events", (json_int_t)o->events, "comments", (json_int_t)o->comments, "longest_silence_ms",
		(json_int_t)silence, "fields", fields_json(o), "bursts", bursts_json(o));
}

static json_t *fixes_json(enum fix_kind kind, const struct verdict *v)
{
	json_t *list = json_array();

	for (int id = 0; id <= HOP_COUNT; id++) {
		bool seen = false;

		for (size_t i = 0; i < v->nhops; i++)
			seen |= v->hops[i].id == (enum hop_id)id;
		if (fix_text(kind, (enum hop_id)id))
			json_array_append_new(
				list, json_pack("{s:s,s:b,s:s}", "hop",
					      id == HOP_COUNT ? "application" : hops[id].word, "seen",
					      (int)seen, "config", fix_text(kind, (enum hop_id)id)));
	}
	return list;
}

static json_t *finding_json(const struct finding *f, const struct verdict *v)
{
	static const char *const weights[] = {"problem", "warning", "advice"};
	static const char *const wheres[] = {"unknown", "chain", "origin"};
	const struct finding_kind *kind = &finding_kinds[f->id];

	return json_pack("{s:s,s:s,s:s,s:s,s:s,s:s,s:o}", "id", kind->word, "weight", weights[kind->weight],
		"where", wheres[f->where], "title", kind->title, "evidence", f->evidence, "cause", f->cause,
		"fixes", fixes_json(kind->fix, v));
}

json_t *report_json(const struct doctor_options *o, const struct looks *l, const struct verdict *v)
{
	json_t *found = json_array(), *seen = json_array();

	for (size_t i = 0; i < v->nfindings; i++)
		json_array_append_new(found, finding_json(&v->findings[i], v));
	for (size_t i = 0; i < v->nhops; i++)
		json_array_append_new(seen, json_pack("{s:s,s:s}", "hop", hops[v->hops[i].id].word,
						    "evidence", v->hops[i].evidence));
	return json_pack("{s:s,s:b,s:o,s:I,s:o,s:o,s:{s:o,s:o,s:o,s:o,s:o,s:o}}", "url", o->url, "healthy",
		(int)v->healthy, "origin_healthy", l->direct ? json_boolean(v->origin_ok) : json_null(),
		"looked_ms", (json_int_t)l->looked_ms, "hops", seen, "findings", found, "looks", "chain",
		look_json(l->chain), "chain_again", look_json(l->chain_again), "chain_third",
		look_json(l->chain_third), "direct", look_json(l->direct), "direct_again",
		look_json(l->direct_again), "direct_third", look_json(l->direct_third));
}
