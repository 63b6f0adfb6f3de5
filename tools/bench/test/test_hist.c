#include "cmocka_first.h"
#include "../hist.h"
#include "base/rng.h"

static struct hist h, other;

static void test_cells_cover_everything(void **state)
{
	(void)state;
	assert_int_equal(hist_cell(0), 0);
	assert_int_equal(hist_cell(UINT64_MAX), HIST_CELLS - 1);
	for (unsigned i = 0; i + 1 < HIST_CELLS; i++) {
		assert_int_equal(hist_cell(hist_cell_low(i)), i);
		assert_int_equal(hist_cell(hist_cell_low(i + 1) - 1), i);
	}
}

static void test_error_stays_within_one_percent(void **state)
{
	(void)state;
	for (int round = 0; round < 100000; round++) {
		uint64_t v = rng_next() >> rng_below(63);
		double q;

		memset(&h, 0, sizeof(h));
		h.count = 3; /* neighbours far away, so that min and max do not help */
		h.max = UINT64_MAX;
		h.cells[hist_cell(v)] = 3;
		q = (double)hist_quantile(&h, 0.5);
		assert_true(q <= (double)v * 1.005 + 0.5 && q >= (double)v * 0.995 - 0.5);
	}
}

static void test_quantiles_of_a_known_set(void **state)
{
	(void)state;
	memset(&h, 0, sizeof(h));
	assert_int_equal(hist_quantile(&h, 0.5), 0);
	for (uint64_t v = 1; v <= 100; v++) /* below 256 all is exact */
		hist_add(&h, v);
	assert_int_equal(hist_quantile(&h, 0), 1);
	assert_int_equal(hist_quantile(&h, 0.5), 50);
	assert_int_equal(hist_quantile(&h, 0.9), 90);
	assert_int_equal(hist_quantile(&h, 0.99), 99);
	assert_int_equal(hist_quantile(&h, 0.991), 100);
	assert_int_equal(hist_quantile(&h, 1), 100);
}

static void test_the_tail_is_kept(void **state)
{
	(void)state;
	memset(&h, 0, sizeof(h));
	for (int i = 0; i < 9999; i++)
		hist_add(&h, 1000);
	hist_add(&h, 3600ULL * 1000000000); /* an hour */
	assert_int_equal(h.max, 3600ULL * 1000000000);
	assert_int_equal(hist_quantile(&h, 1), h.max);
	assert_in_range(hist_quantile(&h, 0.99995), 3582ULL * 1000000000, 3600ULL * 1000000000);
	assert_in_range(hist_quantile(&h, 0.9999), 1000, 1004);
}

static void test_merge_equals_adding_to_one(void **state)
{
	struct hist *sum = calloc(1, sizeof(*sum));

	(void)state;
	assert_non_null(sum);
	memset(&h, 0, sizeof(h));
	memset(&other, 0, sizeof(other));
	hist_merge(&h, &other);
	assert_int_equal(h.count, 0);
	for (int i = 0; i < 1000; i++) {
		uint64_t v = rng_below(1ULL << 40) + 5;

		hist_add(i % 3 ? &h : &other, v);
		hist_add(sum, v);
	}
	hist_merge(&h, &other);
	assert_memory_equal(&h, sum, sizeof(h));
	free(sum);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cells_cover_everything),
		cmocka_unit_test(test_error_stays_within_one_percent),
		cmocka_unit_test(test_quantiles_of_a_known_set),
		cmocka_unit_test(test_the_tail_is_kept),
		cmocka_unit_test(test_merge_equals_adding_to_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
