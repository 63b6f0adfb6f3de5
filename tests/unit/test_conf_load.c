#include "conf/build.h"
#include <arpa/inet.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <cmocka.h>
#include "conf_text.h"

static void test_defaults(void **state)
{
	struct settings *s = settings_of(LISTEN UPSTREAM);
	const struct listener_settings *l = &s->listeners[0];
	const struct upstream_settings *u = &s->upstreams[0];
	const struct route_settings *r = &s->routes[0];

	(void)state;
	assert_string_equal(s->instance, "default");
	assert_null(s->admin);
	assert_int_equal(s->workers, build_cpu_count());
	assert_int_equal(s->max_streams, 65536);
	assert_int_equal(s->lane, LANE_AUTO);
	assert_string_equal(s->user, "nobody");
	assert_null(s->resolver);
	assert_int_equal(s->client_head_ms, 10000);
	assert_int_equal(s->client_keepalive_ms, 75000);
	assert_int_equal(s->user_timeout_ms, 60000);
	assert_int_equal(s->tcp_keepalive_ms, 15000);
	assert_int_equal(s->notsent_lowat, 16384);
	assert_int_equal(s->drain_ms, 10000);
	assert_int_equal(s->log_level, LOG_LEVEL_INFO);
	assert_null(s->access_log);
	assert_int_equal(s->ntrusted, 0);

	assert_int_equal(s->nlisteners, 1);
	assert_string_equal(l->listen, "127.0.0.1:8080");
	assert_int_equal(l->addr.sa.sa_family, AF_INET);
	assert_int_equal(ntohs(l->addr.in4.sin_port), 8080);
	assert_int_equal(l->proxy_protocol, PROXY_OFF);
	assert_int_equal(l->backlog, 4096);
	assert_int_equal(l->unix_mode, 0660);

	assert_int_equal(s->nupstreams, 1);
	assert_string_equal(u->name, "web");
	assert_int_equal(u->nservers, 1);
	assert_string_equal(u->servers[0].address, "127.0.0.1:4000");
	assert_string_equal(u->servers[0].host, "127.0.0.1");
	assert_int_equal(u->servers[0].port, 4000);
	assert_int_equal(u->servers[0].unix_addr.len, 0);
	assert_int_equal(u->servers[0].weight, 1);
	assert_int_equal(u->servers[0].max_connections, 0);
	assert_int_equal(u->balance, BALANCE_LEAST_CONN);
	assert_null(u->balance_header);
	assert_null(u->balance_cookie);
	assert_false(u->health.on);
	assert_int_equal(u->keepalive, 32);
	assert_int_equal(u->keepalive_ms, 60000);
	assert_null(u->host);
	assert_null(u->path_prefix);

	assert_int_equal(s->nroutes, 1);
	assert_string_equal(r->name, "route 1");
	assert_null(r->host);
	assert_null(r->path);
	assert_false(r->path_exact);
	assert_int_equal(r->methods, 0);
	assert_int_equal(r->upstream, 0);
	assert_int_equal(r->stream, STREAM_AUTO);
	assert_int_equal(r->lane, LANE_AUTO);
	assert_int_equal(r->heartbeat_ms, 15000);
	assert_int_equal(r->timeouts.connect_ms, 5000);
	assert_int_equal(r->timeouts.head_ms, 60000);
	assert_int_equal(r->timeouts.idle_ms, 3600000);
	assert_int_equal(r->timeouts.body_idle_ms, 60000);
	assert_int_equal(r->timeouts.request_body_ms, 30000);
	assert_int_equal(r->timeouts.stall_ms, 60000);
	assert_int_equal(r->timeouts.max_age_ms, 0);
	assert_int_equal(r->slow, SLOW_BLOCK);
	assert_int_equal(r->slow_bytes, 256 << 10);
	assert_int_equal(r->slow_ms, 10000);
	assert_int_equal(r->sndbuf, 16384);
	assert_int_equal(r->sndbuf_max, 256 << 10);
	assert_int_equal(r->max_body, 64 << 20);
	assert_int_equal(r->max_streams, 0);
	assert_false(r->upgrade);
	assert_false(r->splice_downloads);
	assert_true(r->drop_accept_encoding);
	assert_int_equal(r->request_edits.n, 0);
	assert_int_equal(r->response_edits.n, 0);
	assert_int_equal(r->error_mode, ERROR_503);
	assert_int_equal(r->retry_ms, 3000);
	settings_unref(s);
}

