#include "status/snapshot.h"
#include "base/clock.h"
#include "observe/merge.h"
#include "observe/names.h"
#include "observe/slots.h"
#include <jansson.h>
#include <math.h>
#include <stdio.h>

#define LANES 4
#define TRIES 10 /* to see a stream whole while it changes */

/* Bounds of the distributions: the last bucket is everything above. The page names them by these numbers. */
static const uint64_t pending_bounds[] = {0, 1 << 10, 4 << 10, 16 << 10, 64 << 10, 256 << 10};
static const uint64_t quiet_bounds[] = {1000, 5000, 15000, 60000, 300000};

struct route_sum {
	char name[sizeof(((struct sluice_ctl *)NULL)->route_name)];
	uint64_t streams, events, bytes; /* events and bytes since the snapshot before */
};

struct slow_stream {
	struct sluice_ctl c;
	uint64_t events; /* since the snapshot before */
};

struct sums {
	uint64_t streams, blocked, events, bytes; /* events and bytes since the snapshot before */
	uint64_t kernel_events, kernel_bytes;	  /* of live streams, not yet in the counters */
	uint64_t lanes[LANES], reasons[SLUICE_REASON_COUNT];
	uint64_t pending[ARRAY_LEN(pending_bounds) + 1], quiet[ARRAY_LEN(quiet_bounds) + 1];
	uint64_t pending_bytes;
	struct route_sum routes[SNAPSHOT_ROUTES + 1];
	size_t nroutes;
	struct slow_stream slow[SNAPSHOT_SLOWEST];
	size_t nslow;
	uint64_t now_ns;
};

int snapshot_init(struct snapshot *s, const struct snapshot_source *from)
{
	*s = (struct snapshot){.from = *from, .before = calloc(from->slots, sizeof(*s->before))};
	return s->before ? 0 : -ENOMEM;
}

void snapshot_done(struct snapshot *s)
{
	free(s->before);
	*s = (struct snapshot){0};
}

void snapshot_forget(struct snapshot *s)
{
	s->before_ns = 0;
}

/* ---- summing up */

static void count(uint64_t *buckets, const uint64_t *bounds, size_t n, uint64_t value)
{
	size_t i = 0;

	while (i < n && value > bounds[i])
		i++;
	buckets[i]++;
}

static struct route_sum *route_of(struct sums *t, const char *name)
{
	struct route_sum *r;

	for (size_t i = 0; i < t->nroutes; i++)
		if (strcmp(t->routes[i].name, name) == 0)
			return &t->routes[i];
	if (t->nroutes >= SNAPSHOT_ROUTES)
		name = "(others)";
	r = &t->routes[MIN(t->nroutes, (size_t)SNAPSHOT_ROUTES)];
	snprintf(r->name, sizeof(r->name), "%s", name);
	t->nroutes = (size_t)(r - t->routes) + 1;
	return r;
}

static uint64_t since(uint64_t now_ns, uint64_t then_ns)
{
	return then_ns && now_ns > then_ns ? now_ns - then_ns : 0;
}

/* How long the upstream has been silent: since its last byte, or since the request when there was none. */
static uint64_t quiet_ns(const struct sluice_ctl *c, uint64_t now_ns)
{
	return since(now_ns, c->last_in_ns ? c->last_in_ns : c->start_ns);
}

/* Slower: more bytes that its client has not taken, then blocked for longer, then the longer silence. */
static bool slower(const struct sluice_ctl *a, const struct sluice_ctl *b, uint64_t now_ns)
{
	uint64_t blocked_a = since(now_ns, a->blocked_since_ns),
		 blocked_b = since(now_ns, b->blocked_since_ns);

	if (a->pending != b->pending)
		return a->pending > b->pending;
	if (blocked_a != blocked_b)
		return blocked_a > blocked_b;
	return quiet_ns(a, now_ns) > quiet_ns(b, now_ns);
}

static void keep_slow(struct sums *t, const struct sluice_ctl *c, uint64_t events)
{
	size_t at = t->nslow;

	if (at == SNAPSHOT_SLOWEST && !slower(c, &t->slow[at - 1].c, t->now_ns))
		return;
	if (at < SNAPSHOT_SLOWEST)
		t->nslow++;
	else
		at--;
	for (; at && slower(c, &t->slow[at - 1].c, t->now_ns); at--)
		t->slow[at] = t->slow[at - 1];
	t->slow[at] = (struct slow_stream){.c = *c, .events = events};
}

