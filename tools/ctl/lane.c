/* lane ID copy|splice: changes a live stream's lane, and waits until its record shows what came of it. */
#include "ctl/order.h"
#include "ctl/verbs.h"
#include "base/clock.h"
#include "observe/names.h"
#include <time.h>

#define WAIT_MS 1000
#define LOOK_MS 5

static bool settled(const struct sluice_ctl *c, bool splice)
{
	if (!splice)
		return c->lane == SLUICE_LANE_COPY && c->reason == SLUICE_REASON_ASKED;
	return c->lane == SLUICE_LANE_SPLICE || c->reason != SLUICE_REASON_ASKED;
}

/* Until the worker has done it. False: it has ended. */
static bool wait_for(const struct view *v, uint64_t id, bool splice, struct view_stream *s)
{
	const struct timespec pause = {.tv_nsec = LOOK_MS * (long)NS_PER_MS};

	for (int ms = 0; ms < WAIT_MS; ms += LOOK_MS) {
		if (!view_stream(v, id, s))
			return false;
		if (settled(&s->c, splice))
			break;
		nanosleep(&pause, NULL);
	}
	return true;
}

/* The order was taken; does the stream do what it says? */
static int tell(const struct ctl *c, const struct sluice_ctl *s, bool splice)
{
	const char *lane = names_lane(s->lane), *reason = names_reason(s->reason);
	/* A client that lags keeps it in copy for now. */
	bool ok = settled(s, splice) &&
		  (!splice || s->lane == SLUICE_LANE_SPLICE || s->reason == SLUICE_REASON_LAGGING ||
			  s->reason == SLUICE_REASON_WRITING || s->reason == SLUICE_REASON_NONE);

	if (c->json) {
		int status = ctl_print_json(
			json_pack("{s:b,s:s,s:s}", "ok", (int)ok, "lane", lane, "lane_reason", reason));

		return status ? status : !ok;
	}
	if (!ok)
		return ctl_fail("stream %llu stays on %s: %s", (unsigned long long)s->id, lane,
			settled(s, splice) ? reason : "its worker has not answered; has its body begun?");
	printf("stream %llu: %s%s%s\n", (unsigned long long)s->id, lane, *reason ? ", " : "", reason);
	return 0;
}

int verb_lane(struct ctl *c, char **words)
{
	uint64_t id = ctl_id(c, words[0]);
	bool splice = strcmp(words[1], "splice") == 0;
	struct view_stream s;
	json_t *answer;
	struct view *v;
	int status;

	if (!id)
		return 2;
	if (!splice && strcmp(words[1], "copy") != 0)
		return ctl_misuse(c, "a stream's lane can be made copy or splice, not '%s'", words[1]);
	v = ctl_open(c);
	if (!v)
		return 1;
	answer = ctl_ask(c, "lane %llu %s", (unsigned long long)id, words[1]);
	if (!answer)
		status = 1;
	else if (!wait_for(v, id, splice, &s))
		status = ctl_fail("stream %llu has ended", (unsigned long long)id);
	else
		status = tell(c, &s.c, splice);
	json_decref(answer);
	view_close(v);
	return status;
}
