#include "net/addr.h"
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

static struct sockaddr_any addr(const char *text)
{
	struct sockaddr_any a;

	assert_int_equal(addr_parse(text, &a), 0);
	return a;
}

static void test_parse_and_back(void **state)
{
	static const char *const texts[] = {"127.0.0.1:8080", "0.0.0.0:0", "255.255.255.255:65535",
		"[::]:443", "[::1]:1", "[2001:db8::7]:80", "[::ffff:10.0.0.1]:80", "unix:/run/app.sock",
		"unix:/a b"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct sockaddr_any a = addr(texts[i]);
		char out[ADDR_TEXT_MAX];

		assert_string_equal(addr_format(&a, out), texts[i]);
	}
}

static void test_parse_fields(void **state)
{
	struct sockaddr_any a = addr("203.0.113.7:80");

	(void)state;
	assert_int_equal(a.len, sizeof(struct sockaddr_in));
	assert_int_equal(a.in4.sin_family, AF_INET);
	assert_int_equal(ntohs(a.in4.sin_port), 80);
	assert_int_equal(ntohl(a.in4.sin_addr.s_addr), 0xcb007107);
	a = addr("[::1]:65535");
	assert_int_equal(a.len, sizeof(struct sockaddr_in6));
	assert_int_equal(a.in6.sin6_family, AF_INET6);
	assert_int_equal(ntohs(a.in6.sin6_port), 65535);
	a = addr("unix:/run/x");
	assert_int_equal(a.un.sun_family, AF_UNIX);
	assert_string_equal(a.un.sun_path, "/run/x");
	assert_int_equal(a.len, offsetof(struct sockaddr_un, sun_path) + 7);
}

static void test_parse_refuses(void **state)
{
	static const char *const texts[] = {"", "127.0.0.1", "127.0.0.1:", ":80", "*:80", "127.0.0.1:65536",
		"127.0.0.1:-1", "127.0.0.1:+1", "127.0.0.1: 80", " 127.0.0.1:80", "127.0.0.1:80 ",
		"127.0.0.1:8080x", "127.1:80", "127.0.0.256:80", "localhost:80", "::1:80", "[::1]", "[::1]80",
		"[::1]:", "[::1:80", "[127.0.0.1]:80", "[::1%lo]:80", "[]:80", "unix:", "unix:/",
		"unix:run/x", "unix:@x", "/run/x", "[", "127.0.0.1:99999999999999999999"};
	struct sockaddr_any a, before;

	(void)state;
	memset(&a, 0x5a, sizeof(a));
	before = a;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		assert_int_equal(addr_parse(texts[i], &a), -EINVAL);
	assert_memory_equal(&a, &before, sizeof(a));
}

static void test_unix_path_length(void **state)
{
	char text[120] = "unix:/";
	struct sockaddr_any a;
	char out[ADDR_TEXT_MAX];

	(void)state;
	memset(text + 6, 'x', 106); /* the path has 107 bytes, and its NUL still fits */
	assert_int_equal(addr_parse(text, &a), 0);
	assert_int_equal(a.len, sizeof(struct sockaddr_un));
	assert_string_equal(addr_format(&a, out), text);
	strcat(text, "x");
	assert_int_equal(addr_parse(text, &a), -EINVAL);
}

static void test_format_of_other_peers(void **state)
{
	struct sockaddr_any unnamed = {.un.sun_family = AF_UNIX, .len = sizeof(sa_family_t)};
	struct sockaddr_any abstract = {.un = {.sun_family = AF_UNIX, .sun_path = "\0name"},
		.len = offsetof(struct sockaddr_un, sun_path) + 5};
	struct sockaddr_any none = {0}, odd = {.sa.sa_family = AF_APPLETALK, .len = sizeof(struct sockaddr)};
	char out[ADDR_TEXT_MAX];

	(void)state;
	assert_string_equal(addr_format(&unnamed, out), "unix:");
	assert_string_equal(addr_format(&abstract, out), "unix:@name");
	assert_string_equal(addr_format(&none, out), "");
	assert_string_equal(addr_format(&odd, out), "");
	assert_string_equal(addr_format_ip(&unnamed, out), "");
	assert_string_equal(addr_format_ip(&none, out), "");
}

static void test_format_ip(void **state)
{
	static const struct {
		const char *text, *ip;
	} cases[] = {{"10.1.2.3:80", "10.1.2.3"}, {"[2001:db8::1]:80", "2001:db8::1"},
		{"[::ffff:10.1.2.3]:80", "10.1.2.3"}, {"[::1]:1", "::1"}, {"unix:/x", ""}};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct sockaddr_any a = addr(cases[i].text);
		struct sluice_addr record;
		char out[ADDR_TEXT_MAX];

		assert_string_equal(addr_format_ip(&a, out), cases[i].ip);
		addr_to_record(&a, &record);
		assert_string_equal(addr_record_ip(&record, out, sizeof(out)), cases[i].ip);
	}
}

