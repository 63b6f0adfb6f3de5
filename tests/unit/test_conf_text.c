#include "conf/text.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

static bool ok(enum kind kind, const char *text)
{
	const char *hint = NULL;

	return text_check(kind, slice_of(text), &hint) == 0;
}

/* Lists end with NULL. */
static void expect_all(enum kind kind, const char *const *good, const char *const *bad)
{
	for (; *good; good++) {
		if (!ok(kind, *good))
			fail_msg("kind %d: \"%s\" is refused", kind, *good);
	}
	for (; *bad; bad++) {
		if (ok(kind, *bad))
			fail_msg("kind %d: \"%s\" is taken", kind, *bad);
	}
}

#define ALL(...) ((const char *const[]){__VA_ARGS__, NULL})

static const char thirty_one[] = "abcdefghijklmnopqrstuvwxyz01234",
		  thirty_two[] = "abcdefghijklmnopqrstuvwxyz012345";

static void test_names(void **state)
{
	(void)state;
	expect_all(KIND_INSTANCE, ALL("default", "a", "A.b_c-9", thirty_one),
		ALL("", ".", "..", "-a", "a/b", "a b", "ä", thirty_two));
	expect_all(KIND_NAME, ALL("web", "everything else", "a/b", "<x>", thirty_one),
		ALL("", " a", "a ", "a\"b", "a\\b", "a\tb", "ä", thirty_two));
	expect_all(KIND_TOKEN, ALL("Mcp-Session-Id", "a", "x!#$%&'*+-.^_`|~9"),
		ALL("", "a b", "a:b", "ä", "a\"", "(a)"));
}

static void test_files(void **state)
{
	char path[110];

	(void)state;
	memset(path, 'x', sizeof(path));
	path[0] = '/';
	path[107] = 0;
	expect_all(
		KIND_FILE_PATH, ALL("/run/x.sock", "/x", path), ALL("", "/", "x", "/x/", "/a\nb", "unix:/x"));
	path[107] = 'x';
	path[108] = 0;
	assert_false(ok(KIND_FILE_PATH, path));
	assert_true(ok(KIND_LOG_TARGET, path)); /* no socket: no such limit */
	expect_all(
		KIND_LOG_TARGET, ALL("stderr", "off", "/var/log/a b"), ALL("", "stdout", "log", "/x/", "/"));
}

static void test_addresses(void **state)
{
	(void)state;
	expect_all(KIND_RESOLVER, ALL("127.0.0.1", "127.0.0.1:53", "[::1]:53", "::1"),
		ALL("", "dns.example", "127.0.0.1:", "10.0.0.0/8", "unix:/x", "[::1]"));
	expect_all(KIND_LISTEN, ALL("127.0.0.1:0", "[::]:80", "unix:/x"),
		ALL("", ":80", "localhost:80", "*:80"));
	expect_all(KIND_SERVER,
		ALL("localhost:80", "a.b-c.example:65535", "10.0.0.1:1", "[::1]:80", "unix:/x", "my_app:80"),
		ALL("", "localhost", "localhost:0", "localhost:65536", "http://localhost:80", "a b:80",
			"-a:80", "::1:80", "unix:x", "a..b:80", "1.2.3:80", "1.2.3.4.5:80", "[a]:80",
			"[::1]"));
	expect_all(KIND_CIDR, ALL("10.0.0.0/8", "10.1.2.3", "::1", "2001:db8::/32", "0.0.0.0/0", "::/0"),
		ALL("", "10.0.0.0/33", "10.0.0.0/", "10.0.0.0/-1", "10.1.0.0/8", "::1/64", "a/8", "10.0.0/8",
			"::/129"));
}

static void test_hosts(void **state)
{
	char label[80], name[300] = "";

	(void)state;
	expect_all(KIND_HOST_PATTERN,
		ALL("example.org", "a", "*.example.org", "10.0.0.1", "[::1]", "xn--bcher-kva.example"),
		ALL("", "*", "*.", "example.org:80", "a.*.org", "*example.org", "a b", "bücher.example",
			"a..b", ".a", "a.", "-a", "a-", "256.1.1.1", "::1", "[::1]:80"));
	expect_all(KIND_HOST_FIELD,
		ALL("example.org", "example.org:8080", "10.0.0.1:80", "[::1]", "[::1]:80"),
		ALL("", "*.example.org", "a:", "a:b", "a b", "a\r\nX: y", "http://a"));
	memset(label, 'a', 64);
	label[63] = 0;
	assert_true(ok(KIND_HOST_PATTERN, label));
	label[63] = 'a', label[64] = 0;
	assert_false(ok(KIND_HOST_PATTERN, label));
	for (int i = 0; i < 126; i++)
		strcat(name, "a.");
	strcat(name, "b"); /* 253 bytes */
	assert_true(ok(KIND_HOST_PATTERN, name));
	strcat(name, "b");
	assert_false(ok(KIND_HOST_PATTERN, name));
}

