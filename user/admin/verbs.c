#include "admin/verbs.h"
#include "base/clock.h"
#include "base/log.h"
#include "observe/counters.h"
#include "observe/names.h"
#include "observe/record_json.h"
#include "proto/h2.h"
#include <stdio.h>

#define WHY_BYTES 256

static json_t *outcome(int err, const char *why)
{
	if (!err)
		return json_pack("{s:b}", "ok", 1);
	return json_pack("{s:b,s:s}", "ok", 0, "error", *why ? why : strerror(-err));
}

static json_t *do_streams(const struct admin_hooks *h, const char *arg)
{
	(void)arg;
	return record_json_all(h->slots->records, h->flows, h->slots->count, clock_mono_ns());
}

static const char *word_of_reason(unsigned i)
{
	return h2_reason_label((enum h2_reason)(i + 1));
}

static const char *word_of_code(unsigned i)
{
	static const char *const words[] = {
#define SLUICE_H2_CODE(id, text) text,
#include "sluice/h2_codes.def"
#undef SLUICE_H2_CODE
	};

	return words[i];
}

/* A counter per word; those that never happened are told too. */
static void put_list(
	json_t *o, const char *key, const __u64 *list, unsigned n, const char *(*word)(unsigned i))
{
	json_t *words = json_object();

	for (unsigned i = 0; i < n; i++)
		json_object_set_new(words, word(i), json_integer((json_int_t)list[i]));
	json_object_set_new(o, key, words);
}

static json_t *do_totals(const struct admin_hooks *h, const char *arg)
{
	json_t *o = json_object(), *ended = json_object(), *refused = json_object();
	struct sluice_counters c;

	(void)arg;
	counters_sum(h->totals, h->workers + 1, &c);
#define INTERNAL(id, help)		  json_object_set_new(o, #id, json_integer((json_int_t)c.id));
#define COUNTER(id, family, labels, help) INTERNAL(id, help)
#define GAUGE(id, family, labels, help)	  INTERNAL(id, help)
#include "sluice/counters.def"
	for (unsigned by = 0; by < SLUICE_END_BY_COUNT; by++) {
		uint64_t n = 0;

		for (unsigned phase = 0; phase < SLUICE_MAX_PHASES; phase++)
			n += c.ended[by][phase];
		json_object_set_new(ended, names_end_by(by), json_integer((json_int_t)n));
	}
	for (enum h1_rule r = H1_OK + 1; r < H1_RULE_COUNT; r++)
		json_object_set_new(refused, h1_rule_label(r), json_integer((json_int_t)c.refused[r]));
	json_object_set_new(o, "ended", ended);
	json_object_set_new(o, "refused", refused);
	put_list(o, "h2_ended", c.h2_ended, H2_REASON_COUNT - 1, word_of_reason);
	put_list(o, "h2_resets_sent", c.h2_resets_sent, SLUICE_H2_CODE_COUNT, word_of_code);
	put_list(o, "h2_resets_received", c.h2_resets_received, SLUICE_H2_CODE_COUNT, word_of_code);
	put_list(o, "h2_goaways_sent", c.h2_goaways_sent, SLUICE_H2_CODE_COUNT, word_of_code);
	return o;
}

static json_t *do_workers(const struct admin_hooks *h, const char *arg)
{
	json_t *list = json_array();

	(void)arg;
	for (unsigned i = 0; i < h->workers; i++) {
		struct admin_worker w = {0};

		h->worker(h->arg, i, &w);
		json_array_append_new(
			list, json_pack("{s:i,s:i,s:i,s:I}", "worker", (int)i, "pid", (int)w.pid, "restarts",
				      (int)w.restarts, "age_ms", (json_int_t)w.age_ms));
	}
	return list;
}

static json_t *do_settings(const struct admin_hooks *h, const char *arg)
{
	(void)arg;
	return h->settings(h->arg);
}

static json_t *do_lanes(const struct admin_hooks *h, const char *arg)
{
	(void)arg;
	return h->lanes(h->arg);
}

static json_t *do_reload(const struct admin_hooks *h, const char *arg)
{
	char why[WHY_BYTES] = "";

	(void)arg;
	return outcome(h->reload(h->arg, why), why);
}

static json_t *do_drain(const struct admin_hooks *h, const char *arg)
{
	char why[WHY_BYTES] = "";

	(void)arg;
	return outcome(h->drain(h->arg, why), why);
}

static json_t *do_kill(const struct admin_hooks *h, const char *arg)
{
	char why[WHY_BYTES] = "", *end;
	uint64_t id = strtoull(arg, &end, 10);

	if (!*arg || *end)
		return outcome(-EINVAL, "kill takes the id of a stream, as `streams` shows it");
	return outcome(h->kill(h->arg, id, why), why);
}

static json_t *do_lane(const struct admin_hooks *h, const char *arg)
{
	char why[WHY_BYTES] = "", *end;
	uint64_t id = strtoull(arg, &end, 10);
	bool splice = strcmp(end, " splice") == 0;

	if (end == arg || (!splice && strcmp(end, " copy") != 0))
		return outcome(-EINVAL, "lane takes the id of a stream, and copy or splice");
	return outcome(h->lane(h->arg, id, splice, why), why);
}

static json_t *do_log_level(const struct admin_hooks *h, const char *arg)
{
	char why[WHY_BYTES] = "";

	if (!*arg)
		return json_pack("{s:b,s:s}", "ok", 1, "level", log_level_name(log_get_level()));
	return outcome(h->log_level(h->arg, arg, why), why);
}

/* Who answers here, for readers that go on to the pins and the memory. */
static json_t *do_about(const struct admin_hooks *h, const char *arg)
{
	const struct sluice_state *s = h->state->head;

	(void)arg;
	return json_pack("{s:b,s:s,s:s,s:i,s:i,s:i,s:b}", "ok", 1, "instance", s->about.instance, "version",
		SLUICE_VERSION, "pid", (int)s->about.pid, "abi", (int)s->about.abi, "workers",
		(int)s->about.workers, "spliced", (int)s->spliced);
}

static const struct verb {
	const char *name;
	json_t *(*run)(const struct admin_hooks *h, const char *arg);
	bool hands_state; /* the memory's descriptor goes with the answer */
} verbs[] = {
	{"about", do_about, false},
	{"state", do_about, true},
	{"streams", do_streams, false},
	{"totals", do_totals, false},
	{"workers", do_workers, false},
	{"settings", do_settings, false},
	{"lanes", do_lanes, false},
	{"reload", do_reload, false},
	{"drain", do_drain, false},
	{"kill", do_kill, false},
	{"lane", do_lane, false},
	{"log-level", do_log_level, false},
};

static json_t *unknown(void)
{
	char why[WHY_BYTES];
	size_t at = (size_t)snprintf(why, sizeof(why), "unknown verb; known:");

	for (size_t i = 0; i < ARRAY_LEN(verbs) && at < sizeof(why); i++)
		at += (size_t)snprintf(why + at, sizeof(why) - at, "%s %s", i ? "," : "", verbs[i].name);
	return outcome(-EINVAL, why);
}

json_t *verbs_answer(const struct admin_hooks *h, char *line, int *ret_fd)
{
	char *arg = line + strcspn(line, " ");

	*ret_fd = -1;
	if (*arg)
		*arg++ = '\0';
	for (size_t i = 0; i < ARRAY_LEN(verbs); i++) {
		if (strcmp(verbs[i].name, line) != 0)
			continue;
		if (verbs[i].hands_state)
			*ret_fd = h->state->fd;
		return verbs[i].run(h, arg);
	}
	return unknown();
}