/* Every key of the top away from its default. */
static void test_top(void **state)
{
	struct settings *s = settings_of(LISTEN UPSTREAM
		"instance: two\nworkers: 3\nmax_streams: 100\nlane: copy\nuser: root\nadmin: "
		"/run/a.sock\nresolver: 127.0.0.1:53\n"
		"drain: 0\nlog: {level: debug, access: /tmp/x}\ntrusted_proxies: [10.0.0.0/8, \"::1\"]\n"
		"client: {head_timeout: 1s, keepalive: 2s, user_timeout: off, tcp_keepalive: 4s, "
		"notsent_lowat: 5KiB}\n");

	(void)state;
	assert_string_equal(s->instance, "two");
	assert_int_equal(s->workers, 3);
	assert_int_equal(s->max_streams, 100);
	assert_int_equal(s->lane, LANE_COPY);
	assert_string_equal(s->user, "root");
	assert_string_equal(s->admin, "/run/a.sock");
	assert_string_equal(s->resolver, "127.0.0.1:53");
	assert_int_equal(s->drain_ms, 0);
	assert_int_equal(s->log_level, LOG_LEVEL_DEBUG);
	assert_string_equal(s->access_log, "/tmp/x");
	assert_int_equal(s->client_head_ms, 1000);
	assert_int_equal(s->client_keepalive_ms, 2000);
	assert_int_equal(s->user_timeout_ms, 0);
	assert_int_equal(s->tcp_keepalive_ms, 4000);
	assert_int_equal(s->notsent_lowat, 5120);
	assert_int_equal(s->ntrusted, 2);
	assert_int_equal(s->trusted[0].bits, 104);
	assert_int_equal(s->trusted[1].bits, 128);
	assert_int_equal(s->trusted[1].ip[15], 1);
	assert_int_equal(s->routes[0].lane, LANE_COPY); /* from the top */
	settings_unref(s);
}

static void test_listeners(void **state)
{
	struct settings *s = settings_of(UPSTREAM "listeners:\n"
						  "- 127.0.0.1:0\n"
						  "- {listen: \"[::1]:80\", proxy_protocol: on, backlog: 7}\n"
						  "- {listen: unix:/run/x.sock, mode: 0600}\n");

	(void)state;
	assert_int_equal(s->nlisteners, 3);
	assert_int_equal(s->listeners[0].addr.in4.sin_port, 0);
	assert_int_equal(s->listeners[1].addr.sa.sa_family, AF_INET6);
	assert_int_equal(s->listeners[1].proxy_protocol, PROXY_REQUIRED);
	assert_int_equal(s->listeners[1].backlog, 7);
	assert_int_equal(s->listeners[2].addr.sa.sa_family, AF_UNIX);
	assert_string_equal(s->listeners[2].addr.un.sun_path, "/run/x.sock");
	assert_int_equal(s->listeners[2].unix_mode, 0600);
	settings_unref(s);
}