/* Both halves of a slot's stream as of one moment: its end adds the kernel's counts to the record, and a mix
 * of before and after would count them twice or not at all. False: the slot is free, or in the middle of a
 * change. */
static bool read_slot(const struct snapshot *s, uint32_t slot, struct sluice_ctl *c, struct sluice_flow *f)
{
	const struct sluice_ctl *record = &s->from.records[slot];

	for (int i = 0; i < TRIES; i++) {
		if (!record->id || !ctl_read(record, c))
			return false;
		*f = s->from.flows ? s->from.flows[slot] : (struct sluice_flow){0};
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
		if (__atomic_load_n(&record->turn, __ATOMIC_RELAXED) == c->turn)
			return true;
	}
	return false;
}

static void add(
	struct snapshot *s, struct sums *t, uint32_t slot, struct sluice_ctl *c, const struct sluice_flow *f)
{
	struct snapshot_slot *b = &s->before[slot];
	uint64_t events, bytes;
	uint32_t pending;
	struct route_sum *r;

	if (merge_is_live(c, f)) {
		t->kernel_events += f->events;
		t->kernel_bytes += f->redirected;
	}
	/* What the kernel has in its hands is as of the last segment, and gone a moment later; a client that
	 * lags is spilled to the copy lane, and shows itself by the relay's own. */
	pending = c->pending;
	merge_flow(c, f, t->now_ns);
	c->pending = pending;
	if (b->id != c->id)
		*b = (struct snapshot_slot){.id = c->id};
	events = c->events > b->events ? c->events - b->events : 0;
	bytes = c->bytes_out > b->bytes ? c->bytes_out - b->bytes : 0;
	b->events = c->events;
	b->bytes = c->bytes_out;
	t->streams++;
	t->blocked += c->blocked_since_ns != 0;
	t->events += events;
	t->bytes += bytes;
	t->pending_bytes += c->pending;
	t->lanes[c->lane < LANES ? c->lane : 0]++;
	t->reasons[c->reason < SLUICE_REASON_COUNT ? c->reason : 0]++;
	count(t->pending, pending_bounds, ARRAY_LEN(pending_bounds), c->pending);
	count(t->quiet, quiet_bounds, ARRAY_LEN(quiet_bounds), quiet_ns(c, t->now_ns) / NS_PER_MS);
	r = route_of(t, c->route_name);
	r->streams++;
	r->events += events;
	r->bytes += bytes;
	keep_slow(t, c, events);
}

static void sum_up(struct snapshot *s, struct sums *t)
{
	struct slot_table table = {.count = s->from.slots};
	struct sluice_ctl c;
	struct sluice_flow f;
	uint32_t first, n;

	for (uint32_t w = 0; w < s->from.workers; w++) {
		slots_range(&table, w, s->from.workers, &first, &n);
		for (uint32_t i = first; i < first + n; i++) {
			if (!slot_was_used(&s->from.records[i]))
				break;
			if (read_slot(s, i, &c, &f))
				add(s, t, i, &c, &f);
		}
	}
}

/* ---- writing it down */

/* A new reference; text that is not UTF-8 is told as such. */
static json_t *text(const char *s)
{
	json_t *j = json_string(s);

	return j ? j : json_string("(not UTF-8)");
}

static json_t *whole(uint64_t n)
{
	return json_integer((json_int_t)n);
}

static json_t *rate(const struct snapshot *s, const struct sums *t, uint64_t n)
{
	uint64_t ns = t->now_ns - s->before_ns;

	return s->before_ns && ns ? json_real(round((double)n * 1e10 / (double)ns) / 10) : json_null();
}

static json_t *distribution(const uint64_t *buckets, const uint64_t *bounds, size_t n)
{
	json_t *list = json_array();

	for (size_t i = 0; i <= n; i++)
		json_array_append_new(
			list, json_pack("[o,o]", i < n ? whole(bounds[i]) : json_null(), whole(buckets[i])));
	return list;
}

static json_t *lanes_json(const struct sums *t)
{
	json_t *o = json_object();

	for (unsigned i = 0; i < LANES; i++)
		json_object_set_new(o, names_lane(i), whole(t->lanes[i]));
	return o;
}

