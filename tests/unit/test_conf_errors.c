/* Every mistake is told, each with its line, the key, what is allowed and what was found. */
#include "conf/check.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>
#include "conf_text.h"

/* In each: the text, then all that is told. */
struct mistaken {
	const char *text, *told;
};

static void expect_each(const struct mistaken *cases, size_t n)
{
	for (size_t i = 0; i < n; i++)
		expect_errors(slice_of(cases[i].text), cases[i].told);
}

#define EXPECT_EACH(...)                                                                                     \
	do {                                                                                                 \
		static const struct mistaken cases[] = {__VA_ARGS__};                                        \
		expect_each(cases, ARRAY_LEN(cases));                                                        \
	} while (0)

#define ROUTE(yaml) LISTEN UPSTREAM "routes:\n- " yaml "\n"
#define DURATION    "a duration such as 500ms, 15s, 5m or 1h, from "
#define SIZE	    "a size such as 4096, 16KiB or 1MiB, from "

static void test_syntax(void **state)
{
	(void)state;
	EXPECT_EACH({"a: [1\nb: 2\n", "t.yaml:2: YAML: did not find expected ',' or ']', while parsing a "
				      "flow sequence that began in line 1\n"},
		{"listeners:\n\t- x\n",
			"t.yaml:2: YAML: found character that cannot start any token, while scanning for the "
			"next token that began in line 2 (a tab: indent with spaces)\n"},
		{"a: 'x\n", "t.yaml:2: YAML: found unexpected end of stream, while scanning a quoted scalar "
			    "that began in line 1\n"},
		{"a: *b\n", "t.yaml:1: YAML: found undefined alias\n"},
		{"a: 1\n\n\xff\n", "t.yaml:3: YAML: UTF-8 text, found invalid leading UTF-8 octet\n"},
		{"a: 1\n\x01\n", "t.yaml:2: YAML: UTF-8 text, found control characters are not allowed\n"},
		{LISTEN UPSTREAM "---\nx: 1\n",
			"t.yaml:3: YAML: one document in a file, found a second one\n"},
		{LISTEN UPSTREAM "...\n---\na: [\n", "t.yaml:6: YAML: did not find expected node content, "
						     "while parsing a flow node that began in line 6\n"});
}

static void test_nothing_there(void **state)
{
	static const char told[] = "t.yaml:1: listeners: a list of at least one listener, found none\n"
				   "t.yaml:1: upstreams: a list of at least one upstream, found none\n";

	(void)state;
	expect_errors(slice_of(""), told);
	expect_errors(slice_of("# nothing\n\n"), told);
	expect_errors(slice_of("{}"), told);
	expect_errors(slice_of("listeners: []\nupstreams: []\n"),
		"t.yaml:1: listeners: a list of at least one listener, found none\n"
		"t.yaml:2: upstreams: a list of at least one upstream, found none\n");
}

static void test_shapes(void **state)
{
	(void)state;
	EXPECT_EACH({"[]", "t.yaml:1: top: a mapping of keys, found a list\n"},
		{"text", "t.yaml:1: top: a mapping of keys, found a plain value\n"},
		{LISTEN UPSTREAM "log: on\n", "t.yaml:3: log: a mapping of keys, found a plain value\n"},
		{LISTEN UPSTREAM "log:\n", "t.yaml:3: log: a mapping of keys, found nothing\n"},
		{LISTEN UPSTREAM "instance: [a]\n", "t.yaml:3: instance: one value, found a list\n"},
		{LISTEN UPSTREAM "drain: {a: b}\n", "t.yaml:3: drain: one value, found a mapping\n"},
		{LISTEN UPSTREAM "routes: {path: /}\n", "t.yaml:3: routes: a list, found a mapping\n"},
		{LISTEN UPSTREAM "routes: [/a]\n",
			"t.yaml:3: routes[0]: a mapping of keys, found a plain value\n"},
		{LISTEN UPSTREAM "routes: [[]]\n", "t.yaml:3: routes[0]: a mapping of keys, found a list\n"},
		{LISTEN UPSTREAM "trusted_proxies: [[10.0.0.0/8]]\n",
			"t.yaml:3: trusted_proxies[0]: one value, found a list\n"},
		{LISTEN UPSTREAM "? [a]\n: b\n", "t.yaml:3: top: a plain key, found a list\n"});
}