static void test_upstreams(void **state)
{
	struct settings *s = settings_of(LISTEN
		"upstreams:\n"
		"- name: a\n"
		"  servers:\n"
		"  - app.internal:80\n"
		"  - {address: \"[::1]:81\", weight: 256, max_connections: 9}\n"
		"  - unix:/run/app.sock\n"
		"  balance: hash\n"
		"  cookie: room\n"
		"  keepalive: off\n"
		"  keepalive_timeout: 1s\n"
		"  host: internal:80\n"
		"  path_prefix: /v2//\n"
		"  health: {path: \"/h?deep\", host: h, interval: 3s, timeout: 1s, fall: 1, rise: 4, status: "
		"204}\n"
		"- {name: b, servers: \"127.0.0.1:1\", balance: sticky, header: Mcp-Session-Id, path_prefix: "
		"/, health: {}}\n"
		"- {name: c, servers: \"127.0.0.1:1\", balance: round-robin, health: {interval: 500ms}}\n"
		"routes: [{upstream: b}]\n");
	const struct upstream_settings *a = &s->upstreams[0], *b = &s->upstreams[1], *c = &s->upstreams[2];

	(void)state;
	assert_int_equal(a->nservers, 3);
	assert_string_equal(a->servers[0].host, "app.internal");
	assert_int_equal(a->servers[0].port, 80);
	assert_string_equal(a->servers[1].host, "::1");
	assert_int_equal(a->servers[1].port, 81);
	assert_int_equal(a->servers[1].weight, 256);
	assert_int_equal(a->servers[1].max_connections, 9);
	assert_null(a->servers[2].host);
	assert_string_equal(a->servers[2].unix_addr.un.sun_path, "/run/app.sock");
	assert_int_equal(a->balance, BALANCE_HASH);
	assert_string_equal(a->balance_cookie, "room");
	assert_int_equal(a->keepalive, 0);
	assert_int_equal(a->keepalive_ms, 1000);
	assert_string_equal(a->host, "internal:80");
	assert_string_equal(a->path_prefix, "/v2");
	assert_true(a->health.on);
	assert_string_equal(a->health.path, "/h?deep");
	assert_string_equal(a->health.host, "h");
	assert_int_equal(a->health.interval_ms, 3000);
	assert_int_equal(a->health.timeout_ms, 1000);
	assert_int_equal(a->health.fall, 1);
	assert_int_equal(a->health.rise, 4);
	assert_int_equal(a->health.status_min, 204);
	assert_int_equal(a->health.status_max, 204);

	assert_int_equal(b->balance, BALANCE_STICKY);
	assert_string_equal(b->balance_header, "Mcp-Session-Id");
	assert_null(b->path_prefix);
	assert_true(b->health.on);
	assert_string_equal(b->health.path, "/healthz");
	assert_null(b->health.host);
	assert_int_equal(b->health.interval_ms, 5000);
	assert_int_equal(b->health.timeout_ms, 2000);
	assert_int_equal(b->health.fall, 3);
	assert_int_equal(b->health.rise, 2);
	assert_int_equal(b->health.status_min, 200);
	assert_int_equal(b->health.status_max, 399);
	assert_int_equal(s->routes[0].upstream, 1);

	assert_int_equal(c->balance, BALANCE_ROUND_ROBIN);
	assert_int_equal(c->health.timeout_ms, 500); /* no longer than the interval */
	settings_unref(s);
}

static void expect_edit(const struct h1_edit *e, enum h1_edit_op op, const char *name, const char *value)
{
	assert_int_equal(e->op, op);
	assert_true(slice_eq(e->name, slice_of(name)));
	assert_true(slice_eq(e->value, slice_of(value)));
}

static void test_routes(void **state)
{
	struct settings *s = settings_of(
		LISTEN UPSTREAM "lane: splice\n"
				"routes:\n"
				"- name: all of it\n"
				"  host: \"*.example.org\"\n"
				"  path: /a\n"
				"  exact: yes\n"
				"  methods: [GET, POST]\n"
				"  upstream: web\n"
				"  stream: on\n"
				"  lane: copy\n"
				"  heartbeat: off\n"
				"  timeouts: {connect: 1s, head: 2s, idle: off, body_idle: 4s, request_body: "
				"5s, stall: 0, max_age: 1d}\n"
				"  slow: {policy: close, bytes: 1, time: off}\n"
				"  sndbuf: auto\n"
				"  sndbuf_max: 1MiB\n"
				"  max_body: unlimited\n"
				"  max_streams: 5\n"
				"  upgrade: true\n"
				"  splice_downloads: on\n"
				"  accept_encoding: pass\n"
				"  errors: retry\n"
				"  retry: 1ms\n"
				"  request_headers: [{set: \"X-A: 1: 2\"}, {add: \"X-B:\"}, {remove: X-C}]\n"
				"  response_headers: [{remove: Server}]\n"
				"- path: /b\n"
				"- methods: HEAD\n");
	const struct route_settings *r = &s->routes[0];

	(void)state;
	assert_int_equal(s->nroutes, 3);
	assert_string_equal(r->name, "all of it");
	assert_string_equal(r->host, "*.example.org");
	assert_string_equal(r->path, "/a");
	assert_true(r->path_exact);
	assert_int_equal(r->methods, 1u << H1_GET | 1u << H1_POST);
	assert_int_equal(r->stream, STREAM_ON);
	assert_int_equal(r->lane, LANE_COPY);
	assert_int_equal(r->heartbeat_ms, 0);
	assert_int_equal(r->timeouts.connect_ms, 1000);
	assert_int_equal(r->timeouts.head_ms, 2000);
	assert_int_equal(r->timeouts.idle_ms, 0);
	assert_int_equal(r->timeouts.body_idle_ms, 4000);
	assert_int_equal(r->timeouts.request_body_ms, 5000);
	assert_int_equal(r->timeouts.stall_ms, 0);
	assert_int_equal(r->timeouts.max_age_ms, 86400000);
	assert_int_equal(r->slow, SLOW_CLOSE);
	assert_int_equal(r->slow_bytes, 1);
	assert_int_equal(r->slow_ms, 0);
	assert_int_equal(r->sndbuf, 0);
	assert_int_equal(r->sndbuf_max, 1 << 20);
	assert_int_equal(r->max_body, 0);
	assert_int_equal(r->max_streams, 5);
	assert_true(r->upgrade);
	assert_true(r->splice_downloads);
	assert_false(r->drop_accept_encoding);
	assert_int_equal(r->error_mode, ERROR_RETRY);
	assert_int_equal(r->retry_ms, 1);
	assert_int_equal(r->request_edits.n, 3);
	expect_edit(&r->request_edits.list[0], H1_EDIT_SET, "X-A", "1: 2");
	expect_edit(&r->request_edits.list[1], H1_EDIT_ADD, "X-B", "");
	expect_edit(&r->request_edits.list[2], H1_EDIT_REMOVE, "X-C", "");
	assert_int_equal(r->response_edits.n, 1);
	expect_edit(&r->response_edits.list[0], H1_EDIT_REMOVE, "Server", "");
	assert_string_equal(s->routes[1].name, "route 2");
	assert_int_equal(s->routes[1].lane, LANE_SPLICE);
	assert_int_equal(s->routes[2].methods, 1u << H1_HEAD);
	settings_unref(s);
}

