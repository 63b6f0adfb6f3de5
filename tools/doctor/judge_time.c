/* When the events came, and how the stream ended. */
#include "doctor/judge.h"
#include <stdlib.h>

#define BATCH_EVENTS  3	   /* as many in one go are a batch */
#define BATCH_LONG_MS 150  /* a burst that lasts longer is a fast stream, not a batch */
#define BATCH_GAP_MS  300  /* between batches */
#define HELD_MS	      1000 /* a single batch so long behind the head was held */
#define SILENCE_MS                                                                                           \
	20000	     /* the shortest idle timeouts in use are 30 s; a heartbeat has to come well before      \
		      */
#define AGE_MS	2000 /* a limit on the whole request is not shorter: a crash in the same place is */
#define SAME_MS 200  /* two ends at the same time: within this, or 3 % */

static int compare_i64(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

static int64_t median(int64_t *v, size_t n)
{
	qsort(v, n, sizeof(*v), compare_i64);
	return n ? v[n / 2] : 0;
}

/* What the bursts of a stream look like; all zero when there is nothing to tell. */
struct batches {
	size_t count;	 /* bursts of several events in one go */
	uint64_t events; /* in them */
	uint64_t all;	 /* events in all that were looked at */
	int64_t gap_ms;	 /* between their starts, median */
	int64_t gap_min, gap_max;
	int64_t bytes, per; /* of a batch, median: bytes and events */
};

/* The events that come with the head are left out when they are what a stream begins with (a replay). */
static bool is_opening(const struct observation *o, size_t i)
{
	return i == 0 && o->bursts[0].at_ms - o->sent_ms < HELD_MS && o->nbursts > 1;
}

static int count_batches(const struct observation *o, struct batches *ret)
{
	_cleanup_free_ int64_t *gaps = calloc(3 * (o->nbursts + 1), sizeof(*gaps));
	int64_t *bytes, *per, before = OBSERVE_NEVER;
	size_t ngaps = 0;

	*ret = (struct batches){.gap_min = INT64_MAX};
	if (!gaps)
		return -ENOMEM;
	bytes = gaps + o->nbursts;
	per = bytes + o->nbursts;
	for (size_t i = 0; i < o->nbursts; i++) {
		const struct observe_burst *b = &o->bursts[i];

		if (is_opening(o, i))
			continue;
		ret->all += b->events;
		if (b->events < BATCH_EVENTS || b->last_ms - b->at_ms > BATCH_LONG_MS)
			continue;
		bytes[ret->count] = (int64_t)b->bytes;
		per[ret->count++] = b->events;
		ret->events += b->events;
		if (before != OBSERVE_NEVER) {
			gaps[ngaps++] = b->at_ms - before;
			ret->gap_min = MIN(ret->gap_min, b->at_ms - before);
			ret->gap_max = MAX(ret->gap_max, b->at_ms - before);
		}
		before = b->at_ms;
	}
	ret->gap_ms = median(gaps, ngaps);
	ret->bytes = median(bytes, ret->count);
	ret->per = median(per, ret->count);
	return 0;
}

static bool are_held(const struct observation *o, const struct batches *b)
{
	if (!b->count || b->events * 10 < b->all * 7)
		return false;
	if (b->count == 1) /* all in one go, long behind the head or with a head that was held */
		return o->bursts[o->nbursts - 1].at_ms - o->sent_ms >= HELD_MS;
	return b->gap_ms >= BATCH_GAP_MS;
}

/* 4096, 8192, … bytes of a buffer; compression and chunk framing make it a little less exact. 0: none. */
static int64_t buffer_size(int64_t bytes)
{
	for (int64_t size = 4096; size <= 131072; size *= 2)
		if (bytes > size * 85 / 100 && bytes < size * 115 / 100)
			return size;
	return 0;
}

/* An origin that sends so by itself is no buffer's fault: compared by events in a batch. */
static bool origin_sends_so(const struct side *s, const struct batches *b)
{
	struct batches direct;

	return s->looks->direct && s->first != s->looks->direct &&
	       !count_batches(s->looks->direct, &direct) && are_held(s->looks->direct, &direct) &&
	       direct.per * 2 > b->per;
}

void judge_batches(struct side *s)
{
	const struct observation *o = s->first;
	struct batches b;
	struct finding *f;
	bool regular;

	if (s->has[FINDING_STATUS] || s->has[FINDING_TYPE] || count_batches(o, &b) || !are_held(o, &b))
		return;
	f = side_find(s, FINDING_BATCHES);
	if (b.count == 1) {
		finding_evidence(f, "all %llu events came at once, %.2f s after the request%s",
			(unsigned long long)b.events,
			(double)(o->bursts[o->nbursts - 1].at_ms - o->sent_ms) / 1000,
			o->end == OBSERVE_OPEN ? "" : ", with the end of the stream");
		finding_cause(f, "a hop holds the body until its buffer is full or the stream ends");
		return;
	}
	regular = b.gap_max - b.gap_min <= MAX(100, b.gap_ms / 10) && b.count >= 3;
	finding_evidence(f,
		"%llu of %llu events came in %zu batches: every %.2f s (%.2f to %.2f), %lld events, %lld "
		"bytes",
		(unsigned long long)b.events, (unsigned long long)b.all, b.count, (double)b.gap_ms / 1000,
		(double)b.gap_min / 1000, (double)b.gap_max / 1000, (long long)b.per, (long long)b.bytes);
	if (origin_sends_so(s, &b))
		finding_cause(f, "the origin sends them so");
	else if (buffer_size(b.bytes))
		finding_cause(f, "a buffer of %lld KiB in a hop is sent on when it is full",
			(long long)buffer_size(b.bytes) / 1024);
	else if (regular)
		finding_cause(f, "a hop (or the application) flushes by a timer");
	else
		finding_cause(f, "a hop sends on when a buffer is full; or the application writes in batches "
				 "(give --direct ORIGIN to tell)");
}

/* ---- the end */

static bool same_time(int64_t a, int64_t b)
{
	int64_t d = a > b ? a - b : b - a;

	return d <= MAX(SAME_MS, MAX(a, b) * 3 / 100);
}

static int64_t age(const struct observation *o)
{
	return o->end_ms - o->sent_ms;
}

static bool ended(const struct observation *o)
{
	return o && (o->end == OBSERVE_CLEAN || o->end == OBSERVE_CUT);
}

/* The median pause between bursts: an end is "after silence" when its pause is not one of these. */
static bool silent_before_end(const struct observation *o)
{
	_cleanup_free_ int64_t *gaps = calloc(o->nbursts + 1, sizeof(*gaps));
	size_t n = 0;
	int64_t silence = observe_last_silence(o);

	if (!gaps || silence < 500)
		return false;
	for (size_t i = 1; i < o->nbursts; i++)
		gaps[n++] = o->bursts[i].at_ms - o->bursts[i - 1].last_ms;
	return silence > 2 * median(gaps, n);
}

static void say_period(struct finding *f, int64_t ms, const char *what)
{
	const char *whose = timeout_owner(ms);

	if (whose)
		finding_cause(f, "%s of %.0f s: %s", what, (double)ms / 1000, whose);
	else
		finding_cause(f, "%s of %.1f s in one of the hops, or in the application's server", what,
			(double)ms / 1000);
}

static const char *how(const struct observation *o)
{
	return o->end == OBSERVE_CUT ? "broken off" : "ended cleanly";
}

/* What two tries that ended have in common; nothing: FINDING_COUNT. */
static enum finding_id in_common(const struct observation *a, const struct observation *b)
{
	if (!ended(a) || !ended(b) || a->head_ms == OBSERVE_NEVER || b->head_ms == OBSERVE_NEVER)
		return FINDING_COUNT;
	if (silent_before_end(a) && silent_before_end(b) &&
		same_time(observe_last_silence(a), observe_last_silence(b)))
		return FINDING_DROP_SILENCE;
	if (age(a) >= AGE_MS && same_time(age(a), age(b)) && (a->end == OBSERVE_CUT || timeout_owner(age(a))))
		return FINDING_DROP_AGE;
	return FINDING_COUNT;
}

bool judge_disagree(const struct observation *a, const struct observation *b)
{
	return ended(a) && ended(b) &&
	       (a->end == OBSERVE_CUT || silent_before_end(a) || silent_before_end(b)) &&
	       in_common(a, b) == FINDING_COUNT;
}

static void say_repeated(struct side *s, enum finding_id id, const struct observation *a,
	const struct observation *b, unsigned tries)
{
	struct finding *f = side_find(s, id);
	bool silence = id == FINDING_DROP_SILENCE;
	int64_t first = silence ? observe_last_silence(a) : age(a),
		second = silence ? observe_last_silence(b) : age(b);

	finding_evidence(f, "%s %.2f s after the %s, and again after %.2f s (%u tries)", how(a),
		(double)first / 1000, silence ? "last byte" : "request", (double)second / 1000, tries);
	say_period(f, first, silence ? "an idle timeout" : "a limit on the whole request");
}

/* Two of the tries, the earlier ones first: one that was late for another reason does not hide a timer. */
static void judge_repeated(struct side *s)
{
	const struct observation *tries[] = {s->first, s->again, s->third};

	for (size_t b = 1; b < ARRAY_LEN(tries) && tries[b]; b++)
		for (size_t a = 0; a < b; a++) {
			enum finding_id id = in_common(tries[a], tries[b]);

			if (id != FINDING_COUNT) {
				say_repeated(s, id, tries[a], tries[b], s->third ? 3 : 2);
				return;
			}
		}
}

static void judge_ended(struct side *s)
{
	const struct observation *o = s->first;
	struct finding *f;

	judge_repeated(s);
	if (o->end == OBSERVE_CUT && !s->has[FINDING_DROP_SILENCE] && !s->has[FINDING_DROP_AGE]) {
		f = side_find(s, FINDING_CUT);
		finding_evidence(f, "broken off %.2f s after the request, after %.2f s of silence (%s)%s",
			(double)age(o) / 1000, (double)observe_last_silence(o) / 1000,
			o->error ? o->error : "reset",
			ended(s->again) ? "; at another time on another try" : "");
		finding_cause(f, "a hop or the origin closed the connection in front of the end that it had "
				 "promised: a crash, a deploy, a timeout");
	}
	if (o->end == OBSERVE_CLEAN && observe_mid_event(o)) {
		f = side_find(s, FINDING_MID_EVENT);
		finding_evidence(f,
			"the body is complete by its framing, %.2f s after the request, and its last "
			"event is not",
			(double)age(o) / 1000);
		finding_cause(f, "a hop made a complete answer of one that broke off: one that asks HTTP/1.0 "
				 "upstream takes a lost connection for the end; clients drop the half event");
	}
}

static void judge_silence(struct side *s)
{
	int64_t at, silence = observe_longest_silence(s->first, &at);
	struct finding *f;

	if (silence < SILENCE_MS)
		return;
	f = side_find(s, FINDING_NO_HEARTBEAT);
	finding_evidence(f, "no byte for %.1f s from %.1f s on; %llu comments in %.1f s",
		(double)silence / 1000, (double)at / 1000, (unsigned long long)s->first->comments,
		(double)s->first->end_ms / 1000);
	finding_cause(f,
		"nobody sends heartbeats: idle timeouts of proxies, NAT and mobile networks (30 s and "
		"more) end silent streams, and a client that is gone is not noticed");
}

void judge_end(struct side *s)
{
	if (s->first->head_ms == OBSERVE_NEVER || s->has[FINDING_STATUS] || s->has[FINDING_TYPE])
		return;
	if (ended(s->first))
		judge_ended(s);
	judge_silence(s);
}