static void test_empty_values(void **state)
{
	(void)state;
	EXPECT_EACH({LISTEN UPSTREAM "instance:\n",
			    "t.yaml:3: instance: 1 to 31 letters, digits, '.', '_' and '-', not with '.' or "
			    "'-' first, found \"\" (leave the key out for its default)\n"},
		{LISTEN UPSTREAM "lane: ~\n", "t.yaml:3: lane: auto, copy or splice, found \"~\" (leave the "
					      "key out for its default)\n"},
		{LISTEN UPSTREAM "user: null\n",
			"t.yaml:3: user: a user name, found \"null\" (leave the key out for its default)\n"},
		{LISTEN UPSTREAM "user: \"a\\0b\"\n",
			"t.yaml:3: user: a user name, found \"a\\x00b\" (a NUL byte)\n"});
}

static void test_unknown_keys(void **state)
{
	(void)state;
	EXPECT_EACH(
		{LISTEN UPSTREAM "worker: 2\n", "t.yaml:3: worker: no such key, did you mean \"workers\"?\n"},
		{ROUTE("heartbaet: 3s"),
			"t.yaml:4: routes[0].heartbaet: no such key, did you mean \"heartbeat\"?\n"},
		{LISTEN UPSTREAM "heartbeat: 3s\n",
			"t.yaml:3: heartbeat: no such key here, it is one of routes[]\n"},
		{ROUTE("idle: 3s"),
			"t.yaml:4: routes[0].idle: no such key here, it is one of routes[].timeouts\n"},
		{LISTEN UPSTREAM "log: {file: x}\n",
			"t.yaml:3: log.file: no such key, allowed are level, access\n"},
		{LISTEN UPSTREAM "log: {\"a b\": x, \"\": y}\n",
			"t.yaml:3: log.\"a b\": no such key, allowed are level, access\n"
			"t.yaml:3: log.\"\": no such key, allowed are level, access\n"},
		{LISTEN UPSTREAM "log:\n  <<: {level: info}\n",
			"t.yaml:4: log.\"<<\": no such key, allowed are level, access\n"},
		{LISTEN UPSTREAM "log: {\"\\e[31m\\0\": x}\n",
			"t.yaml:3: log.\"\\x1b[31m\\x00\": no such key, allowed are level, access\n"},
		{LISTEN UPSTREAM
			"log: {0123456789012345678901234567890123456789012345678901234567890123456789: x}\n",
			"t.yaml:3: log.\"012345678901234567890123456789012345678901234567890123456789012…\": "
			"no such key, allowed are level, access\n"});
}

static void test_duplicates(void **state)
{
	(void)state;
	EXPECT_EACH({LISTEN UPSTREAM "workers: 1\nlane: copy\nworkers: 2\n",
			    "t.yaml:5: workers: once, found again (first in line 3)\n"},
		{LISTEN UPSTREAM "log: {level: info}\nlog: {level: x}\n",
			"t.yaml:4: log: once, found again (first in line 3)\n"
			"t.yaml:4: log.level: error, warn, info or debug, found \"x\"\n"});
}

