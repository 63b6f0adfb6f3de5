#include "upstream/balance.h"
#include "base/rng.h"
#include "upstream/siphash.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

static int64_t turns[64];

/* `n` usable servers of weight 1 with nothing to do. */
static void servers(struct balance_view *v, size_t n)
{
	memset(turns, 0, sizeof(turns));
	for (size_t i = 0; i < n; i++) {
		char name[32];

		snprintf(name, sizeof(name), "10.0.0.%zu:80", i);
		v[i] = (struct balance_view){
			.usable = true, .weight = 1, .id = siphash(0, 0, slice_of(name)), .turn = &turns[i]};
	}
}

static void test_none_usable(void **state)
{
	struct balance_view v[3];

	(void)state;
	servers(v, 3);
	for (size_t i = 0; i < 3; i++)
		v[i].usable = false;
	assert_int_equal(balance_least_conn(v, 3, 7), -1);
	assert_int_equal(balance_round_robin(v, 3), -1);
	assert_int_equal(balance_hash(v, 3, 7), -1);
	assert_int_equal(balance_least_conn(v, 0, 7), -1);
	assert_int_equal(balance_round_robin(v, 0), -1);
	assert_int_equal(balance_hash(v, 0, 7), -1);
}

static void test_least_conn_takes_the_idlest(void **state)
{
	struct balance_view v[4];

	(void)state;
	servers(v, 4);
	v[0].connections = 5;
	v[1].connections = 3;
	v[2].connections = 2;
	v[3].connections = 9;
	for (uint64_t r = 0; r < 10; r++)
		assert_int_equal(balance_least_conn(v, 4, r), 2);
	v[2].usable = false;
	assert_int_equal(balance_least_conn(v, 4, 1), 1);
}

static void test_least_conn_by_weight(void **state)
{
	struct balance_view v[2];
	unsigned got[2] = {0};

	(void)state;
	servers(v, 2);
	v[0].weight = 3;
	for (int i = 0; i < 400; i++) {
		int k = balance_least_conn(v, 2, rng_next());

		assert_in_range(k, 0, 1);
		v[k].connections++;
		got[k]++;
	}
	assert_in_range(got[0], 299, 301);
	servers(v, 2);
	v[1].weight = 2;
	assert_int_equal(balance_least_conn(v, 2, 0), 1); /* empty servers: the larger one first */
}

static void test_least_conn_ties_are_drawn(void **state)
{
	struct balance_view v[5];
	unsigned got[5] = {0};

	(void)state;
	servers(v, 5);
	v[1].connections = 1;
	v[3].usable = false;
	for (uint64_t r = 0; r < 300; r++)
		got[balance_least_conn(v, 5, r)]++;
	assert_int_equal(got[0], 100);
	assert_int_equal(got[1], 0);
	assert_int_equal(got[2], 100);
	assert_int_equal(got[3], 0);
	assert_int_equal(got[4], 100);
	/* The best comes late, after worse equals. */
	servers(v, 5);
	v[0].connections = v[1].connections = v[2].connections = 4;
	memset(got, 0, sizeof(got));
	for (uint64_t r = 0; r < 100; r++)
		got[balance_least_conn(v, 5, r)]++;
	assert_int_equal(got[3], 50);
	assert_int_equal(got[4], 50);
}

static void test_round_robin_smooth(void **state)
{
	static const int want[] = {0, 0, 1, 0, 2, 0, 0};
	struct balance_view v[3];

	(void)state;
	servers(v, 3);
	v[0].weight = 5;
	for (int round = 0; round < 3; round++)
		for (size_t i = 0; i < ARRAY_LEN(want); i++)
			assert_int_equal(balance_round_robin(v, 3), want[i]);
}

