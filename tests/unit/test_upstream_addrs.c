#include "upstream/addrs.h"
#include "alloc_fail.h"
#include "net/addr.h"
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static struct addrs a;
static struct sockaddr_any list[4];

static int setup(void **state)
{
	static const char *const texts[] = {
		"192.0.2.1:80", "[2001:db8::1]:80", "192.0.2.2:80", "192.0.2.3:80"};

	(void)state;
	a = (struct addrs){0};
	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		if (addr_parse(texts[i], &list[i]))
			return -1;
	return addrs_set(&a, list, 3);
}

static int teardown(void **state)
{
	(void)state;
	addrs_done(&a);
	return 0;
}

static size_t which(const struct sockaddr_any *addr)
{
	if (!addr)
		return 99;
	for (size_t i = 0; i < ARRAY_LEN(list); i++)
		if (addr_equal(addr, &list[i]))
			return i;
	return 98;
}

static void test_rotates_over_both_families(void **state)
{
	(void)state;
	for (size_t i = 0; i < 9; i++)
		assert_int_equal(which(addrs_next(&a, 1000)), i % 3);
}

static void test_empty(void **state)
{
	struct addrs none = {0};

	(void)state;
	assert_null(addrs_next(&none, 1));
	assert_null(addrs_next_untried(&none, 1));
	assert_false(addrs_any_untried(&none, 1));
	addrs_worked(&none, &list[0]);
	addrs_done(&none);
}

static void test_failed_one_is_left_out_for_a_while(void **state)
{
	(void)state;
	assert_false(addrs_failed(&a, &list[1], 1000));
	for (uint64_t now = 1000; now < 2000; now += 100)
		assert_int_not_equal(which(addrs_next(&a, now)), 1);
	/* Then one dial tests it, and no other meanwhile. */
	{
		unsigned tests = 0;

		for (int i = 0; i < 9; i++)
			tests += which(addrs_next(&a, 2001)) == 1;
		assert_int_equal(tests, 1);
	}
	addrs_worked(&a, &list[1]);
	{
		unsigned dials = 0;

		for (int i = 0; i < 9; i++)
			dials += which(addrs_next(&a, 2002)) == 1;
		assert_int_equal(dials, 3);
	}
}

/* The rest doubles, to a minute. */
static void test_rest_doubles(void **state)
{
	uint64_t now = 1000, rest = 1000;

	(void)state;
	for (int i = 0; i < 12; i++) {
		addrs_failed(&a, &list[0], now);
		for (int k = 0; k < 3; k++)
			assert_int_not_equal(which(addrs_next(&a, now + rest - 1)), 0);
		now += rest;
		rest = MIN(rest * 2, (uint64_t)60000);
	}
	assert_int_equal(rest, 60000);
}

/* A hundred streams that lose the server together are one failure. */
static void test_failures_at_once_count_once(void **state)
{
	(void)state;
	for (uint64_t i = 0; i < 100; i++)
		assert_false(addrs_failed(&a, &list[0], 1000 + i));
	for (int i = 0; i < 3; i++)
		assert_int_not_equal(which(addrs_next(&a, 1999)), 0);
	assert_false(
		addrs_any_untried(&(struct addrs){.list = a.list, .n = 1}, 1099)); /* the last of them, too */
	{
		unsigned tests = 0;

		for (int i = 0; i < 3; i++)
			tests += which(addrs_next(&a, 2000)) == 0;
		assert_int_equal(tests, 1);
	}
}

static void test_all_failed(void **state)
{
	(void)state;
	assert_false(addrs_failed(&a, &list[0], 1000));
	assert_false(addrs_failed(&a, &list[1], 1100));
	assert_true(addrs_failed(&a, &list[2], 1200));
	assert_true(addrs_failed(&a, &list[0], 1300));
	/* Still something to dial, each in turn. */
	for (size_t i = 0; i < 6; i++)
		assert_int_equal(which(addrs_next(&a, 1400)), i % 3);
	addrs_worked(&a, &list[2]);
	assert_int_equal(which(addrs_next(&a, 1400)), 2);
	assert_false(addrs_failed(&a, &list[1], 1500));
}

static void test_untried_since(void **state)
{
	(void)state;
	addrs_failed(&a, &list[0], 1000);
	addrs_failed(&a, &list[1], 2000);
	addrs_failed(&a, &list[2], 3000);
	assert_true(addrs_any_untried(&a, 2000)); /* the first failed before */
	assert_int_equal(which(addrs_next_untried(&a, 2000)), 0);
	assert_int_equal(which(addrs_next_untried(&a, 2000)), 0);
	assert_false(addrs_any_untried(&a, 1000));
	assert_null(addrs_next_untried(&a, 1000));
	assert_null(addrs_next_untried(&a, 0));
	addrs_worked(&a, &list[1]);
	assert_int_equal(which(addrs_next_untried(&a, 0)), 1);
}

static void test_new_answer_keeps_what_is_known(void **state)
{
	struct sockaddr_any fresh[3];

	(void)state;
	addrs_failed(&a, &list[0], 1000);
	addrs_failed(&a, &list[1], 1000);
	fresh[0] = list[3];
	fresh[1] = list[1];
	fresh[2] = list[0];
	assert_int_equal(addrs_set(&a, fresh, 3), 0);
	assert_false(addrs_has(&a, &list[2]));
	assert_true(addrs_has(&a, &list[3]));
	for (int i = 0; i < 6; i++)
		assert_int_equal(which(addrs_next(&a, 1500)), 3);
	assert_true(addrs_failed(&a, &list[3], 1600));
	/* Gone addresses that report late change nothing. */
	assert_true(addrs_failed(&a, &list[2], 1700));
	addrs_worked(&a, &list[2]);
	assert_int_equal(addrs_set(&a, &list[2], 1), 0);
	assert_false(addrs_failed(&a, &list[0], 1800));
	assert_int_equal(which(addrs_next(&a, 1800)), 2);
}

static void test_no_memory(void **state)
{
	(void)state;
	alloc_fail_needed();
	alloc_fail_at(1);
	assert_int_equal(addrs_set(&a, list, 4), -ENOMEM);
	alloc_fail_at(0);
	assert_int_equal(a.n, 3);
	assert_false(addrs_has(&a, &list[3]));
}

#define ADDRS_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ADDRS_TEST(test_rotates_over_both_families),
		ADDRS_TEST(test_empty),
		ADDRS_TEST(test_failed_one_is_left_out_for_a_while),
		ADDRS_TEST(test_rest_doubles),
		ADDRS_TEST(test_failures_at_once_count_once),
		ADDRS_TEST(test_all_failed),
		ADDRS_TEST(test_untried_since),
		ADDRS_TEST(test_new_answer_keeps_what_is_known),
		ADDRS_TEST(test_no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
