#include "proto/proxy_header.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

#define SIGNATURE "\r\n\r\n\0\r\nQUIT\n"

/* Feeds one byte more at a time from memory of exactly that size: 0 until the answer, then `expected`. */
static void expect_result(const void *bytes, size_t n, int expected, struct proxy_header *ret)
{
	for (size_t len = 0; len <= n; len++) {
		char *copy = malloc(len + 1);
		int got;

		assert_non_null(copy);
		memcpy(copy, bytes, len);
		got = proxy_header_parse(copy + (len == 0), len, ret);
		free(copy);
		if (got) {
			if (got != expected)
				fail_msg("%d after %zu bytes of %.*s", got, len, (int)n, (const char *)bytes);
			assert_true(got < 0 || (size_t)got == len);
			return;
		}
	}
	assert_int_equal(expected, 0);
}

static void expect_address(const struct sockaddr_storage *ss, const char *ip, int port)
{
	const struct sockaddr_in *v4 = (const void *)ss;
	const struct sockaddr_in6 *v6 = (const void *)ss;
	bool is_v4 = ss->ss_family == AF_INET;
	char text[INET6_ADDRSTRLEN];

	assert_non_null(inet_ntop(
		ss->ss_family, is_v4 ? (const void *)&v4->sin_addr : &v6->sin6_addr, text, sizeof(text)));
	assert_string_equal(text, ip);
	assert_int_equal(ntohs(is_v4 ? v4->sin_port : v6->sin6_port), port);
}

static void test_v1(void **state)
{
	static const struct {
		const char *line, *source, *destination;
		int ports[2];
	} rows[] = {
		{"PROXY TCP4 192.0.2.1 192.0.2.2 1 65535\r\n", "192.0.2.1", "192.0.2.2", {1, 65535}},
		{"PROXY TCP6 2001:db8::1 ::ffff:192.0.2.1 0 443\r\n", "2001:db8::1", "::ffff:192.0.2.1",
			{0, 443}},
		{"PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
		 "65535 65535\r\n",
			"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
			{65535, 65535}},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct proxy_header h = {.local = true};

		expect_result(rows[i].line, strlen(rows[i].line), (int)strlen(rows[i].line), &h);
		assert_false(h.local);
		expect_address(&h.source, rows[i].source, rows[i].ports[0]);
		expect_address(&h.destination, rows[i].destination, rows[i].ports[1]);
	}
}

static void test_v1_unknown(void **state)
{
	static const char *const lines[] = {
		"PROXY UNKNOWN\r\n",
		"PROXY UNKNOWN ffff::1 whatever 1 2\r\n",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
		struct proxy_header h = {0};

		expect_result(lines[i], strlen(lines[i]), (int)strlen(lines[i]), &h);
		assert_true(h.local);
	}
}

static void test_v1_bad(void **state)
{
	static const char *const lines[] = {
		"GET / HTTP/1.1\r\n",
		"PROXZ",
		"PROXY\r\n",
		"PROXY \r\n",
		"PROXY TCP4\r\n",
		"PROXY TCP4 192.0.2.1 192.0.2.2 1\r\n",
		"PROXY TCP4 192.0.2.1 192.0.2.2 1 2 3\r\n",
		"PROXY TCP4 192.0.2.1 192.0.2.2 1 2 \r\n",
		"PROXY TCP4  192.0.2.1 192.0.2.2 1 2\r\n",
		"PROXY TCP4 192.0.2.1 192.0.2.2 01 2\r\n",
		"PROXY TCP4 192.0.2.1 192.0.2.2 1 65536\r\n",
		"PROXY TCP4 192.0.2.1 192.0.2.2 1 -2\r\n",
		"PROXY TCP4 192.0.2.256 192.0.2.2 1 2\r\n",
		"PROXY TCP4 ::1 ::1 1 2\r\n",
		"PROXY TCP6 192.0.2.1 192.0.2.2 1 2\r\n",
		"PROXY TCP5 192.0.2.1 192.0.2.2 1 2\r\n",
		"PROXY UNKNOWNX\r\n",
		"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\n",
		"PROXY TCP4 192.0.2.1 192.0.2.2 1\r2\r\n",
		"PROXY UNKNOWN "
		"34567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234"
		"567890123456789\r\n",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
		struct proxy_header h = {.local = true};

		expect_result(lines[i], strlen(lines[i]), -EBADMSG, &h);
		assert_true(h.local); /* untouched */
		assert_int_equal(h.source.ss_family, 0);
	}
}