static void test_round_robin_leaves_out(void **state)
{
	struct balance_view v[3];
	unsigned got[3] = {0};

	(void)state;
	servers(v, 3);
	v[1].usable = false;
	for (int i = 0; i < 100; i++)
		got[balance_round_robin(v, 3)]++;
	assert_int_equal(got[0], 50);
	assert_int_equal(got[1], 0);
	assert_int_equal(got[2], 50);
	/* Back again: no flood to make up for the time it was away. */
	v[1].usable = true;
	memset(got, 0, sizeof(got));
	for (int i = 0; i < 9; i++)
		got[balance_round_robin(v, 3)]++;
	assert_int_equal(got[1], 3);
}

static void test_hash_moves_only_the_lost_keys(void **state)
{
	enum { SERVERS = 10, KEYS = 20000 };
	static int before[KEYS];
	struct balance_view v[SERVERS];
	unsigned moved = 0;

	(void)state;
	servers(v, SERVERS);
	for (uint64_t k = 0; k < KEYS; k++)
		before[k] = balance_hash(v, SERVERS, k);
	v[4].usable = false;
	for (uint64_t k = 0; k < KEYS; k++) {
		int now = balance_hash(v, SERVERS, k);

		assert_int_not_equal(now, 4);
		if (before[k] == 4)
			moved++;
		else
			assert_int_equal(now, before[k]);
	}
	assert_in_range(moved, KEYS / SERVERS * 9 / 10, KEYS / SERVERS * 11 / 10);
	v[4].usable = true;
	for (uint64_t k = 0; k < KEYS; k++)
		assert_int_equal(balance_hash(v, SERVERS, k), before[k]);
}

/* A worker that lists its servers in another order sends a key to the same one. */
static void test_hash_does_not_depend_on_order(void **state)
{
	struct balance_view v[6], w[6];

	(void)state;
	servers(v, 6);
	for (size_t i = 0; i < 6; i++)
		w[i] = v[5 - i];
	for (uint64_t k = 0; k < 1000; k++)
		assert_int_equal(balance_hash(v, 6, k), 5 - balance_hash(w, 6, k));
}

static void test_hash_spreads_by_weight(void **state)
{
	enum { KEYS = 40000 };
	struct balance_view v[4];
	unsigned got[4] = {0};

	(void)state;
	servers(v, 4);
	v[3].weight = 5;
	for (uint64_t k = 0; k < KEYS; k++)
		got[balance_hash(v, 4, k)]++;
	for (int i = 0; i < 3; i++)
		assert_in_range(got[i], KEYS / 8 * 93 / 100, KEYS / 8 * 107 / 100);
	assert_in_range(got[3], KEYS * 5 / 8 * 97 / 100, KEYS * 5 / 8 * 103 / 100);
}

/* Vectors of the SipHash authors: key 00..0f, input 00, 01, 02 … of growing length. */
static void test_siphash_vectors(void **state)
{
	static const uint64_t want[] = {0x726fdb47dd0e0e31, 0x74f839c593dc67fd, 0x0d6c8009d9a94f5a,
		0x85676696d7fb7e2d, 0xcf2794e0277187b7, 0x18765564cd99a68d, 0xcbc9466e58fee3ce,
		0xab0200f58b01d137, 0x93f5f5799a932462};
	char input[16];

	(void)state;
	for (size_t i = 0; i < sizeof(input); i++)
		input[i] = (char)i;
	for (size_t n = 0; n < ARRAY_LEN(want); n++)
		assert_true(
			siphash(0x0706050403020100, 0x0f0e0d0c0b0a0908, (struct slice){input, n}) == want[n]);
	assert_true(siphash(1, 2, (struct slice){NULL, 0}) != siphash(2, 1, (struct slice){NULL, 0}));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_none_usable),
		cmocka_unit_test(test_least_conn_takes_the_idlest),
		cmocka_unit_test(test_least_conn_by_weight),
		cmocka_unit_test(test_least_conn_ties_are_drawn),
		cmocka_unit_test(test_round_robin_smooth),
		cmocka_unit_test(test_round_robin_leaves_out),
		cmocka_unit_test(test_hash_moves_only_the_lost_keys),
		cmocka_unit_test(test_hash_does_not_depend_on_order),
		cmocka_unit_test(test_hash_spreads_by_weight),
		cmocka_unit_test(test_siphash_vectors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
