/* observe/counters, observe/histogram: rows become one, values find their bucket, names and lists fit. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "observe/counters.h"
#include "observe/histogram.h"
#include "proto/h1.h"
#include <string.h>

static void a_bound_belongs_to_its_bucket(void **state)
{
	const struct histogram_bounds *b = &bounds_of_time_to_head;
	struct sluice_histogram h = {0};

	(void)state;
	assert_true(b->seconds && b->values[0] == 1000000);
	histogram_add(&h, b, 0);
	histogram_add(&h, b, b->values[0]);
	histogram_add(&h, b, b->values[0] + 1);
	histogram_add(&h, b, b->values[b->count - 1]);
	histogram_add(&h, b, b->values[b->count - 1] + 1);
	histogram_add(&h, b, UINT64_MAX / 2);
	assert_int_equal(h.bucket[0], 2);
	assert_int_equal(h.bucket[1], 1);
	assert_int_equal(h.bucket[b->count - 1], 1);
	assert_int_equal(h.bucket[b->count], 2);
	assert_int_equal(histogram_count(&h), 6);
	assert_true(h.sum == 2 * b->values[0] + 1 + 2 * b->values[b->count - 1] + 1 + UINT64_MAX / 2);
}

static void zero_is_a_bound_of_bytes(void **state)
{
	struct sluice_histogram h = {0};

	(void)state;
	assert_false(bounds_of_pending_peak.seconds);
	histogram_add(&h, &bounds_of_pending_peak, 0);
	histogram_add(&h, &bounds_of_pending_peak, 1);
	assert_int_equal(h.bucket[0], 1);
	assert_int_equal(h.bucket[1], 1);
}

static void bounds_ascend(void **state)
{
	const struct histogram_bounds *all[] = {
#define HISTOGRAM(id, bounds, family, help) &bounds_of_##id,
#include "sluice/counters.def"
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		assert_in_range(all[i]->count, 1, SLUICE_BUCKETS - 1);
		for (unsigned k = 1; k < all[i]->count; k++)
			assert_true(all[i]->values[k - 1] < all[i]->values[k]);
	}
}

static void rows_are_summed(void **state)
{
	static struct sluice_counters rows[3], sum;

	(void)state;
	rows[0].events = 1;
	rows[1].events = 20;
	rows[2].events = 300;
	rows[0].ended[SLUICE_BY_CLIENT][7] = 5;
	rows[2].ended[SLUICE_BY_CLIENT][7] = 6;
	rows[1].refused[SLUICE_MAX_RULES - 1] = 9;
	histogram_add(&rows[0].event_gap, &bounds_of_event_gap, 1);
	histogram_add(&rows[1].event_gap, &bounds_of_event_gap, 2);
	memset(&sum, 0xff, sizeof(sum));
	counters_sum(rows, 2, &sum);
	assert_int_equal(sum.events, 21);
	counters_sum(rows, 3, &sum);
	assert_int_equal(sum.events, 321);
	assert_int_equal(sum.ended[SLUICE_BY_CLIENT][7], 11);
	assert_int_equal(sum.refused[SLUICE_MAX_RULES - 1], 9);
	assert_int_equal(sum.event_gap.bucket[0], 2);
	assert_int_equal(sum.event_gap.sum, 3);
	assert_int_equal(sum.heartbeats, 0);
}

static void every_rule_has_a_place(void **state)
{
	(void)state;
	assert_in_range(H1_RULE_COUNT, 1, SLUICE_MAX_RULES);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_bound_belongs_to_its_bucket),
		cmocka_unit_test(zero_is_a_bound_of_bytes),
		cmocka_unit_test(bounds_ascend),
		cmocka_unit_test(rows_are_summed),
		cmocka_unit_test(every_rule_has_a_place),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
