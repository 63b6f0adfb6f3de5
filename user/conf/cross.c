#include "conf/cross.h"
#include "conf/address.h"
#include <stdarg.h>
#include <stdio.h>

struct entry entry_top(struct document *d, struct mistakes *m)
{
	return (struct entry){.d = d, .m = m, .section = SECTION_top, .map = document_root(d)};
}

struct entry entry_of(const struct entry *parent, enum section_id section, const char *list, size_t i)
{
	struct entry e = {.d = parent->d, .m = parent->m, .section = section, .at = parent->at};

	e.map = document_item(e.d, document_get(e.d, parent->map, list), i);
	place_key(&e.at, slice_of(list));
	place_index(&e.at, i);
	return e;
}

struct entry entry_inner(const struct entry *parent, enum section_id section, const char *key)
{
	struct entry e = {.d = parent->d, .m = parent->m, .section = section, .at = parent->at};

	e.map = document_get(e.d, parent->map, key);
	place_key(&e.at, slice_of(key));
	return e;
}

size_t entry_count(const struct entry *e, const char *key)
{
	const struct key *k = key_find(&sections[e->section], slice_of(key));
	size_t n = document_count(document_get(e->d, e->map, key));

	return n > sections[e->section].fields[k - sections[e->section].keys].value.sequence.max ? 0 : n;
}

bool entry_lacks_list(const struct entry *e, const char *key)
{
	yaml_node_t *list = document_get(e->d, e->map, key);

	return !list || (list->type == YAML_SEQUENCE_NODE && document_count(list) == 0);
}

struct slice entry_text(const struct entry *e, const char *key)
{
	return document_text(document_get(e->d, e->map, key));
}

bool entry_has(const struct entry *e, const char *key)
{
	return document_get(e->d, e->map, key) != NULL;
}

bool entry_number(const struct entry *e, const char *key, uint64_t *ret)
{
	const struct key *k = key_find(&sections[e->section], slice_of(key));
	struct slice text = entry_has(e, key) ? entry_text(e, key) : slice_of(k->fallback);
	const char *hint;

	return text.p && value_number(k, text, ret, &hint) == 0;
}

void entry_mistake(const struct entry *e, const char *key, const char *fmt, ...)
{
	yaml_node_t *at = key ? document_get(e->d, e->map, key) : NULL;
	struct place where = e->at;
	char *what;
	va_list args;
	int n;

	at = at ? at : e->map;
	if (key)
		place_key(&where, slice_of(key));
	va_start(args, fmt);
	n = vasprintf(&what, fmt, args);
	va_end(args);
	if (n < 0) {
		e->m->err = -ENOMEM;
		return;
	}
	mistake_add(e->m, at ? document_line(at) : 1, where.text, "%s", what);
	free(what);
}

bool entry_require(const struct entry *e, const char *key, const char *what)
{
	if (!e->map || e->map->type != YAML_MAPPING_NODE)
		return false;
	if (!entry_has(e, key))
		entry_mistake(e, key, "%s, found no such key", what);
	return true;
}

/* The earlier entry whose `key` is the same text. */
static bool repeated(const struct entry *parent, const struct entry *e, const char *list, size_t i,
	const char *key, size_t *ret_line)
{
	struct slice text = entry_text(e, key);

	for (size_t j = 0; text.n && j < i; j++) {
		struct entry other = entry_of(parent, e->section, list, j);

		if (slice_eq(text, entry_text(&other, key))) {
			*ret_line = document_line(document_get(e->d, other.map, key));
			return true;
		}
	}
	return false;
}

static void check_listener(const struct entry *top, size_t i)
{
	struct entry e = entry_of(top, SECTION_listener, "listeners", i);
	struct sockaddr_any addr, other;

	cross_check_listener_tls(&e);
	if (!entry_require(&e, "listen", "an address to listen on") ||
		address_parse(entry_text(&e, "listen"), &addr) < 0)
		return;
	if (addr.sa.sa_family != AF_UNIX && entry_has(&e, "mode"))
		entry_mistake(&e, "mode", "only with a unix socket, found with another address");
	if (addr.sa.sa_family != AF_UNIX && !addr.in4.sin_port)
		return; /* the kernel picks another port for each */
	for (size_t j = 0; j < i; j++) {
		struct entry before = entry_of(top, SECTION_listener, "listeners", j);

		if (address_parse(entry_text(&before, "listen"), &other) == 0 && addr.len == other.len &&
			memcmp(&addr.ss, &other.ss, addr.len) == 0)
			entry_mistake(&e, "listen", "an address of its own, found that of listeners[%zu]", j);
	}
}

