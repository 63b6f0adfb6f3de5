#include "conf/show.h"
#include "conf/schema.h"
#include <stdio.h>

static uint64_t number_at(const void *from, const struct key *k)
{
	const char *at = (const char *)from + k->to;
	uint32_t n32;
	uint64_t n;

	if (k->size == sizeof(uint8_t))
		return *(const uint8_t *)at;
	if (k->size == sizeof(n32)) {
		memcpy(&n32, at, sizeof(n32));
		return n32;
	}
	memcpy(&n, at, sizeof(n));
	return n;
}

static const char *word_of(const struct choices *c, uint64_t value)
{
	for (const struct choice *at = c->list; at->word; at++)
		if (at->value == value)
			return at->word;
	return NULL;
}

static json_t *value_of(const void *from, const struct key *k)
{
	const char *text;

	if (k->kind < KIND_INSTANCE) {
		uint64_t n = number_at(from, k);
		const char *word = k->kind == KIND_CHOICE ? word_of(k->choices, n) : NULL;

		return word ? json_string(word) : json_integer((json_int_t)n);
	}
	memcpy(&text, (const char *)from + k->to, sizeof(text));
	return text ? json_string(text) : json_null();
}

static json_t *section_show(enum section_id id, const void *from)
{
	const struct section *s = &sections[id];
	json_t *o = json_object();

	for (size_t i = 0; o && s->fields[i].key; i++) {
		const struct key *k = &s->keys[i];
		char name[64];

		if (!k->size)
			continue;
		snprintf(name, sizeof(name), "%s%s", k->name,
			k->kind == KIND_DURATION ? "_ms"
			: k->kind == KIND_SIZE	 ? "_bytes"
						 : "");
		json_object_set_new(o, name, value_of(from, k));
	}
	return o;
}

static json_t *route_show(const struct settings *s, const struct route_settings *r)
{
	json_t *o = section_show(SECTION_route, r);

	json_object_set_new(o, "upstream", json_string(s->upstreams[r->upstream].name));
	json_object_set_new(o, "timeouts", section_show(SECTION_timeouts, &r->timeouts));
	json_object_set_new(o, "slow", section_show(SECTION_slow, r));
	return o;
}

static json_t *listener_show(const struct listener_settings *l)
{
	json_t *o = section_show(SECTION_listener, l);

	json_object_set_new(o, "tls", l->tls ? section_show(SECTION_listener_tls, l->tls) : json_null());
	return o;
}

static json_t *upstream_show(const struct upstream_settings *u)
{
	json_t *o = section_show(SECTION_upstream, u), *servers = json_array();

	for (size_t i = 0; i < u->nservers; i++)
		json_array_append_new(servers, section_show(SECTION_server, &u->servers[i]));
	json_object_set_new(o, "servers", servers);
	json_object_set_new(o, "tls", u->tls ? section_show(SECTION_upstream_tls, u->tls) : json_null());
	json_object_set_new(
		o, "health", u->health.on ? section_show(SECTION_health, &u->health) : json_null());
	return o;
}

json_t *settings_show(const struct settings *s)
{
	json_t *listeners = json_array(), *upstreams = json_array(), *routes = json_array();

	for (size_t i = 0; i < s->nlisteners; i++)
		json_array_append_new(listeners, listener_show(&s->listeners[i]));
	for (size_t i = 0; i < s->nupstreams; i++)
		json_array_append_new(upstreams, upstream_show(&s->upstreams[i]));
	for (size_t i = 0; i < s->nroutes; i++)
		json_array_append_new(routes, route_show(s, &s->routes[i]));
	return json_pack("{s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o}", "top", section_show(SECTION_top, s), "log",
		section_show(SECTION_log, s), "client", section_show(SECTION_client, s), "tls",
		section_show(SECTION_tls, s), "http2", section_show(SECTION_http2, &s->http2), "listeners",
		listeners, "upstreams", upstreams, "routes", routes);
}
