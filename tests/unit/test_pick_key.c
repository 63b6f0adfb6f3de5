/* policy/pick_key: which bytes balance a request. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "policy/pick_key.h"

static struct slice key_of(struct upstream_settings *u, const char *head)
{
	static struct h1_request req;
	struct h1_scan scan = {0};
	size_t len;

	assert_int_equal(h1_scan(&scan, H1_REQUEST, head, strlen(head), &len), H1_OK);
	assert_int_equal(h1_request_parse(head + scan.skip, len - scan.skip, &req), H1_OK);
	return pick_key_of(u, &req);
}

static void by_header(void **state)
{
	char name[] = "X-User";
	struct upstream_settings u = {.balance = BALANCE_HASH, .balance_header = name};
	struct slice k = key_of(&u, "GET / HTTP/1.1\r\nHost: a\r\nx-user:  bob \r\n\r\n");

	(void)state;
	assert_int_equal(k.n, 3);
	assert_memory_equal(k.p, "bob", 3);
	assert_null(key_of(&u, "GET / HTTP/1.1\r\nHost: a\r\n\r\n").p);
}

static void by_cookie(void **state)
{
	char name[] = "sid";
	struct upstream_settings u = {.balance = BALANCE_HASH, .balance_cookie = name};
	struct slice k = key_of(&u, "GET / HTTP/1.1\r\nHost: a\r\nCookie: xsid=1; sid=a=b; sid=c\r\n\r\n");

	(void)state;
	assert_int_equal(k.n, 3);
	assert_memory_equal(k.p, "a=b", 3);
	k = key_of(&u, "GET / HTTP/1.1\r\nHost: a\r\nCookie: other=1\r\nCookie: sid=z\r\n\r\n");
	assert_memory_equal(k.p, "z", 1);
	assert_null(key_of(&u, "GET / HTTP/1.1\r\nHost: a\r\nCookie: SID=1; sid\r\n\r\n").p);
}

static void not_needed(void **state)
{
	struct upstream_settings u = {.balance = BALANCE_LEAST_CONN};

	(void)state;
	assert_null(key_of(&u, "GET / HTTP/1.1\r\nHost: a\r\nCookie: sid=1\r\n\r\n").p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(by_header),
		cmocka_unit_test(by_cookie),
		cmocka_unit_test(not_needed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