static void test_record_ip_in_too_small_a_place(void **state)
{
	struct sockaddr_any a = addr("255.255.255.255:1");
	struct sluice_addr record;
	char out[8] = "before";

	(void)state;
	addr_to_record(&a, &record);
	assert_string_equal(addr_record_ip(&record, out, sizeof(out)), "");
}

static void test_record(void **state)
{
	static const uint8_t mapped[16] = {[10] = 0xff, [11] = 0xff, [12] = 10, [13] = 1, [14] = 2, [15] = 3},
			     zero[16];
	struct sockaddr_any a = addr("10.1.2.3:80"), none = {0};
	struct sluice_addr record;

	(void)state;
	addr_to_record(&a, &record);
	assert_memory_equal(record.ip, mapped, 16);
	assert_int_equal(record.port, 80);
	assert_int_equal(record.family, AF_INET);
	a = addr("unix:/x");
	addr_to_record(&a, &record);
	assert_memory_equal(record.ip, zero, 16);
	assert_int_equal(record.port, 0);
	assert_int_equal(record.family, AF_UNIX);
	addr_to_record(&none, &record);
	assert_int_equal(record.family, 0);
}

/* IPv4 as ::ffff:a.b.c.d. */
static struct cidr network(uint32_t ip, uint8_t bits)
{
	struct cidr c = {.ip = {[10] = 0xff, [11] = 0xff}, .bits = (uint8_t)(96 + bits)};

	ip = htonl(ip);
	memcpy(c.ip + 12, &ip, 4);
	return c;
}

static bool in(const char *text, struct cidr c)
{
	struct sockaddr_any a = addr(text);

	return addr_in(&a, &c, 1);
}

static void test_in(void **state)
{
	struct cidr everything = {.bits = 0}, one = {.ip = {[15] = 1}, .bits = 128};
	struct sockaddr_any a = addr("10.0.0.1:1");

	(void)state;
	assert_true(in("10.255.0.1:80", network(0x0a000000, 8)));
	assert_true(in("[::ffff:10.255.0.1]:80", network(0x0a000000, 8)));
	assert_false(in("11.0.0.1:80", network(0x0a000000, 8)));
	assert_true(in("10.0.0.127:80", network(0x0a000000, 25)));
	assert_false(in("10.0.0.128:80", network(0x0a000000, 25)));
	assert_true(in("10.0.0.1:80", network(0x0a000001, 32)));
	assert_false(in("10.0.0.2:80", network(0x0a000001, 32)));
	assert_true(in("10.0.0.2:80", network(0, 0)));
	assert_false(in("[2001:db8::1]:80", network(0, 0)));
	assert_true(in("[2001:db8::1]:80", everything));
	assert_true(in("10.0.0.1:80", everything));
	assert_true(in("[::1]:80", one));
	assert_false(in("[::2]:80", one));
	assert_false(in("unix:/x", everything));
	assert_false(addr_in(&a, NULL, 0));
}

static void test_in_looks_at_every_network(void **state)
{
	struct cidr list[] = {network(0x0a000000, 8), network(0xc0a80000, 16)};
	struct sockaddr_any a = addr("192.168.3.4:1"), b = addr("192.169.3.4:1");

	(void)state;
	assert_true(addr_in(&a, list, 2));
	assert_false(addr_in(&a, list, 1));
	assert_false(addr_in(&b, list, 2));
}

static bool equal(const char *x, const char *y)
{
	struct sockaddr_any a = addr(x), b = addr(y);

	assert_int_equal(addr_equal(&a, &b), addr_equal(&b, &a));
	return addr_equal(&a, &b);
}

static void test_equal(void **state)
{
	struct sockaddr_any none = {0}, a = addr("10.0.0.1:1"), u = addr("unix:/x");

	(void)state;
	assert_true(equal("10.0.0.1:1", "10.0.0.1:1"));
	assert_false(equal("10.0.0.1:1", "10.0.0.1:2"));
	assert_false(equal("10.0.0.1:1", "10.0.0.2:1"));
	assert_true(equal("10.0.0.1:1", "[::ffff:10.0.0.1]:1"));
	assert_false(equal("10.0.0.1:1", "[::1]:1"));
	assert_true(equal("unix:/x", "unix:/x"));
	assert_false(equal("unix:/x", "unix:/xy"));
	assert_false(equal("unix:/x", "10.0.0.1:1"));
	assert_true(addr_equal(&none, &none));
	assert_false(addr_equal(&none, &a));
	assert_false(addr_equal(&u, &none));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse_and_back),
		cmocka_unit_test(test_parse_fields),
		cmocka_unit_test(test_parse_refuses),
		cmocka_unit_test(test_unix_path_length),
		cmocka_unit_test(test_format_of_other_peers),
		cmocka_unit_test(test_format_ip),
		cmocka_unit_test(test_record_ip_in_too_small_a_place),
		cmocka_unit_test(test_record),
		cmocka_unit_test(test_in),
		cmocka_unit_test(test_in_looks_at_every_network),
		cmocka_unit_test(test_equal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
