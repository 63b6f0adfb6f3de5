#include "conf/settings.h"
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static struct settings *settings_with(struct proxy_options o)
{
	struct settings *s = NULL;
	struct buf errors = {0};
	int err = settings_from_options(&o, &s, &errors);

	if (err)
		fail_msg("%d: %.*s", err, (int)errors.len, errors.data);
	assert_int_equal(errors.len, 0);
	buf_reset(&errors);
	return s;
}

static void expect_error(struct proxy_options o, const char *told)
{
	struct settings *s = NULL;
	struct buf errors = {0};

	assert_int_equal(settings_from_options(&o, &s, &errors), -EINVAL);
	assert_null(s);
	if (!slice_eq(buf_slice(&errors), slice_of(told)))
		fail_msg("told:\n%.*sand not:\n%s", (int)errors.len, errors.data, told);
	buf_reset(&errors);
}

static void test_defaults(void **state)
{
	struct settings *s = settings_with(
		(struct proxy_options){.listen = "127.0.0.1:8080", .to = "http://127.0.0.1:4000"});

	(void)state;
	assert_int_equal(s->nlisteners, 1);
	assert_string_equal(s->listeners[0].listen, "127.0.0.1:8080");
	assert_string_equal(s->instance, "default");
	assert_null(s->admin);
	assert_null(s->access_log);
	assert_int_equal(s->log_level, LOG_LEVEL_INFO);
	assert_true(s->workers >= 1);
	assert_int_equal(s->nupstreams, 1);
	assert_int_equal(s->upstreams[0].nservers, 1);
	assert_null(s->upstreams[0].path_prefix);
	assert_int_equal(s->nroutes, 1);
	assert_null(s->routes[0].host);
	assert_null(s->routes[0].path);
	assert_int_equal(s->routes[0].upstream, 0);
	assert_int_equal(s->routes[0].lane, LANE_AUTO);
	assert_int_equal(s->routes[0].heartbeat_ms, 15000);
	settings_unref(s);
}

static void test_all(void **state)
{
	struct settings *s = settings_with((struct proxy_options){.listen = "[::1]:0",
		.to = "http://localhost:4000/api",
		.instance = "two",
		.admin = "/run/a.sock",
		.lane = "copy",
		.workers = "3",
		.heartbeat = "20",
		.access_log = "stderr",
		.log_level = "debug"});

	(void)state;
	assert_int_equal(s->listeners[0].addr.sa.sa_family, AF_INET6);
	assert_string_equal(s->instance, "two");
	assert_string_equal(s->admin, "/run/a.sock");
	assert_int_equal(s->lane, LANE_COPY);
	assert_int_equal(s->routes[0].lane, LANE_COPY);
	assert_int_equal(s->workers, 3);
	assert_int_equal(s->routes[0].heartbeat_ms, 20000);
	assert_string_equal(s->access_log, "stderr");
	assert_int_equal(s->log_level, LOG_LEVEL_DEBUG);
	settings_unref(s);
}

static void test_targets(void **state)
{
	static const struct {
		const char *to, *host;
		uint16_t port;
		const char *prefix;
	} cases[] = {{"http://localhost:4000", "localhost", 4000, NULL},
		{"http://localhost", "localhost", 80, NULL}, {"HTTP://localhost/", "localhost", 80, NULL},
		{"http://10.0.0.1:1/a/b/", "10.0.0.1", 1, "/a/b"}, {"http://[::1]", "::1", 80, NULL},
		{"https://localhost", "localhost", 443, NULL}, {"HTTPS://a:8443/x", "a", 8443, "/x"},
		{"http://[2001:db8::1]:8080/x", "2001:db8::1", 8080, "/x"}};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct settings *s =
			settings_with((struct proxy_options){.listen = "127.0.0.1:0", .to = cases[i].to});
		const struct upstream_settings *u = &s->upstreams[0];

		assert_string_equal(u->servers[0].host, cases[i].host);
		assert_int_equal(u->servers[0].port, cases[i].port);
		if (cases[i].prefix)
			assert_string_equal(u->path_prefix, cases[i].prefix);
		else
			assert_null(u->path_prefix);
		settings_unref(s);
	}
}

#define TO "--to: http:// or https://HOST[:PORT][/PREFIX], found "