static void test_paths(void **state)
{
	(void)state;
	expect_all(KIND_PATH, ALL("/", "/a/b", "/a%20b", "/~x/(y);z=1,2", "/a:b@c"),
		ALL("", "a", "*", "/a b", "/a?b", "/a#b", "/ä", "/a\r\n", "/a\"b", "/a<b", "http://x/"));
	expect_all(KIND_TARGET, ALL("/health", "/health?deep=1"), ALL("", "health", "/a#b", "/a b"));
}

static void test_fields(void **state)
{
	(void)state;
	expect_all(KIND_FIELD,
		ALL("X-A: b", "X-A:b", "X-A:", "X-A: b: c", "X-A: \tb c\t", "x: \xc3\xa4", "Via: a",
			"Server: s"),
		ALL("", "X-A", ": b", "X A: b", "X-A : b", "X-A: a\r\nX-B: c", "X-A: a\nb", "X-A: \x01",
			"X-A: \x7f", "Host: a", "host: a", "Content-Length: 1", "transfer-encoding: chunked",
			"Connection: close", "Keep-Alive: 1", "Proxy-Connection: x", "TE: trailers",
			"Trailer: x", "Upgrade: websocket", "Expect: 100-continue", "HTTP2-Settings: x"));
	expect_all(KIND_FIELD_NAME, ALL("X-A", "Server", "Cookie"),
		ALL("", "X-A: b", "X A", "Host", "HOST", "Content-Length", "Connection", "te"));
}

static void test_hints(void **state)
{
	const char *hint = NULL;

	(void)state;
	assert_int_equal(text_check(KIND_FIELD_NAME, SLICE("Host"), &hint), -EINVAL);
	assert_non_null(strstr(hint, "upstream's `host`"));
	assert_int_equal(text_check(KIND_CIDR, SLICE("10.0.0.1/8"), &hint), -EINVAL);
	assert_string_equal(hint, "bits are set behind the prefix");
	assert_int_equal(text_check(KIND_SERVER, SLICE("http://a:80"), &hint), -EINVAL);
	assert_string_equal(hint, "leave the scheme out");
}

static void test_field_split(void **state)
{
	struct slice name, value;

	(void)state;
	value_field_split(SLICE("X-A: \t b: c \t"), &name, &value);
	assert_true(slice_eq(name, SLICE("X-A")));
	assert_true(slice_eq(value, SLICE("b: c")));
	value_field_split(SLICE("X-A:"), &name, &value);
	assert_true(slice_eq(name, SLICE("X-A")));
	assert_int_equal(value.n, 0);
}

static void test_every_kind_says_what_is_allowed(void **state)
{
	(void)state;
	for (int kind = KIND_STATUS; kind < KIND_NONE; kind++)
		assert_non_null(text_allowed((enum kind)kind));
}

static void test_cidr_values(void **state)
{
	static const uint8_t ten[16] = {[10] = 0xff, [11] = 0xff, [12] = 10};
	struct cidr c;

	(void)state;
	assert_int_equal(cidr_parse(SLICE("10.0.0.0/8"), &c), 0);
	assert_int_equal(c.bits, 104);
	assert_memory_equal(c.ip, ten, 16);
	assert_int_equal(cidr_parse(SLICE("10.77.3.1/8"), &c), -ERANGE);
	assert_int_equal(c.bits, 104);
	assert_memory_equal(c.ip, ten, 16);
	assert_int_equal(cidr_parse(SLICE("2001:db8::/33"), &c), 0);
	assert_int_equal(c.bits, 33);
	assert_int_equal(cidr_parse(SLICE("::1"), &c), 0);
	assert_int_equal(c.bits, 128);
}

static void test_address_split(void **state)
{
	struct slice host;
	uint16_t port;

	(void)state;
	assert_int_equal(address_split(SLICE("[2001:db8::1]:443"), &host, &port), 0);
	assert_true(slice_eq(host, SLICE("2001:db8::1")));
	assert_int_equal(port, 443);
	assert_int_equal(address_split(SLICE("app:65535"), &host, &port), 0);
	assert_true(slice_eq(host, SLICE("app")));
	assert_int_equal(port, 65535);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_files),
		cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_hosts),
		cmocka_unit_test(test_paths),
		cmocka_unit_test(test_fields),
		cmocka_unit_test(test_hints),
		cmocka_unit_test(test_field_split),
		cmocka_unit_test(test_every_kind_says_what_is_allowed),
		cmocka_unit_test(test_cidr_values),
		cmocka_unit_test(test_address_split),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