static void check_balance(const struct entry *e)
{
	uint64_t balance;
	bool header = entry_has(e, "header"), cookie = entry_has(e, "cookie");

	if (!entry_number(e, "balance", &balance))
		return;
	if (balance == BALANCE_HASH && !header && !cookie)
		entry_mistake(e, "balance", "hash with header or cookie, found neither");
	else if (balance == BALANCE_HASH && header && cookie)
		entry_mistake(e, "cookie", "hash with either header or cookie, found both");
	else if (balance == BALANCE_STICKY && !header)
		entry_mistake(e, "balance",
			"sticky with header, the field in which the upstream issues its session id "
			"(Mcp-Session-Id), found none");
	if (balance != BALANCE_HASH && balance != BALANCE_STICKY && header)
		entry_mistake(e, "header", "only with balance: hash or sticky, found without");
	if (balance != BALANCE_HASH && cookie)
		entry_mistake(e, "cookie", "only with balance: hash, found without");
}

static void check_health(const struct entry *upstream)
{
	struct entry e = entry_inner(upstream, SECTION_health, "health");
	uint64_t interval, timeout;

	if (!entry_has(&e, "timeout") || !entry_number(&e, "timeout", &timeout))
		return;
	if (entry_number(&e, "interval", &interval) && timeout > interval)
		entry_mistake(&e, "timeout", "at most the interval, found more");
}

static void check_servers(const struct entry *upstream)
{
	size_t line;

	if (entry_lacks_list(upstream, "servers"))
		entry_mistake(upstream, "servers", "a list of at least one server, found none");
	for (size_t i = 0; i < entry_count(upstream, "servers"); i++) {
		struct entry e = entry_of(upstream, SECTION_server, "servers", i);

		if (entry_require(&e, "address", "the server's address") &&
			repeated(upstream, &e, "servers", i, "address", &line))
			entry_mistake(&e, "address",
				"a server once (weight makes it count more), found again (first in line %zu)",
				line);
	}
}

static void check_upstream(const struct entry *top, size_t i)
{
	struct entry e = entry_of(top, SECTION_upstream, "upstreams", i);
	size_t line;

	if (!entry_require(&e, "name", "a name, by which routes call it"))
		return;
	if (repeated(top, &e, "upstreams", i, "name", &line))
		entry_mistake(&e, "name", "a name of its own, found that of line %zu", line);
	check_balance(&e);
	cross_check_upstream_tls(&e);
	check_health(&e);
	check_servers(&e);
}

/* The status page asks nobody who he is. */
static void check_admin_http(const struct entry *top)
{
	struct sockaddr_any addr;
	uint64_t remote = 0;

	if (entry_has(top, "admin_http") && address_parse(entry_text(top, "admin_http"), &addr) == 0) {
		if (addr.sa.sa_family == AF_UNIX)
			entry_mistake(top, "admin_http", "an IP address and a port, found a unix socket");
		else if (!address_is_loopback(&addr) &&
			 !(entry_number(top, "admin_http_remote", &remote) && remote))
			entry_mistake(top, "admin_http",
				"a loopback address (127.0.0.1:9180): the page has no authentication, and "
				"whoever "
				"reaches it sees clients and paths; found another, without "
				"admin_http_remote: on");
	}
}

void cross_check(struct document *d, struct mistakes *m)
{
	struct entry top = entry_top(d, m);

	if (top.map && top.map->type != YAML_MAPPING_NODE)
		return;
	check_admin_http(&top);
	if (entry_lacks_list(&top, "listeners"))
		entry_mistake(&top, "listeners", "a list of at least one listener, found none");
	if (entry_lacks_list(&top, "upstreams"))
		entry_mistake(&top, "upstreams", "a list of at least one upstream, found none");
	for (size_t i = 0; i < entry_count(&top, "listeners"); i++)
		check_listener(&top, i);
	for (size_t i = 0; i < entry_count(&top, "upstreams"); i++)
		check_upstream(&top, i);
	cross_check_routes(d, m);
}
