/* Clients that go away: the time from a client's close (or RST_STREAM) until the origin sees its stream
 * closed. Each stream names itself to the origin by a tag; both ends write down times of one clock. */
#include "compare_stage.h"
#include "base/clock.h"
#include "scenario.h"

#define LATE_S 2 /* so long after the window a close may still come */

static const struct scenario_column columns[] = {{"p50 us", METRIC_ABORT_P50, false},
	{"p90 us", METRIC_ABORT_P90, false}, {"p99 us", METRIC_ABORT_P99, false},
	{"max us", METRIC_ABORT_MAX, false}, {"never", METRIC_ABORT_MISSED, false}};

/* Joins the load's times with the origin's: [[tag, ns], …]. A stream that the origin never saw closed, or saw
 * closed before its client went away, is missing. */
static void join(const struct load_job *job, const json_t *closes, struct hist *ret)
{
	size_t i;
	json_t *close;

	json_array_foreach(closes, i, close)
	{
		uint64_t tag = (uint64_t)json_integer_value(json_array_get(close, 0));
		uint64_t closed = (uint64_t)json_integer_value(json_array_get(close, 1));
		uint64_t aborted = load_job_aborted(job, tag);

		if (aborted && closed >= aborted)
			hist_add(ret, closed - aborted);
	}
}

/* Asks the origin until it has seen all closes, or for LATE_S. */
static int wait_closes(struct stage *s, struct hist *ret)
{
	uint64_t deadline = clock_mono_ns() + LATE_S * NS_PER_S;
	int err;

	do {
		json_t *closes = NULL;

		err = stage_ask_origin(s, "/closes", &closes);
		memset(ret, 0, sizeof(*ret));
		if (!err)
			join(s->job, closes, ret);
		json_decref(closes);
	} while (!err && ret->count < s->cmp->streams && clock_mono_ns() < deadline &&
		 !(err = stage_pause(s, 0.1, "late closes")));
	return err;
}

static void fill(double *v, const struct hist *h, uint64_t streams)
{
	static const double shares[] = {0.5, 0.9, 0.99, 1};

	for (size_t i = 0; i < ARRAY_LEN(shares); i++)
		v[METRIC_ABORT_P50 + i] = (double)hist_quantile(h, shares[i]) / 1e3;
	v[METRIC_ABORT_MISSED] = (double)(streams - MIN(h->count, streams));
}

static int run(struct stage *s, struct run *ret)
{
	static struct load_result result; /* large: it holds histograms */
	static struct hist took;
	struct cpu_use cpu;
	int err = stage_one_window(s, LOAD_ABORT, "warming up", "closing", ret->values, &cpu);

	if (!err)
		err = stage_result(s, &result, NULL, NULL);
	if (!err)
		err = wait_closes(s, &took);
	if (err)
		return err;
	fill(ret->values, &took, s->cmp->streams);
	ret->values[METRIC_WRONG] = (double)(result.failed + result.ended);
	return 0;
}

const struct scenario scenario_abort = {.name = "abort",
	.about = "clients that go away; time until the upstream's stream is closed",
	.streams = 1000,
	.size = 200,
	.rate = 1,
	.seconds = 4,
	.extra_s = LATE_S,
	.columns = columns,
	.column_count = ARRAY_LEN(columns),
	.run = run};
