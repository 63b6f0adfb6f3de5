#include "policy/route.h"
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static struct h1_request request(enum h1_method method, const char *host, const char *path)
{
	struct h1_request req;

	memset(&req, 0, sizeof(req));
	req.method = method;
	req.host = slice_of(host);
	req.path = slice_of(path);
	return req;
}

/* Does one route with these conditions match? */
static bool matches(struct route_settings r, const char *host, const char *path)
{
	struct settings s = {.routes = &r, .nroutes = 1};
	struct h1_request req = request(H1_GET, host, path);

	return route_find(&s, &req) == &r;
}

static bool host_matches(char *pattern, const char *host)
{
	return matches((struct route_settings){.host = pattern}, host, "/");
}

static bool path_matches(char *prefix, const char *path)
{
	return matches((struct route_settings){.path = prefix}, "h", path);
}

static void test_no_condition_matches_all(void **state)
{
	(void)state;
	assert_true(matches((struct route_settings){0}, "example.org", "/"));
	assert_true(matches((struct route_settings){0}, "", "*"));
	assert_true(matches((struct route_settings){0}, "[::1]:80", "/a/b"));
}

static void test_no_route(void **state)
{
	struct settings s = {0};
	struct h1_request req = request(H1_GET, "h", "/");

	(void)state;
	assert_null(route_find(&s, &req));
}

static void test_host(void **state)
{
	(void)state;
	assert_true(host_matches("example.org", "example.org"));
	assert_true(host_matches("example.org", "EXAMPLE.Org"));
	assert_true(host_matches("Example.org", "example.org:8080"));
	assert_true(host_matches("example.org", "example.org."));
	assert_true(host_matches("example.org", "example.org.:80"));
	assert_true(host_matches("[::1]", "[::1]:8080"));
	assert_true(host_matches("[::1]", "[::1]"));
	assert_true(host_matches("127.0.0.1", "127.0.0.1:1"));
	assert_false(host_matches("example.org", "a.example.org"));
	assert_false(host_matches("example.org", "example.org.evil"));
	assert_false(host_matches("example.org", "xexample.org"));
	assert_false(host_matches("example.org", ""));
	assert_false(host_matches("example.org", "."));
	assert_false(host_matches("[::1]", "[::2]"));
}

static void test_host_wildcard(void **state)
{
	(void)state;
	assert_true(host_matches("*.example.org", "a.example.org"));
	assert_true(host_matches("*.example.org", "a.b.Example.ORG:443"));
	assert_false(host_matches("*.example.org", "example.org"));
	assert_false(host_matches("*.example.org", ".example.org"));
	assert_false(host_matches("*.example.org", "aexample.org"));
	assert_false(host_matches("*.example.org", "a.example.org.evil"));
}

static void test_path_prefix(void **state)
{
	(void)state;
	assert_true(path_matches("/a", "/a"));
	assert_true(path_matches("/a", "/a/"));
	assert_true(path_matches("/a", "/a/b"));
	assert_false(path_matches("/a", "/ab"));
	assert_false(path_matches("/a", "/"));
	assert_false(path_matches("/a", "/A"));
	assert_false(path_matches("/a/", "/a"));
	assert_true(path_matches("/a/", "/a/"));
	assert_true(path_matches("/a/", "/a/b"));
	assert_true(path_matches("/", "/anything"));
	assert_false(path_matches("/a", "/%61"));
	assert_false(path_matches("/a", "*"));
}

static void test_path_of_absolute_form(void **state)
{
	(void)state;
	assert_true(path_matches("/", ""));
	assert_false(path_matches("/a", ""));
}

static void test_path_exact(void **state)
{
	struct route_settings r = {.path = "/a", .path_exact = true};

	(void)state;
	assert_true(matches(r, "h", "/a"));
	assert_false(matches(r, "h", "/a/"));
	assert_false(matches(r, "h", "/a/b"));
	assert_false(matches(r, "h", "/ab"));
}

static void test_methods(void **state)
{
	struct route_settings r = {.methods = 1u << H1_GET | 1u << H1_POST};
	struct settings s = {.routes = &r, .nroutes = 1};
	static const struct {
		enum h1_method method;
		bool ok;
	} cases[] = {{H1_GET, true}, {H1_POST, true}, {H1_HEAD, false}, {H1_METHOD_OTHER, false},
		{H1_CONNECT, false}};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct h1_request req = request(cases[i].method, "h", "/");

		assert_int_equal(route_find(&s, &req) == &r, cases[i].ok);
	}
}

static void test_first_match_wins(void **state)
{
	struct route_settings list[] = {
		{.host = "a", .path = "/x"}, {.path = "/x"}, {.host = "a"}, {.path = "/x/y"}};
	struct settings s = {.routes = list, .nroutes = ARRAY_LEN(list)};
	struct h1_request both = request(H1_GET, "a", "/x"), path = request(H1_GET, "b", "/x/y"),
			  host = request(H1_GET, "a", "/"), none = request(H1_GET, "b", "/");

	(void)state;
	assert_ptr_equal(route_find(&s, &both), &list[0]);
	assert_ptr_equal(route_find(&s, &path), &list[1]);
	assert_ptr_equal(route_find(&s, &host), &list[2]);
	assert_null(route_find(&s, &none));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_no_condition_matches_all),
		cmocka_unit_test(test_no_route),
		cmocka_unit_test(test_host),
		cmocka_unit_test(test_host_wildcard),
		cmocka_unit_test(test_path_prefix),
		cmocka_unit_test(test_path_of_absolute_form),
		cmocka_unit_test(test_path_exact),
		cmocka_unit_test(test_methods),
		cmocka_unit_test(test_first_match_wins),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
