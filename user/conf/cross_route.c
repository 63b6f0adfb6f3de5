#include "conf/cross.h"
#include <stdio.h>

#define KNOWN_MAX 20 /* names listed in a message */

/* "web, api", of the upstreams. */
static int print_upstreams(const struct entry *top, struct buf *out)
{
	size_t n = entry_count(top, "upstreams");
	int err = 0;

	for (size_t i = 0; i < n && i < KNOWN_MAX && !err; i++) {
		struct entry e = entry_of(top, SECTION_upstream, "upstreams", i);
		struct slice name = entry_text(&e, "name");
		char text[QUOTED_MAX];

		if (name.p)
			err = buf_printf(out, "%s%s", out->len ? ", " : "", quoted(name, text));
	}
	if (!err && n > KNOWN_MAX)
		err = buf_printf(out, ", …");
	return err;
}

static bool upstream_known(const struct entry *top, struct slice wanted)
{
	for (size_t i = 0; i < entry_count(top, "upstreams"); i++) {
		struct entry e = entry_of(top, SECTION_upstream, "upstreams", i);
		struct slice name = entry_text(&e, "name");

		if (name.p && slice_eq(name, wanted))
			return true;
	}
	return false;
}

/* `route` NULL: there are no routes, and the catch-all one needs an upstream. */
static void check_target(const struct entry *top, const struct entry *route)
{
	_cleanup_buf_ struct buf known = {0};
	bool named = route && entry_has(route, "upstream");
	struct slice name = named ? entry_text(route, "upstream") : (struct slice){NULL, 0};
	char text[QUOTED_MAX];

	if (entry_count(top, "upstreams") == 0 || (named && (!name.n || upstream_known(top, name))))
		return;
	if (!named && entry_count(top, "upstreams") == 1)
		return;
	if (print_upstreams(top, &known) < 0)
		top->m->err = -ENOMEM;
	else if (!route)
		entry_mistake(top, "routes",
			"a list of routes, as there is more than one upstream (%.*s), found none",
			SLICE_FMT(buf_slice(&known)));
	else if (named)
		entry_mistake(route, "upstream", "one of %.*s, found %s", SLICE_FMT(buf_slice(&known)),
			quoted(name, text));
	else
		entry_mistake(
			route, "upstream", "one of %.*s, found no such key", SLICE_FMT(buf_slice(&known)));
}

static void check_slow(const struct entry *route)
{
	struct entry e = entry_inner(route, SECTION_slow, "slow");
	uint64_t policy, bytes;

	if (!entry_number(&e, "policy", &policy))
		return;
	if (policy == SLOW_DROP && entry_number(&e, "bytes", &bytes) && bytes < 4096)
		entry_mistake(&e, "bytes", "at least 4KiB with policy: drop, found %llu",
			(unsigned long long)bytes);
	if (policy != SLOW_CLOSE && entry_has(&e, "time"))
		entry_mistake(&e, "time", "only with policy: close, found without");
	if (policy == SLOW_BLOCK && entry_has(&e, "bytes"))
		entry_mistake(&e, "bytes", "only with policy: drop or close, found without");
}

static void check_sndbuf(const struct entry *route)
{
	uint64_t sndbuf, max;

	if (entry_has(route, "sndbuf_max") && entry_number(route, "sndbuf", &sndbuf) &&
		entry_number(route, "sndbuf_max", &max) && sndbuf > max)
		entry_mistake(route, "sndbuf_max", "at least sndbuf, found less");
}

static void check_edits(const struct entry *route, const char *list)
{
	for (size_t i = 0; i < entry_count(route, list); i++) {
		struct entry e = entry_of(route, SECTION_edit, list, i);
		int n = entry_has(&e, "set") + entry_has(&e, "add") + entry_has(&e, "remove");

		if (n != 1 && e.map->type == YAML_MAPPING_NODE)
			entry_mistake(&e, NULL, "one of set, add and remove, found %s", n ? "more" : "none");
	}
}

static bool exact(const struct entry *route)
{
	uint64_t value;

	return entry_number(route, "exact", &value) && value;
}

/* Bits of `methods`; 0: any, or none that is known. */
static uint64_t methods_of(const struct entry *route)
{
	const struct key *k = key_find(&sections[SECTION_route], SLICE("methods"));
	yaml_node_t *list = document_get(route->d, route->map, "methods");
	uint64_t bits = 0, bit;
	const char *hint;

	for (size_t i = 0; i < entry_count(route, "methods"); i++) {
		struct slice text = document_text(document_item(route->d, list, i));

		if (text.p && value_number(k, text, &bit, &hint) == 0)
			bits |= bit;
	}
	return bits;
}

static bool same_key(const struct entry *a, const struct entry *b, const char *key, bool nocase)
{
	struct slice x = entry_text(a, key), y = entry_text(b, key);

	if (!x.p || !y.p)
		return !x.p && !y.p;
	return nocase ? slice_eq_nocase(x, y) : slice_eq(x, y);
}

/* The first match wins, so the second of two alike is never reached. */
static void check_reached(const struct entry *top, const struct entry *e, size_t i)
{
	for (size_t j = 0; j < i; j++) {
		struct entry before = entry_of(top, SECTION_route, "routes", j);

		if (before.map->type != YAML_MAPPING_NODE || !same_key(e, &before, "host", true) ||
			!same_key(e, &before, "path", false) || exact(e) != exact(&before) ||
			methods_of(e) != methods_of(&before))
			continue;
		entry_mistake(e, NULL,
			"a host, path or methods of its own, found those of routes[%zu], which is taken "
			"first",
			j);
		return;
	}
}

/* As it will be called: what is given, or "route N". */
static struct slice name_of(const struct entry *route, size_t i, char fallback[32])
{
	struct slice name = entry_text(route, "name");

	if (name.p)
		return name;
	snprintf(fallback, 32, "route %zu", i + 1);
	return slice_of(fallback);
}

static void check_name(const struct entry *top, const struct entry *e, size_t i)
{
	char own[32], its[32];

	for (size_t j = 0; j < i; j++) {
		struct entry before = entry_of(top, SECTION_route, "routes", j);

		if (slice_eq(name_of(e, i, own), name_of(&before, j, its))) {
			entry_mistake(e, "name", "a name of its own, found that of routes[%zu]", j);
			return;
		}
	}
}

void cross_check_routes(struct document *d, struct mistakes *m)
{
	struct entry top = entry_top(d, m);
	size_t n = entry_count(&top, "routes");

	if (entry_lacks_list(&top, "routes"))
		check_target(&top, NULL);
	for (size_t i = 0; i < n; i++) {
		struct entry e = entry_of(&top, SECTION_route, "routes", i);

		if (e.map->type != YAML_MAPPING_NODE)
			continue;
		check_target(&top, &e);
		check_name(&top, &e, i);
		check_slow(&e);
		check_sndbuf(&e);
		check_edits(&e, "request_headers");
		check_edits(&e, "response_headers");
		if (exact(&e) && !entry_has(&e, "path"))
			entry_mistake(&e, "exact", "only with path, found without");
		check_reached(&top, &e, i);
	}
}