static json_t *reasons_json(const struct sums *t)
{
	json_t *o = json_object();

	for (unsigned i = 0; i < SLUICE_REASON_COUNT; i++)
		if (t->reasons[i])
			json_object_set_new(o, names_reason(i), whole(t->reasons[i]));
	return o;
}

static json_t *routes_json(const struct snapshot *s, const struct sums *t)
{
	json_t *list = json_array();

	for (size_t i = 0; i < t->nroutes; i++)
		json_array_append_new(list,
			json_pack("{s:o,s:o,s:o,s:o}", "route", text(t->routes[i].name), "streams",
				whole(t->routes[i].streams), "events_s", rate(s, t, t->routes[i].events),
				"bytes_s", rate(s, t, t->routes[i].bytes)));
	return list;
}

static json_t *slow_json(const struct snapshot *s, const struct sums *t, const struct slow_stream *w)
{
	char addr[NAMES_ADDR_MAX];
	uint64_t now = t->now_ns;

	return json_pack("{s:o,s:o,s:o,s:o,s:s,s:o,s:o,s:o,s:o,s:o,s:o}", "id", whole(w->c.id), "client",
		text(names_addr(&w->c.client, addr)), "route", text(w->c.route_name), "path", text(w->c.path),
		"lane", names_lane(w->c.lane), "pending", whole(w->c.pending), "blocked_ms",
		whole(since(now, w->c.blocked_since_ns) / NS_PER_MS), "quiet_ms",
		whole(quiet_ns(&w->c, now) / NS_PER_MS), "age_ms",
		whole(since(now, w->c.start_ns) / NS_PER_MS), "events", whole(w->c.events), "events_s",
		rate(s, t, w->events));
}

static json_t *slowest_json(const struct snapshot *s, const struct sums *t)
{
	json_t *list = json_array();

	for (size_t i = 0; i < t->nslow; i++)
		json_array_append_new(list, slow_json(s, t, &t->slow[i]));
	return list;
}

static uint64_t total(const struct snapshot *s, size_t offset)
{
	uint64_t n = 0;

	for (uint32_t w = 0; w <= s->from.workers; w++)
		n += *(const uint64_t *)((const char *)&s->from.counters[w] + offset);
	return n;
}

static json_t *totals_json(const struct snapshot *s, const struct sums *t)
{
#define OF(id) total(s, offsetof(struct sluice_counters, id))
	return json_pack("{s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o}", "connections", whole(OF(connections_now)),
		"requests", whole(OF(requests)), "event_streams", whole(OF(event_streams)), "events",
		whole(OF(events) + t->kernel_events), "bytes", whole(OF(bytes_out) + t->kernel_bytes),
		"heartbeats", whole(OF(heartbeats)), "dropped_events", whole(OF(dropped_events)), "spills",
		whole(OF(spills)));
#undef OF
}

static json_t *everything(const struct snapshot *s, const struct sums *t)
{
	return json_pack("{s:o,s:s,s:o,s:i,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o}", "time_ms",
		whole(clock_wall_ns() / NS_PER_MS), "version", SLUICE_VERSION, "instance",
		text(s->from.instance), "workers", (int)s->from.workers, "uptime_ms",
		whole(since(t->now_ns, s->from.start_ns) / NS_PER_MS), "streams", whole(t->streams),
		"blocked", whole(t->blocked), "pending_bytes", whole(t->pending_bytes), "events_s",
		rate(s, t, t->events), "bytes_s", rate(s, t, t->bytes), "totals", totals_json(s, t), "lanes",
		lanes_json(t), "reasons", reasons_json(t), "routes", routes_json(s, t), "pending",
		distribution(t->pending, pending_bounds, ARRAY_LEN(pending_bounds)), "quiet",
		distribution(t->quiet, quiet_bounds, ARRAY_LEN(quiet_bounds)));
}

int snapshot_take(struct snapshot *s, uint64_t now_ns, struct buf *out)
{
	struct sums *t = calloc(1, sizeof(*t));
	json_t *json = NULL;
	char *line = NULL;
	int err = -ENOMEM;

	if (t) {
		t->now_ns = now_ns;
		sum_up(s, t);
		json = everything(s, t);
	}
	if (json && !json_object_set_new(json, "slowest", slowest_json(s, t)))
		line = json_dumps(json, JSON_COMPACT | JSON_REAL_PRECISION(12));
	if (line)
		err = buf_append(out, line, strlen(line));
	s->before_ns = now_ns;
	free(line);
	json_decref(json);
	free(t);
	return err;
}
