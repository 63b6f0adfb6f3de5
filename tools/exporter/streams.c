#include "exporter/streams.h"
#include "base/clock.h"
#include "exporter/families.h"
#include "observe/names.h"
#include <stdio.h>

#define OTHER "other"

/* ---- the sums */

static struct route_sum *route_named(struct stream_sums *s, const char *name)
{
	for (size_t i = 0; i < s->count; i++)
		if (strcmp(s->routes[i].name, name) == 0)
			return &s->routes[i];
	return NULL;
}

static struct route_sum *route_add(struct stream_sums *s, const char *name)
{
	if (s->count == s->cap) {
		size_t cap = s->cap ? 2 * s->cap : 16;
		struct route_sum *p = realloc(s->routes, cap * sizeof(*p));

		if (!p)
			return NULL;
		s->routes = p;
		s->cap = cap;
	}
	s->routes[s->count] = (struct route_sum){0};
	snprintf(s->routes[s->count].name, sizeof(s->routes[0].name), "%s", name);
	return &s->routes[s->count++];
}

/* Streams of one route stand together more often than not: the last one is looked at first. */
static struct route_sum *route_of(struct stream_sums *s, const struct sluice_ctl *c, struct route_sum *last)
{
	const char *name = c->route_name[0] ? c->route_name : STREAMS_UNROUTED;
	struct route_sum *r;

	if (last && strcmp(last->name, name) == 0)
		return last;
	r = route_named(s, name);
	if (!r && s->count >= STREAMS_ROUTES) {
		name = OTHER;
		r = route_named(s, name);
	}
	return r ? r : route_add(s, name);
}

static uint64_t since(uint64_t then_ns, uint64_t now_ns)
{
	return now_ns > then_ns ? now_ns - then_ns : 0;
}

static void add(struct route_sum *r, const struct sluice_ctl *c, uint64_t now_ns)
{
	unsigned lane = MIN(c->lane, STREAMS_LANES - 1), reason = MIN(c->reason, STREAMS_REASONS - 1);
	uint64_t silence = since(MAX(c->last_in_ns, c->head_ns), now_ns);

	r->streams[lane][reason]++;
	r->seen[lane] |= 1U << reason;
	r->pending += c->pending;
	r->blocked += !!(c->flags & SLUICE_CTL_BLOCKED);
	if (!(c->flags & SLUICE_CTL_EVENT_STREAM) || !c->head_ns)
		return;
	r->events++;
	r->no_event += !c->first_event_ns;
	r->silent += silence >= STREAMS_SILENT_NS;
	r->silence_ns = MAX(r->silence_ns, silence);
}

int streams_sum(struct stream_sums *s, const struct view_shot *shot)
{
	struct route_sum *r = NULL;

	for (size_t i = 0; i < s->count; i++) {
		struct route_sum empty = {0};

		memcpy(empty.name, s->routes[i].name, sizeof(empty.name));
		memcpy(empty.seen, s->routes[i].seen, sizeof(empty.seen));
		s->routes[i] = empty;
	}
	for (size_t i = 0; i < shot->n; i++) {
		r = route_of(s, &shot->streams[i].c, r);
		if (!r)
			return -ENOMEM;
		add(r, &shot->streams[i].c, shot->now_ns);
	}
	return 0;
}

void streams_reset(struct stream_sums *s)
{
	free(s->routes);
	*s = (struct stream_sums){0};
}

/* ---- the page */

static void write_lanes(const struct stream_sums *s, struct text *t)
{
	family_begin(t, FAMILY_STREAMS);
	for (size_t i = 0; i < s->count; i++) {
		const struct route_sum *r = &s->routes[i];

		for (unsigned lane = 0; lane < STREAMS_LANES; lane++)
			for (unsigned why = 0; why < STREAMS_REASONS; why++)
				if (r->seen[lane] >> why & 1)
					family_sample(t, FAMILY_STREAMS, r->streams[lane][why], r->name,
						names_lane(lane), why ? names_reason(why) : "none");
	}
}

void streams_write(const struct stream_sums *s, struct text *t)
{
	write_lanes(s, t);
#define EACH(family, value)                                                                                  \
	family_begin(t, family);                                                                             \
	for (size_t i = 0; i < s->count; i++) {                                                              \
		const struct route_sum *r = &s->routes[i];                                                   \
                                                                                                             \
		family_sample(t, family, value, r->name);                                                    \
	}
	EACH(FAMILY_EVENT_STREAMS, r->events)
	EACH(FAMILY_BLOCKED, r->blocked)
	EACH(FAMILY_PENDING, (double)r->pending)
	EACH(FAMILY_SILENT, r->silent)
	EACH(FAMILY_SILENCE, (double)r->silence_ns / (double)NS_PER_S)
	EACH(FAMILY_NO_EVENT, r->no_event)
#undef EACH
}

/* ---- --top */

static int by_lag(const void *a, const void *b)
{
	const struct sluice_ctl *x = &((const struct view_stream *)a)->c,
				*y = &((const struct view_stream *)b)->c;

	if (x->pending != y->pending)
		return x->pending < y->pending ? 1 : -1;
	return x->id < y->id ? -1 : x->id > y->id;
}

/* Moves those that lag to the front. */
static size_t laggards(struct view_shot *shot)
{
	size_t n = 0;

	for (size_t i = 0; i < shot->n; i++) {
		struct view_stream s = shot->streams[i];

		if (!s.c.pending)
			continue;
		shot->streams[i] = shot->streams[n];
		shot->streams[n++] = s;
	}
	return n;
}

void streams_write_top(struct view_shot *shot, size_t n, struct text *t)
{
	size_t lag = laggards(shot);
	char id[24], client[NAMES_ADDR_MAX];

	qsort(shot->streams, lag, sizeof(shot->streams[0]), by_lag);
	n = MIN(n, lag);
	family_begin(t, FAMILY_TOP_PENDING);
	for (size_t i = 0; i < n; i++) {
		const struct sluice_ctl *c = &shot->streams[i].c;

		snprintf(id, sizeof(id), "%llu", (unsigned long long)c->id);
		family_sample(t, FAMILY_TOP_PENDING, c->pending, id, c->route_name, names_lane(c->lane),
			names_addr(&c->client, client), c->host, c->path);
	}
	family_begin(t, FAMILY_TOP_BLOCKED);
	for (size_t i = 0; i < n; i++) {
		const struct sluice_ctl *c = &shot->streams[i].c;

		snprintf(id, sizeof(id), "%llu", (unsigned long long)c->id);
		family_sample(t, FAMILY_TOP_BLOCKED,
			c->blocked_since_ns
				? (double)since(MAX(c->last_out_ns, c->blocked_since_ns), shot->now_ns) /
					  (double)NS_PER_S
				: 0,
			id);
	}
}