static void test_values(void **state)
{
	(void)state;
	EXPECT_EACH({ROUTE("heartbeat: 15"), "t.yaml:4: routes[0].heartbeat: " DURATION
					     "1ms to 1d, or off, found \"15\" (no unit)\n"},
		{ROUTE("timeouts: {connect: 0}"), "t.yaml:4: routes[0].timeouts.connect: " DURATION
						  "1ms to 1h, found \"0\" (too small)\n"},
		{ROUTE("timeouts: {connect: 2h}"), "t.yaml:4: routes[0].timeouts.connect: " DURATION
						   "1ms to 1h, found \"2h\" (too large)\n"},
		{ROUTE("max_body: 10MB"), "t.yaml:4: routes[0].max_body: " SIZE
					  "1B to 1TiB, or unlimited, found \"10MB\" (unknown unit)\n"},
		{ROUTE("sndbuf: 1"), "t.yaml:4: routes[0].sndbuf: " SIZE
				     "1KiB to 64MiB, or auto, found \"1\" (too small)\n"},
		{ROUTE("upgrade: maybe"), "t.yaml:4: routes[0].upgrade: on or off, found \"maybe\"\n"},
		{ROUTE("methods: [GET, get]"), "t.yaml:4: routes[0].methods[1]: GET, HEAD, POST, PUT, "
					       "DELETE, OPTIONS or PATCH, found \"get\"\n"},
		{ROUTE("path: events"), "t.yaml:4: routes[0].path: a path that begins with '/', without "
					"query, found \"events\"\n"},
		{LISTEN UPSTREAM "workers: 1025\n",
			"t.yaml:3: workers: a number from 1 to 1024, or auto, found \"1025\" (too large)\n"},
		{UPSTREAM "listeners: [localhost:80]\n",
			"t.yaml:2: listeners[0].listen: IP:PORT (127.0.0.1:8080, \"[::]:8080\") or "
			"unix:/path, found \"localhost:80\"\n"},
		{UPSTREAM "listeners: {listen: unix:/x}\n", "t.yaml:2: listeners: a list, found a mapping\n"},
		{UPSTREAM "listeners: [{listen: unix:/x, mode: rw}]\n",
			"t.yaml:2: listeners[0].mode: an octal file mode such as 0660, found \"rw\"\n"},
		{LISTEN "upstreams: [{name: a, servers: [http://a]}]\n",
			"t.yaml:2: upstreams[0].servers[0].address: HOST:PORT (app.internal:4000, "
			"127.0.0.1:4000, \"[::1]:4000\") or unix:/path, found \"http://a\" (leave the scheme "
			"out)\n"},
		{LISTEN UPSTREAM "trusted_proxies: 10.0.0.1/8\n",
			"t.yaml:3: trusted_proxies[0]: an IP address or a network such as 10.0.0.0/8, found "
			"\"10.0.0.1/8\" (bits are set behind the prefix)\n"});
}

static void test_required_and_unique(void **state)
{
	(void)state;
	EXPECT_EACH({UPSTREAM "listeners: [{backlog: 3}]\n",
			    "t.yaml:2: listeners[0].listen: an address to listen on, found no such key\n"},
		{LISTEN "upstreams: [{servers: \"a:1\"}]\n",
			"t.yaml:2: upstreams[0].name: a name, by which routes call it, found no such key\n"},
		{LISTEN "upstreams:\n- name: a\n",
			"t.yaml:3: upstreams[0].servers: a list of at least one server, found none\n"},
		{LISTEN "upstreams: [{name: a, servers: []}]\n",
			"t.yaml:2: upstreams[0].servers: a list of at least one server, found none\n"},
		{LISTEN "upstreams: [{name: a, servers: [{weight: 2}]}]\n",
			"t.yaml:2: upstreams[0].servers[0].address: the server's address, found no such "
			"key\n"},
		{LISTEN "upstreams:\n- {name: a, servers: \"a:1\"}\n- {name: b, servers: \"a:1\"}\n- {name: "
			"a, servers: \"a:1\"}\nroutes: [{upstream: b}]\n",
			"t.yaml:5: upstreams[2].name: a name of its own, found that of line 3\n"},
		{LISTEN "upstreams: [{servers: \"a:1\"}, {name: \"\", servers: \"a:1\"}]\nroutes: "
			"[{upstream: \"\"}]\n",
			"t.yaml:2: upstreams[1].name: 1 to 31 printable ASCII characters without '\"' and "
			"'\\', found \"\" (leave the key out for its default)\n"
			"t.yaml:2: upstreams[0].name: a name, by which routes call it, found no such key\n"
			"t.yaml:3: routes[0].upstream: 1 to 31 printable ASCII characters without '\"' and "
			"'\\', found \"\" (leave the key out for its default)\n"},
		{LISTEN "upstreams: [{name: a, servers: [\"a:1\", {address: \"a:1\"}]}]\n",
			"t.yaml:2: upstreams[0].servers[1].address: a server once (weight makes it count "
			"more), found again (first in line 2)\n"},
		{UPSTREAM "listeners:\n- 127.0.0.1:80\n- 127.0.0.1:0\n- 127.0.0.1:0\n- 127.0.0.1:080\n",
			"t.yaml:6: listeners[3].listen: an address of its own, found that of listeners[0]\n"},
		{UPSTREAM "listeners: [unix:/x, unix:/x]\n",
			"t.yaml:2: listeners[1].listen: an address of its own, found that of listeners[0]\n"},
		{UPSTREAM "listeners: [{listen: \"127.0.0.1:80\", mode: 0600}]\n",
			"t.yaml:2: listeners[0].mode: only with a unix socket, found with another address\n"},
		{LISTEN UPSTREAM "routes:\n- {name: a, path: /a}\n- {name: a, path: /b}\n",
			"t.yaml:5: routes[1].name: a name of its own, found that of routes[0]\n"},
		{LISTEN UPSTREAM "routes:\n- {name: route 2, path: /a}\n- {path: /b}\n",
			"t.yaml:5: routes[1].name: a name of its own, found that of routes[0]\n"});
}

