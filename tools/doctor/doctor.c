#include "doctor/doctor.h"
#include <curl/curl.h>

struct all {
	struct observation first[LOOK_MAX], again[LOOK_MAX], third[LOOK_MAX]; /* chain, direct */
};

static void all_done(struct all *a)
{
	for (size_t i = 0; i < LOOK_MAX; i++) {
		observe_done(&a->first[i]);
		observe_done(&a->again[i]);
		observe_done(&a->third[i]);
	}
}

static bool ended_early(const struct observation *o)
{
	return o->end == OBSERVE_CUT || o->end == OBSERVE_CLEAN;
}

static int could_not(const struct observation *o, const char *url)
{
	fprintf(stderr, "sluicectl: doctor: cannot look at %s: %s\n", url, o->error ? o->error : "no answer");
	return 2;
}

/* What ended by itself is looked at again, a little longer than it lived, and a third time when the two ends
 * differ: that tells a timer from chance. */
static int look_again(
	const struct doctor_options *o, const struct look_params *params, size_t n, struct all *a)
{
	int err = 0;

	for (size_t i = 0; i < n && !err; i++) {
		uint64_t ms = MIN(o->ms, (uint64_t)a->first[i].end_ms * 11 / 10 + 500);

		if (!ended_early(&a->first[i]) || a->first[i].status != 200)
			continue;
		err = look_at(&params[i], 1, ms, &a->again[i]);
		if (!err && judge_disagree(&a->first[i], &a->again[i]))
			err = look_at(&params[i], 1, ms, &a->third[i]);
	}
	return err;
}

static const char *origin_header(const struct doctor_options *o)
{
	for (size_t i = 0; o->headers && o->headers[i]; i++)
		if (strncasecmp(o->headers[i], "Origin:", 7) == 0)
			return o->headers[i] + 7 + strspn(o->headers[i] + 7, " \t");
	return NULL;
}

static int tell(const struct doctor_options *o, const struct looks *l)
{
	struct verdict v;

	judge(l, &v);
	if (o->json) {
		json_t *json = report_json(o, l, &v);

		if (!json || json_dumpf(json, stdout, JSON_INDENT(2) | JSON_PRESERVE_ORDER)) {
			json_decref(json);
			return 2;
		}
		putchar('\n');
		json_decref(json);
	} else {
		report_text(stdout, o, l, &v);
	}
	return v.healthy ? 0 : 1;
}

static const struct observation *if_looked(const struct observation *o)
{
	return o->end_ms ? o : NULL;
}

int doctor_run(const struct doctor_options *o)
{
	_cleanup_(all_done) struct all a = {0};
	struct look_params params[LOOK_MAX] = {
		{.url = o->url, .headers = o->headers, .insecure = o->insecure},
		{.url = o->direct, .headers = o->headers, .insecure = o->insecure},
	};
	size_t n = o->direct ? 2 : 1;
	int err;

	if (curl_global_init(CURL_GLOBAL_DEFAULT)) {
		fprintf(stderr, "sluicectl: doctor: libcurl does not start\n");
		return 2;
	}
	err = look_at(params, n, o->ms, a.first);
	for (size_t i = 0; i < n && !err; i++)
		if (a.first[i].end == OBSERVE_FAILED)
			return could_not(&a.first[i], params[i].url);
	err = err ? err : look_again(o, params, n, &a);
	if (err) {
		fprintf(stderr, "sluicectl: doctor: %s\n", strerror(-err));
		return 2;
	}
	return tell(o, &(struct looks){.chain = &a.first[0],
			       .chain_again = if_looked(&a.again[0]),
			       .chain_third = if_looked(&a.third[0]),
			       .direct = o->direct ? &a.first[1] : NULL,
			       .direct_again = if_looked(&a.again[1]),
			       .direct_third = if_looked(&a.third[1]),
			       .looked_ms = o->ms,
			       .request_origin = origin_header(o)});
}