static void test_anchors(void **state)
{
	struct settings *s = settings_of(LISTEN UPSTREAM "routes:\n"
							 "- {path: /a, timeouts: &t {idle: 7s}}\n"
							 "- {path: /b, timeouts: *t}\n");

	(void)state;
	assert_int_equal(s->routes[0].timeouts.idle_ms, 7000);
	assert_int_equal(s->routes[1].timeouts.idle_ms, 7000);
	settings_unref(s);
}

/* Scalars that other readers of YAML take for something else. */
static void test_texts_stay_texts(void **state)
{
	struct settings *s = settings_of(LISTEN "upstreams:\n"
						"- {name: 007, servers: \"127.0.0.1:1\"}\n"
						"- {name: \"null\", servers: \"127.0.0.1:1\"}\n"
						"- {name: 'it''s: # @ & *', servers: \"127.0.0.1:1\"}\n"
						"- {name: !!int 12, servers: \"127.0.0.1:1\"}\n"
						"- name: >-\n    folded\n    text\n  servers: 127.0.0.1:1\n"
						"routes: [{upstream: 007}]\n");

	(void)state;
	assert_string_equal(s->upstreams[0].name, "007");
	assert_string_equal(s->upstreams[1].name, "null");
	assert_string_equal(s->upstreams[2].name, "it's: # @ & *");
	assert_string_equal(s->upstreams[3].name, "12");
	assert_string_equal(s->upstreams[4].name, "folded text");
	settings_unref(s);
}

static void test_header_bytes_survive(void **state)
{
	struct settings *s = settings_of(LISTEN UPSTREAM
		"routes: [{request_headers: [{set: \"X: ä\\t☃ \\\"q\\\" \\\\ \\U0001F600 end\"}]}]\n");

	(void)state;
	expect_edit(
		&s->routes[0].request_edits.list[0], H1_EDIT_SET, "X", "ä\t☃ \"q\" \\ \xf0\x9f\x98\x80 end");
	settings_unref(s);
}

static void test_long_value_survives(void **state)
{
	char text[4000], value[3000];
	struct settings *s;

	(void)state;
	for (size_t i = 0; i < sizeof(value) - 1; i++)
		value[i] = i % 7 ? 'x' : ' ';
	value[0] = value[sizeof(value) - 2] = 'x';
	value[sizeof(value) - 1] = 0;
	snprintf(text, sizeof(text), LISTEN UPSTREAM "routes: [{response_headers: [{set: \"X: %s\"}]}]\n",
		value);
	s = settings_of(text);
	expect_edit(&s->routes[0].response_edits.list[0], H1_EDIT_SET, "X", value);
	settings_unref(s);
}

static void test_crlf_bom_and_utf16(void **state)
{
	static const char ascii[] =
		"listeners: 127.0.0.1:8080\nupstreams: [{name: web, servers: \"127.0.0.1:4000\"}]\n";
	char wide[2 * sizeof(ascii)] = "\xff\xfe";
	struct settings *s = settings_of(
		"\xef\xbb\xbf" LISTEN "upstreams:\r\n- name: web\r\n  servers: 127.0.0.1:4000\r\n");
	struct buf errors = {0};

	(void)state;
	assert_string_equal(s->upstreams[0].name, "web");
	settings_unref(s);
	for (size_t i = 0; i < sizeof(ascii) - 1; i++)
		wide[2 + 2 * i] = ascii[i];
	assert_int_equal(settings_parse("t.yaml", (struct slice){wide, 2 * sizeof(ascii)}, &s, &errors), 0);
	assert_string_equal(s->upstreams[0].name, "web");
	settings_unref(s);
	buf_reset(&errors);
}