#define TWO LISTEN "upstreams: [{name: web, servers: \"a:1\"}, {name: api, servers: \"b:1\"}]\n"

static void test_which_upstream(void **state)
{
	(void)state;
	EXPECT_EACH({TWO "routes:\n- {path: /a, upstream: wbe}\n",
			    "t.yaml:4: routes[0].upstream: one of \"web\", \"api\", found \"wbe\"\n"},
		{TWO "routes:\n- {path: /a}\n",
			"t.yaml:4: routes[0].upstream: one of \"web\", \"api\", found no such key\n"},
		{TWO, "t.yaml:1: routes: a list of routes, as there is more than one upstream (\"web\", "
		      "\"api\"), found none\n"},
		{TWO "routes: []\n", "t.yaml:3: routes: a list of routes, as there is more than one upstream "
				     "(\"web\", \"api\"), found none\n"},
		{ROUTE("upstream: x"), "t.yaml:4: routes[0].upstream: one of \"web\", found \"x\"\n"});
}

static void test_many_upstreams_are_not_all_listed(void **state)
{
	struct buf text = {0}, told = {0};

	(void)state;
	assert_int_equal(buf_printf(&text, LISTEN "routes: [{upstream: x}]\nupstreams:\n"), 0);
	assert_int_equal(buf_printf(&told, "t.yaml:2: routes[0].upstream: one of "), 0);
	for (int i = 0; i < 25; i++) {
		assert_int_equal(buf_printf(&text, "- {name: u%d, servers: \"a:1\"}\n", i), 0);
		if (i < 20)
			assert_int_equal(buf_printf(&told, "%s\"u%d\"", i ? ", " : "", i), 0);
	}
	assert_int_equal(buf_printf(&told, ", …, found \"x\"\n"), 0);
	assert_int_equal(buf_append(&told, "", 1), 0);
	expect_errors(buf_slice(&text), told.data);
	buf_reset(&text);
	buf_reset(&told);
}

#define BALANCE(yaml) LISTEN "upstreams: [{name: a, servers: \"a:1\", " yaml "}]\n"

static void test_balance(void **state)
{
	(void)state;
	EXPECT_EACH({BALANCE("balance: hash"),
			    "t.yaml:2: upstreams[0].balance: hash with header or cookie, found neither\n"},
		{BALANCE("balance: hash, header: A, cookie: b"),
			"t.yaml:2: upstreams[0].cookie: hash with either header or cookie, found both\n"},
		{BALANCE("balance: sticky"),
			"t.yaml:2: upstreams[0].balance: sticky with header, the field in which the upstream "
			"issues its session id (Mcp-Session-Id), found none\n"},
		{BALANCE("balance: sticky, header: A, cookie: b"),
			"t.yaml:2: upstreams[0].cookie: only with balance: hash, found without\n"},
		{BALANCE("header: A"),
			"t.yaml:2: upstreams[0].header: only with balance: hash or sticky, found without\n"},
		{BALANCE("balance: round-robin, cookie: b"),
			"t.yaml:2: upstreams[0].cookie: only with balance: hash, found without\n"},
		{BALANCE("balance: random, cookie: b"), "t.yaml:2: upstreams[0].balance: least-conn, "
							"round-robin, hash or sticky, found \"random\"\n"},
		{BALANCE("health: {interval: 1s, timeout: 2s}"),
			"t.yaml:2: upstreams[0].health.timeout: at most the interval, found more\n"},
		{BALANCE("health: {timeout: 6s}"),
			"t.yaml:2: upstreams[0].health.timeout: at most the interval, found more\n"});
}

