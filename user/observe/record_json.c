#include "observe/record_json.h"
#include "base/clock.h"
#include "observe/merge.h"
#include "observe/names.h"
#include "observe/slots.h"

static void set_int(json_t *o, const char *key, uint64_t value)
{
	json_object_set_new(o, key, json_integer((json_int_t)value));
}

static void set_text(json_t *o, const char *key, const char *text)
{
	json_t *s = json_string(text);

	json_object_set_new(o, key, s ? s : json_string("(not UTF-8)"));
}

static void set_flag(json_t *o, const char *key, const struct sluice_ctl *c, unsigned flag)
{
	json_object_set_new(o, key, json_boolean(c->flags & flag));
}

/* Milliseconds since `then`, null when it has not happened. */
static void set_age(json_t *o, const char *key, uint64_t then_ns, uint64_t now_ns)
{
	json_object_set_new(o, key,
		then_ns ? json_integer((json_int_t)((now_ns > then_ns ? now_ns - then_ns : 0) / NS_PER_MS))
			: json_null());
}

static void set_identity(json_t *o, const struct sluice_ctl *c)
{
	char addr[NAMES_ADDR_MAX];

	set_int(o, "id", c->id);
	set_int(o, "worker", c->worker);
	set_text(o, "client", names_addr(&c->client, addr));
	set_text(o, "route", c->route_name);
	set_text(o, "upstream", c->upstream_name);
	set_text(o, "server", c->upstream.family ? names_addr(&c->upstream, addr) : "");
	set_text(o, "method", c->method);
	set_text(o, "host", c->host);
	set_text(o, "path", c->path);
	set_int(o, "status", c->status);
	set_int(o, "http", c->http);
	set_int(o, "requests", c->requests);
}

static void set_kernel(json_t *o, const struct sluice_flow *live)
{
	set_int(o, "spliced_bytes", live ? live->redirected : 0);
	set_int(o, "spliced_events", live ? live->events : 0);
	set_int(o, "send_queue", live ? live->wmem_queued : 0);
	set_int(o, "unsent", live ? live->notsent : 0);
	set_int(o, "srtt_us", live ? live->srtt_us : 0);
}

static void set_flow(json_t *o, const struct sluice_ctl *c, uint64_t now_ns)
{
	set_text(o, "lane", names_lane(c->lane));
	set_text(o, "lane_reason", names_reason(c->reason));
	set_flag(o, "event_stream", c, SLUICE_CTL_EVENT_STREAM);
	set_flag(o, "chunked", c, SLUICE_CTL_CHUNKED);
	set_flag(o, "encoded", c, SLUICE_CTL_ENCODED);
	set_flag(o, "blocked", c, SLUICE_CTL_BLOCKED);
	set_int(o, "bytes_in", c->bytes_in);
	set_int(o, "bytes_out", c->bytes_out);
	set_int(o, "events", c->events);
	set_int(o, "chunks", c->chunks);
	set_int(o, "pending", c->pending);
	set_int(o, "pending_max", c->pending_max);
	set_age(o, "blocked_ms", c->blocked_since_ns, now_ns);
	set_age(o, "age_ms", c->start_ns, now_ns);
	set_age(o, "last_in_ms", c->last_in_ns, now_ns);
	set_age(o, "last_out_ms", c->last_out_ns, now_ns);
	set_age(o, "head_ms", c->head_ns ? c->start_ns : 0, c->head_ns);
	set_age(o, "first_event_ms", c->first_event_ns ? c->start_ns : 0, c->first_event_ns);
	set_int(o, "spills", c->spills);
	set_int(o, "flips", c->flips);
	set_int(o, "heartbeats", c->heartbeats);
	set_int(o, "dropped_events", c->dropped_events);
}

/* What was set on the client's socket and for its stream; 0: left to the system, or off. */
static void set_tuning(json_t *o, const struct sluice_ctl *c)
{
	static const char *const policies[] = {"block", "drop", "close"};

	set_int(o, "sndbuf", c->sndbuf);
	set_int(o, "rcvbuf", c->rcvbuf);
	set_int(o, "sndbuf_changes", c->sndbuf_changes);
	set_int(o, "notsent_lowat", c->notsent_lowat);
	set_int(o, "user_timeout_ms", c->user_timeout_ms);
	set_int(o, "heartbeat_ms", c->heartbeat_ms);
	set_int(o, "idle_timeout_ms", c->idle_timeout_ms);
	set_text(o, "slow_policy", c->policy < ARRAY_LEN(policies) ? policies[c->policy] : "unknown");
	set_int(o, "slow_limit", c->limit);
}

json_t *record_json(const struct sluice_ctl *whole, const struct sluice_flow *live, uint64_t now_ns)
{
	json_t *o = json_object();

	if (!o)
		return NULL;
	set_identity(o, whole);
	set_flow(o, whole, now_ns);
	set_kernel(o, live);
	set_tuning(o, whole);
	return o;
}

json_t *record_json_all(
	const struct sluice_ctl *records, const struct sluice_flow *flows, uint32_t count, uint64_t now_ns)
{
	json_t *list = json_array();
	struct sluice_ctl copy;

	for (uint32_t i = 0; list && i < count; i++) {
		const struct sluice_flow *flow = flows ? &flows[i] : NULL;

		if (!records[i].id || !ctl_read(&records[i], &copy))
			continue;
		if (!merge_is_live(&copy, flow))
			flow = NULL;
		merge_flow(&copy, flow, now_ns);
		json_array_append_new(list, record_json(&copy, flow, now_ns));
	}
	return list;
}
