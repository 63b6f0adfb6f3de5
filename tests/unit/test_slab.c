#include "base/slab.h"
#include "alloc_fail.h"
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void test_objects_are_zeroed_aligned_and_apart(void **state)
{
	struct slab s;
	char *objects[1000];

	(void)state;
	slab_init(&s, 100, 0);
	assert_int_equal(s.size, 112);
	for (size_t i = 0; i < ARRAY_LEN(objects); i++) {
		objects[i] = slab_take(&s);
		assert_non_null(objects[i]);
		assert_int_equal((uintptr_t)objects[i] % 16, 0);
		for (size_t k = 0; k < 100; k++)
			assert_int_equal(objects[i][k], 0);
		memset(objects[i], (int)i & 0xff, 100);
	}
	assert_int_equal(s.live, ARRAY_LEN(objects));
	assert_true(s.total >= s.live);
	for (size_t i = 0; i < ARRAY_LEN(objects); i++) {
		for (size_t k = 0; k < 100; k++)
			assert_int_equal((unsigned char)objects[i][k], i & 0xff);
		slab_give(&s, objects[i]);
	}
	assert_int_equal(s.live, 0);
	slab_done(&s);
	assert_int_equal(s.total, 0);
}

static void test_reuse_is_warm_and_clean(void **state)
{
	struct slab s;
	char *first, *again;

	(void)state;
	slab_init(&s, 64, 0);
	first = slab_take(&s);
	memset(first, 0xff, 64);
	slab_give(&s, first);
	again = slab_take(&s);
	assert_ptr_equal(again, first); /* the last one given is the first one taken */
	for (size_t k = 0; k < 64; k++)
		assert_int_equal(again[k], 0);
	slab_give(&s, again);
	slab_give(&s, NULL);
	assert_int_equal(s.live, 0);
	slab_done(&s);
}

static void test_limit(void **state)
{
	struct slab s;
	void *a, *b;

	(void)state;
	slab_init(&s, 8, 2);
	a = slab_take(&s);
	b = slab_take(&s);
	assert_non_null(a);
	assert_non_null(b);
	assert_null(slab_take(&s));
	slab_give(&s, a);
	a = slab_take(&s);
	assert_non_null(a);
	slab_give(&s, a);
	slab_give(&s, b);
	slab_done(&s);
	assert_int_equal(s.max, 2);
}

static void test_object_larger_than_a_block(void **state)
{
	struct slab s;
	char *a, *b;

	(void)state;
	slab_init(&s, 100 * 1024, 0);
	a = slab_take(&s);
	b = slab_take(&s);
	assert_non_null(a);
	assert_non_null(b);
	memset(a, 1, 100 * 1024);
	memset(b, 2, 100 * 1024);
	assert_int_equal(a[100 * 1024 - 1], 1);
	slab_give(&s, a);
	slab_give(&s, b);
	slab_done(&s);
}

static void test_no_memory(void **state)
{
	struct slab s;
	void *a;

	(void)state;
	alloc_fail_needed();
	slab_init(&s, 64, 0);
	alloc_fail_at(1);
	a = slab_take(&s);
	assert_true(alloc_fail_hit());
	assert_null(a);
	assert_int_equal(s.live, 0);
	a = slab_take(&s); /* the next one may have luck again */
	assert_non_null(a);
	slab_give(&s, a);
	slab_done(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_objects_are_zeroed_aligned_and_apart),
		cmocka_unit_test(test_reuse_is_warm_and_clean),
		cmocka_unit_test(test_limit),
		cmocka_unit_test(test_object_larger_than_a_block),
		cmocka_unit_test(test_no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