static void test_routes(void **state)
{
	(void)state;
	EXPECT_EACH({ROUTE("slow: {policy: drop, bytes: 4095}"),
			    "t.yaml:4: routes[0].slow.bytes: at least 4KiB with policy: drop, found 4095\n"},
		{ROUTE("slow: {policy: drop, time: 1s}"),
			"t.yaml:4: routes[0].slow.time: only with policy: close, found without\n"},
		{ROUTE("slow: {bytes: 8192}"),
			"t.yaml:4: routes[0].slow.bytes: only with policy: drop or close, found without\n"},
		{ROUTE("{sndbuf: 64KiB, sndbuf_max: 32KiB}"),
			"t.yaml:4: routes[0].sndbuf_max: at least sndbuf, found less\n"},
		{ROUTE("exact: on"), "t.yaml:4: routes[0].exact: only with path, found without\n"},
		{LISTEN UPSTREAM "routes:\n- {path: /a, host: A}\n- {path: /a}\n- {path: /a, methods: "
				 "GET}\n- {host: a, path: /a, exact: no}\n- path: /a\n",
			"t.yaml:7: routes[3]: a host, path or methods of its own, found those of routes[0], "
			"which is taken first\n"
			"t.yaml:8: routes[4]: a host, path or methods of its own, found those of routes[1], "
			"which is taken first\n"},
		{ROUTE("request_headers: [{}, {set: \"A: b\", remove: C}, {remove: Host}, {set: \"A: "
		       "b\\r\\nC: d\"}]"),
			"t.yaml:4: routes[0].request_headers[2].remove: a field's name, found \"Host\" (Host "
			"is set by the upstream's `host`)\n"
			"t.yaml:4: routes[0].request_headers[3].set: \"Name: value\", found \"A: "
			"b\\x0d\\x0aC: d\" (the value has a control byte: no CR, LF or NUL may stand there)\n"
			"t.yaml:4: routes[0].request_headers[0]: one of set, add and remove, found none\n"
			"t.yaml:4: routes[0].request_headers[1]: one of set, add and remove, found more\n"},
		{ROUTE("response_headers: {add: \"Content-Length: 3\"}"),
			"t.yaml:4: routes[0].response_headers: a list, found a mapping\n"});
}

/* Told all at once, in the order of the lines. */
static void test_many_at_once(void **state)
{
	(void)state;
	expect_errors(slice_of("workers: many\n"
			       "listeners: [127.0.0.1:8080]\n"
			       "upstreams:\n"
			       "- name: web\n"
			       "  servers: 127.0.0.1:4000\n"
			       "  colour: red\n"
			       "routes:\n"
			       "- path: a\n"
			       "  upstream: wbe\n"
			       "  heartbeat: 5\n"
			       "lane: fast\n"),
		"t.yaml:1: workers: a number from 1 to 1024, or auto, found \"many\"\n"
		"t.yaml:6: upstreams[0].colour: no such key, allowed are name, servers, tls, balance, "
		"header, "
		"cookie, health, keepalive, "
		"keepalive_timeout, host, path_prefix\n"
		"t.yaml:8: routes[0].path: a path that begins with '/', without query, found \"a\"\n"
		"t.yaml:9: routes[0].upstream: one of \"web\", found \"wbe\"\n"
		"t.yaml:10: routes[0].heartbeat: " DURATION "1ms to 1d, or off, found \"5\" (no unit)\n"
		"t.yaml:11: lane: auto, copy or splice, found \"fast\"\n");
}

static void test_so_many_that_some_are_only_counted(void **state)
{
	struct buf text = {0}, errors = {0};
	struct settings *s = NULL;
	const char *end = "t.yaml: and 5 more\n";
	size_t lines = 0;

	(void)state;
	assert_int_equal(buf_printf(&text, LISTEN UPSTREAM), 0);
	for (int i = 0; i < 1005; i++)
		assert_int_equal(buf_printf(&text, "x%d: 1\n", i), 0);
	assert_int_equal(settings_parse("t.yaml", buf_slice(&text), &s, &errors), -EINVAL);
	for (size_t i = 0; i < errors.len; i++)
		lines += errors.data[i] == '\n';
	assert_int_equal(lines, 1001);
	assert_memory_equal(errors.data + errors.len - strlen(end), end, strlen(end));
	buf_reset(&text);
	buf_reset(&errors);
}

/* Aliases inside aliases: ten lists of ten of … must not be walked out. */
static void test_aliases_that_multiply(void **state)
{
	struct buf text = {0};

	(void)state;
	assert_int_equal(buf_printf(&text, LISTEN UPSTREAM
				 "routes:\n- &r\n  request_headers:\n  - &e {set: \"A: b\"}\n"),
		0);
	for (int i = 0; i < 64; i++)
		assert_int_equal(buf_printf(&text, "  - *e\n"), 0);
	assert_int_equal(buf_append(&text, "", 1), 0);
	expect_errors(
		slice_of(text.data), "t.yaml:6: routes[0].request_headers: a list of at most 64, found 65\n");
	text.len--;
	for (int i = 0; i < 100000; i++)
		assert_int_equal(buf_printf(&text, "- *r\n"), 0);
	expect_errors(buf_slice(&text), "t.yaml:4: routes: a list of at most 1024, found 100001\n");
	buf_reset(&text);
}