static void test_bad_targets(void **state)
{
	static const struct {
		const char *to, *told;
	} cases[] = {{NULL, TO "no such flag\n"}, {"", TO "\"\" (no http:// or https://)\n"},
		{"localhost:80", TO "\"localhost:80\" (no http:// or https://)\n"},
		{"https://", TO "\"https://\" (no host)\n"}, {"http://", TO "\"http://\" (no host)\n"},
		{"http:///a", TO "\"http:///a\" (no host)\n"},
		{"http://u:p@a", TO "\"http://u:p@a\" (no user may be named)\n"},
		{"http://a?x", TO "\"http://a?x\" (no query and no fragment may follow)\n"},
		{"http://a/#x", TO "\"http://a/#x\" (no query and no fragment may follow)\n"},
		{"http://a:b", TO "\"a:b\" (no host or port)\n"},
		{"http://a:0", TO "\"a:0\" (no host or port)\n"},
		{"http://unix:/x", TO "\"unix:\" (no host or port)\n"},
		{"http://a b", TO "\"a b\" (no host or port)\n"},
		{"http://[::1", TO "\"[::1\" (no host or port)\n"},
		{"http://a/b c", TO "\"/b c\" (no path)\n"}};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		expect_error(
			(struct proxy_options){.listen = "127.0.0.1:0", .to = cases[i].to}, cases[i].told);
}

static void test_heartbeats(void **state)
{
	static const struct {
		const char *text;
		uint64_t ms;
	} cases[] = {{"0", 0}, {"off", 0}, {"1", 1000}, {"500ms", 500}, {"2m", 120000}};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct settings *s = settings_with((struct proxy_options){
			.listen = "127.0.0.1:0", .to = "http://a", .heartbeat = cases[i].text});

		assert_int_equal(s->routes[0].heartbeat_ms, cases[i].ms);
		settings_unref(s);
	}
}

static void test_both_are_required(void **state)
{
	(void)state;
	expect_error((struct proxy_options){0},
		TO "no such flag\n"
		   "--listen: IP:PORT (127.0.0.1:8080, \"[::]:8080\") or unix:/path, found \"\"\n");
}

static void test_every_flag_is_named(void **state)
{
	(void)state;
	expect_error((struct proxy_options){.listen = "localhost",
			     .to = "ftp://a",
			     .instance = "a/b",
			     .admin = "x",
			     .lane = "fast",
			     .workers = "0x2",
			     .heartbeat = "soon",
			     .access_log = "here",
			     .log_level = "loud"},
		TO "\"ftp://a\" (no http:// or https://)\n"
		   "--listen: IP:PORT (127.0.0.1:8080, \"[::]:8080\") or unix:/path, found \"localhost\"\n"
		   "--instance: 1 to 31 letters, digits, '.', '_' and '-', not with '.' or '-' first, found "
		   "\"a/b\"\n"
		   "--admin: an absolute path of at most 107 bytes, found \"x\"\n"
		   "--lane: auto, copy or splice, found \"fast\"\n"
		   "--workers: a number from 1 to 1024, or auto, found \"0x2\"\n"
		   "--heartbeat: a duration such as 500ms, 15s, 5m or 1h, from 1ms to 1d, or off, found "
		   "\"soon\"\n"
		   "--access-log: an absolute path, stderr or off, found \"here\"\n"
		   "--log-level: error, warn, info or debug, found \"loud\"\n");
}

static void test_admin_http_is_on_loopback(void **state)
{
	struct proxy_options o = {
		.listen = "127.0.0.1:8080", .to = "http://127.0.0.1:4000", .admin_http = "[::1]:9180"};
	struct settings *s = settings_with(o);

	(void)state;
	assert_string_equal(s->status, "[::1]:9180");
	assert_false(s->status_remote);
	settings_unref(s);
	o.admin_http = "0.0.0.0:9180";
	expect_error(
		o, "--admin-http: a loopback address and a port (127.0.0.1:9180), found \"0.0.0.0:9180\"\n");
	o.admin_http = "9180";
	expect_error(o, "--admin-http: a loopback address and a port (127.0.0.1:9180), found \"9180\"\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_admin_http_is_on_loopback),
		cmocka_unit_test(test_all),
		cmocka_unit_test(test_targets),
		cmocka_unit_test(test_bad_targets),
		cmocka_unit_test(test_heartbeats),
		cmocka_unit_test(test_both_are_required),
		cmocka_unit_test(test_every_flag_is_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