static void test_workers_follow_the_cpus(void **state)
{
	cpu_set_t all, one;
	struct settings *s;

	(void)state;
	assert_int_equal(sched_getaffinity(0, sizeof(all), &all), 0);
	CPU_ZERO(&one);
	for (int cpu = 0; !CPU_COUNT(&one); cpu++) {
		if (CPU_ISSET(cpu, &all))
			CPU_SET(cpu, &one);
	}
	assert_int_equal(sched_setaffinity(0, sizeof(one), &one), 0);
	s = settings_of(LISTEN UPSTREAM "workers: auto\n");
	assert_int_equal(sched_setaffinity(0, sizeof(all), &all), 0);
	assert_int_equal(s->workers, 1);
	settings_unref(s);
}

static void test_refs(void **state)
{
	struct settings *s = settings_of(LISTEN UPSTREAM);

	(void)state;
	assert_int_equal(s->refs, 1);
	assert_ptr_equal(settings_ref(s), s);
	assert_int_equal(s->refs, 2);
	settings_unref(s);
	assert_string_equal(s->instance, "default");
	settings_unref(s);
	settings_unref(NULL);
}

/* -- files -- */

static void write_file(const char *path, const char *text, size_t n)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, n), n);
	close(fd);
}

static void expect_load(const char *path, int err, const char *told)
{
	struct settings *s = NULL;
	struct buf errors = {0};

	assert_int_equal(settings_load(path, &s, &errors), err);
	assert_int_equal(errors.len, strlen(told));
	if (errors.len)
		assert_memory_equal(errors.data, told, errors.len);
	assert_int_equal(s != NULL, err == 0);
	settings_unref(s);
	buf_reset(&errors);
}

static void test_files(void **state)
{
	char dir[] = "/tmp/test_conf.XXXXXX", path[64], told[300];
	_cleanup_free_ char *large = malloc((1 << 20) + 1);

	(void)state;
	assert_non_null(large);
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/a", dir);
	snprintf(told, sizeof(told), "%s: cannot be read: No such file or directory\n", path);
	expect_load(path, -ENOENT, told);
	snprintf(told, sizeof(told), "%s: cannot be read: Is a directory\n", dir);
	expect_load(dir, -EISDIR, told);
	write_file(path, LISTEN UPSTREAM, strlen(LISTEN UPSTREAM));
	expect_load(path, 0, "");
	write_file(path, LISTEN UPSTREAM "x: 1\n", strlen(LISTEN UPSTREAM "x: 1\n"));
	snprintf(told, sizeof(told),
		"%s:3: x: no such key, allowed are instance, workers, max_streams, lane, user, admin, "
		"admin_http, admin_http_remote, resolver, drain, log, "
		"client, tls, trusted_proxies, http2, listeners, upstreams, routes\n",
		path);
	expect_load(path, -EINVAL, told);
	memset(large, '\n', (1 << 20) + 1);
	memcpy(large, LISTEN UPSTREAM, strlen(LISTEN UPSTREAM));
	write_file(path, large, 1 << 20);
	expect_load(path, 0, "");
	write_file(path, large, (1 << 20) + 1);
	snprintf(told, sizeof(told), "%s:%zu: YAML: at most 1048576 bytes, found 1048577\n", path,
		(1 << 20) - strlen(LISTEN UPSTREAM) + 3); /* where the first byte too many stands */
	expect_load(path, -EINVAL, told);
	unlink(path);
	rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_top),
		cmocka_unit_test(test_listeners),
		cmocka_unit_test(test_upstreams),
		cmocka_unit_test(test_routes),
		cmocka_unit_test(test_anchors),
		cmocka_unit_test(test_texts_stay_texts),
		cmocka_unit_test(test_header_bytes_survive),
		cmocka_unit_test(test_long_value_survives),
		cmocka_unit_test(test_crlf_bom_and_utf16),
		cmocka_unit_test(test_workers_follow_the_cpus),
		cmocka_unit_test(test_refs),
		cmocka_unit_test(test_files),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