static void test_an_alias_to_what_holds_it(void **state)
{
	(void)state;
	expect_errors(slice_of(LISTEN UPSTREAM "routes: &r\n- path: /a\n- *r\n"),
		"t.yaml:3: routes[1]: a mapping of keys, found a list\n");
	/* An alias has the line of its anchor. */
	expect_errors(slice_of(LISTEN UPSTREAM "log: &l\n  level: *l\n"),
		"t.yaml:3: log.level: one value, found a mapping\n");
}

static void test_suggestions(void **state)
{
	const struct section *route = &sections[SECTION_route];

	(void)state;
	assert_string_equal(suggest_key(route, SLICE("heartbeats")), "heartbeat");
	assert_string_equal(suggest_key(route, SLICE("hartbeat")), "heartbeat");
	assert_string_equal(suggest_key(route, SLICE("pth")), "path");
	assert_string_equal(suggest_key(route, SLICE("paht")), "path");
	assert_string_equal(suggest_key(route, SLICE("max_stream")), "max_streams");
	assert_string_equal(suggest_key(route, SLICE("reqeust_header")), "request_headers");
	assert_null(suggest_key(route, SLICE("")));
	assert_null(suggest_key(route, SLICE("x")));
	assert_null(suggest_key(route, SLICE("colour")));
	assert_null(suggest_key(route, SLICE("a_key_that_is_longer_than_any_key_is")));
}

static void test_quoted(void **state)
{
	char out[QUOTED_MAX], long_text[200];

	(void)state;
	assert_string_equal(quoted(SLICE("plain"), out), "\"plain\"");
	assert_string_equal(quoted(SLICE(""), out), "\"\"");
	assert_string_equal(quoted(SLICE("a\"b\\c\n\x7f"), out), "\"a\\x22b\\x5cc\\x0a\\x7f\"");
	for (size_t n = 0; n < sizeof(long_text); n++) {
		memset(long_text, n % 2 ? 'x' : 1, n);
		quoted((struct slice){long_text, n}, out);
		assert_true(strlen(out) < QUOTED_MAX);
		assert_int_equal(out[strlen(out) - 1], '"');
	}
}

static void test_admin_http(void **state)
{
	static const char told[] =
		"t.yaml:1: admin_http: a loopback address (127.0.0.1:9180): the page has no authentication, "
		"and "
		"whoever reaches it sees clients and paths; found another, without admin_http_remote: on\n";

	(void)state;
	EXPECT_EACH({"admin_http: 0.0.0.0:9180\n" LISTEN UPSTREAM, told},
		{"admin_http: '[2001:db8::1]:9180'\nadmin_http_remote: off\n" LISTEN UPSTREAM, told},
		{"admin_http: unix:/run/x.sock\n" LISTEN UPSTREAM,
			"t.yaml:1: admin_http: an IP address and a port, found a unix socket\n"});
	settings_unref(settings_of("admin_http: 0.0.0.0:9180\nadmin_http_remote: on\n" LISTEN UPSTREAM));
	settings_unref(settings_of("admin_http: 127.0.0.1:0\n" LISTEN UPSTREAM));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_syntax),
		cmocka_unit_test(test_nothing_there),
		cmocka_unit_test(test_shapes),
		cmocka_unit_test(test_empty_values),
		cmocka_unit_test(test_unknown_keys),
		cmocka_unit_test(test_duplicates),
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_required_and_unique),
		cmocka_unit_test(test_which_upstream),
		cmocka_unit_test(test_many_upstreams_are_not_all_listed),
		cmocka_unit_test(test_balance),
		cmocka_unit_test(test_routes),
		cmocka_unit_test(test_many_at_once),
		cmocka_unit_test(test_so_many_that_some_are_only_counted),
		cmocka_unit_test(test_aliases_that_multiply),
		cmocka_unit_test(test_an_alias_to_what_holds_it),
		cmocka_unit_test(test_suggestions),
		cmocka_unit_test(test_admin_http),
		cmocka_unit_test(test_quoted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
