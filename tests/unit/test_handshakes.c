#include "conf/address.h"
#include "policy/handshakes.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

static bool take(struct handshakes *h, const char *source, uint64_t now_ms)
{
	struct sockaddr_any a;

	assert_int_equal(address_parse(slice_of(source), &a), 0);
	return handshakes_take(h, &a, now_ms);
}

static unsigned taken(struct handshakes *h, const char *source, unsigned tries, uint64_t now_ms)
{
	unsigned n = 0;

	for (unsigned i = 0; i < tries; i++)
		n += take(h, source, now_ms);
	return n;
}

static void test_burst_then_rate(void **state)
{
	struct handshakes *h;

	(void)state;
	assert_int_equal(handshakes_new(10, 5, &h), 0);
	assert_int_equal(taken(h, "192.0.2.1:1", 20, 1000), 5);
	assert_int_equal(taken(h, "192.0.2.1:2", 20, 1099), 0); /* 0.99 of one */
	assert_int_equal(taken(h, "192.0.2.1:3", 20, 1100), 1);
	assert_int_equal(taken(h, "192.0.2.1:3", 20, 1350), 2);
	assert_int_equal(taken(h, "192.0.2.1:3", 20, 1400), 1);	   /* the half that was left over counts */
	assert_int_equal(taken(h, "192.0.2.1:3", 20, 3600000), 5); /* never more than the burst */
	handshakes_free(h);
	handshakes_free(NULL);
}

static void test_sources_are_apart_and_a_64_is_one(void **state)
{
	struct handshakes *h;

	(void)state;
	assert_int_equal(handshakes_new(1, 2, &h), 0);
	assert_int_equal(taken(h, "192.0.2.1:1", 9, 0), 2);
	assert_int_equal(taken(h, "192.0.2.2:1", 9, 0), 2);
	assert_int_equal(taken(h, "[::ffff:192.0.2.1]:1", 9, 0), 0);
	assert_int_equal(taken(h, "[2001:db8:0:1::1]:1", 9, 0), 2);
	assert_int_equal(taken(h, "[2001:db8:0:1:ffff::2]:1", 9, 0), 0);
	assert_int_equal(taken(h, "[2001:db8:0:2::1]:1", 9, 0), 2);
	assert_int_equal(taken(h, "[::1]:1", 9, 0), 2);
	assert_int_equal(taken(h, "unix:/run/x.sock", 9, 0), 9);
	handshakes_free(h);
}

static void test_no_limit(void **state)
{
	struct handshakes *h;

	(void)state;
	assert_int_equal(handshakes_new(0, 1, &h), 0);
	assert_int_equal(taken(h, "192.0.2.1:1", 10000, 0), 10000);
	handshakes_set(h, 1, 3);
	assert_int_equal(taken(h, "192.0.2.1:1", 10, 0), 3);
	handshakes_set(h, 1, 1); /* less than what the bucket had */
	assert_int_equal(taken(h, "192.0.2.1:1", 10, 60000), 1);
	handshakes_free(h);
}

/* As many sources as an attacker likes: the table stays as it is, and who floods is still the one who is
 * refused. */
static void test_a_crowd(void **state)
{
	struct handshakes *h;
	unsigned refused = 0, flooder = 0;
	char source[32];

	(void)state;
	assert_int_equal(handshakes_new(1, 50, &h), 0);
	for (unsigned i = 0; i < 100000; i++) {
		snprintf(source, sizeof(source), "10.%u.%u.%u:1", i >> 16, i >> 8 & 255, i & 255);
		refused += !take(h, source, 0);
		if (i % 10 == 0)
			flooder += take(h, "192.0.2.1:1", 0);
	}
	assert_int_equal(refused, 0);
	assert_int_equal(flooder, 50);
	handshakes_free(h);
}

static void test_a_clock_that_stood_for_ages(void **state)
{
	struct handshakes *h;

	(void)state;
	assert_int_equal(handshakes_new(1000000, 3, &h), 0);
	assert_int_equal(taken(h, "192.0.2.1:1", 9, 0), 3);
	assert_int_equal(taken(h, "192.0.2.1:1", 9, UINT64_MAX), 3);
	handshakes_free(h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_burst_then_rate),
		cmocka_unit_test(test_sources_are_apart_and_a_64_is_one),
		cmocka_unit_test(test_no_limit),
		cmocka_unit_test(test_a_crowd),
		cmocka_unit_test(test_a_clock_that_stood_for_ages),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