static void test_v2(void **state)
{
	static const char v4[] = SIGNATURE "\x21\x11\0\x0f"
					   "\xc0\0\x02\x01"
					   "\xc0\0\x02\x02"
					   "\0\x50"
					   "\x1f\x90"
					   "\x04\0\0";
	static const char v6[] = SIGNATURE "\x21\x21\0\x24"
					   "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01"
					   "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01"
					   "\0\x50"
					   "\x1f\x90";
	struct proxy_header h = {.local = true};

	(void)state;
	expect_result(v4, sizeof(v4) - 1, sizeof(v4) - 1, &h);
	assert_false(h.local);
	expect_address(&h.source, "192.0.2.1", 80);
	expect_address(&h.destination, "192.0.2.2", 8080);
	expect_result(v6, sizeof(v6) - 1, sizeof(v6) - 1, &h);
	expect_address(&h.source, "2001:db8::1", 80);
	expect_address(&h.destination, "::1", 8080);
}

static void test_v2_local(void **state)
{
	static const char local[] = SIGNATURE "\x20\0\0\0";
	static const char local_with_address[] = SIGNATURE "\x20\x11\0\x0c"
							   "abcdabcdabcd";
	static const char unspec[] = SIGNATURE "\x21\0\0\x02"
					       "xx";
	static const struct {
		const char *bytes;
		size_t n;
	} rows[] = {
		{local, sizeof(local) - 1},
		{local_with_address, sizeof(local_with_address) - 1},
		{unspec, sizeof(unspec) - 1},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct proxy_header h = {0};

		expect_result(rows[i].bytes, rows[i].n, (int)rows[i].n, &h);
		assert_true(h.local);
	}
}

static void test_v2_bad(void **state)
{
	static const char version[] = SIGNATURE "\x11\x11\0\x0c"
						"abcdabcdabcd";
	static const char command[] = SIGNATURE "\x22\x11\0\x0c"
						"abcdabcdabcd";
	static const char short_v4[] = SIGNATURE "\x21\x11\0\x0b"
						 "abcdabcdabc";
	static const char short_v6[] = SIGNATURE "\x21\x21\0\x0c"
						 "abcdabcdabcd";
	static const char datagram[] = SIGNATURE "\x21\x12\0\x0c"
						 "abcdabcdabcd";
	static const char family[] = SIGNATURE "\x21\x41\0\x0c"
					       "abcdabcdabcd";
	static const char long_rest[] = SIGNATURE "\x21\x11\x08\x01";
	static const char signature[] = "\r\n\r\n\0\r\nQUIX";
	static const struct {
		const char *bytes;
		size_t n;
	} rows[] = {
		{version, sizeof(version) - 1},
		{command, sizeof(command) - 1},
		{short_v4, sizeof(short_v4) - 1},
		{short_v6, sizeof(short_v6) - 1},
		{datagram, sizeof(datagram) - 1},
		{family, sizeof(family) - 1},
		{long_rest, sizeof(long_rest) - 1},
		{signature, sizeof(signature) - 1},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct proxy_header h = {0};

		expect_result(rows[i].bytes, rows[i].n, -EBADMSG, &h);
		assert_int_equal(h.source.ss_family, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_v1),
		cmocka_unit_test(test_v1_unknown),
		cmocka_unit_test(test_v1_bad),
		cmocka_unit_test(test_v2),
		cmocka_unit_test(test_v2_local),
		cmocka_unit_test(test_v2_bad),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
