#include "base/buf.h"
#include "alloc_fail.h"
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

/* A size that no allocator has must come back as NULL under ASan too. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
	return "allocator_may_return_null=1";
}

static void test_append(void **state)
{
	struct buf b = {0};

	(void)state;
	assert_int_equal(buf_append(&b, "hello ", 6), 0);
	assert_int_equal(buf_append(&b, NULL, 0), 0);
	assert_int_equal(buf_append(&b, "world", 5), 0);
	assert_true(slice_eq(buf_slice(&b), SLICE("hello world")));
	buf_reset(&b);
	assert_null(b.data);
	assert_int_equal(b.len, 0);
	assert_int_equal(b.cap, 0);
}

static void test_grows_over_many_sizes(void **state)
{
	struct buf b = {0};
	size_t total = 0;

	(void)state;
	for (size_t n = 1; n < 3000; n += 7) {
		char piece[3000];

		memset(piece, (int)('a' + n % 26), n);
		assert_int_equal(buf_append(&b, piece, n), 0);
		total += n;
		assert_int_equal(b.len, total);
		assert_true(b.cap >= b.len);
		assert_int_equal(b.data[b.len - 1], 'a' + n % 26);
	}
	buf_reset(&b);
}

static void test_reserve_keeps_content(void **state)
{
	struct buf b = {0};

	(void)state;
	assert_int_equal(buf_append(&b, "abc", 3), 0);
	assert_int_equal(buf_reserve(&b, 100000), 0);
	assert_true(b.cap - b.len >= 100000);
	assert_memory_equal(b.data, "abc", 3);
	assert_int_equal(b.len, 3);
	buf_reset(&b);
}

static void test_ceiling(void **state)
{
	struct buf b = {.max = 300};

	(void)state;
	assert_int_equal(buf_reserve(&b, 301), -ENOBUFS);
	assert_null(b.data);
	assert_int_equal(buf_reserve(&b, 300), 0);
	assert_int_equal(b.cap, 300); /* never over the ceiling, not even as spare room */
	b.len = 290;
	assert_int_equal(buf_append(&b, "0123456789", 10), 0);
	assert_int_equal(buf_append(&b, "x", 1), -ENOBUFS);
	assert_int_equal(b.len, 300);
	buf_reset(&b);
	assert_int_equal(b.max, 300);
}

static void test_sizes_that_do_not_exist(void **state)
{
	struct buf b = {0};

	(void)state;
	assert_int_equal(buf_append(&b, "abc", 3), 0);
	assert_int_equal(buf_reserve(&b, SIZE_MAX), -ENOMEM);
	assert_int_equal(buf_reserve(&b, SIZE_MAX - 3), -ENOMEM);
	assert_int_equal(buf_reserve(&b, SIZE_MAX / 2 + 10), -ENOMEM);
	assert_int_equal(buf_reserve(&b, SIZE_MAX / 4), -ENOMEM);
	assert_true(slice_eq(buf_slice(&b), SLICE("abc")));
	buf_reset(&b);
}

static void test_printf(void **state)
{
	struct buf b = {0};
	char wide[2000];

	(void)state;
	memset(wide, 'w', sizeof(wide));
	assert_int_equal(buf_printf(&b, "%s=%d;", "a", 42), 0);
	assert_int_equal(buf_printf(&b, "%.*s", (int)sizeof(wide), wide), 0);
	assert_int_equal(b.len, 5 + sizeof(wide));
	assert_memory_equal(b.data, "a=42;w", 6);
	buf_reset(&b);
	b.max = 8;
	assert_int_equal(buf_printf(&b, "%s", "123456789"), -ENOBUFS);
	assert_int_equal(b.len, 0);
	assert_int_equal(buf_printf(&b, "%s", "1234567"), 0);
	assert_int_equal(b.len, 7);
	buf_reset(&b);
}

static void test_drop(void **state)
{
	struct buf b = {0};

	(void)state;
	buf_drop(&b, 0);
	assert_int_equal(buf_append(&b, "abcdef", 6), 0);
	buf_drop(&b, 0);
	assert_true(slice_eq(buf_slice(&b), SLICE("abcdef")));
	buf_drop(&b, 2);
	assert_true(slice_eq(buf_slice(&b), SLICE("cdef")));
	buf_drop(&b, 4);
	assert_int_equal(b.len, 0);
	assert_non_null(b.data);
	buf_reset(&b);
}

static void test_no_memory(void **state)
{
	struct buf b = {0};

	(void)state;
	alloc_fail_needed();
	assert_int_equal(buf_append(&b, "abc", 3), 0);
	alloc_fail_at(1);
	assert_int_equal(buf_reserve(&b, 5000), -ENOMEM);
	assert_true(alloc_fail_hit());
	assert_true(slice_eq(buf_slice(&b), SLICE("abc")));
	alloc_fail_at(1);
	assert_int_equal(buf_printf(&b, "%5000d", 1), -ENOMEM);
	assert_true(slice_eq(buf_slice(&b), SLICE("abc")));
	alloc_fail_at(0);
	buf_reset(&b);
}

static void test_slices(void **state)
{
	struct slice none = {0}, text = SLICE("Text/Event-Stream");

	(void)state;
	assert_true(slice_eq(none, SLICE("")));
	assert_true(slice_starts(none, none));
	assert_true(slice_starts(text, none));
	assert_true(slice_starts(text, SLICE("Text/")));
	assert_false(slice_starts(SLICE("Te"), SLICE("Text/")));
	assert_false(slice_eq(text, SLICE("text/event-stream")));
	assert_true(slice_eq_nocase(text, SLICE("text/event-stream")));
	assert_true(slice_eq(slice_trim(SLICE(" \t a b\t ")), SLICE("a b")));
	assert_int_equal(slice_trim(SLICE(" \t ")).n, 0);
	assert_int_equal(slice_of(NULL).n, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_append),
		cmocka_unit_test(test_grows_over_many_sizes),
		cmocka_unit_test(test_reserve_keeps_content),
		cmocka_unit_test(test_ceiling),
		cmocka_unit_test(test_sizes_that_do_not_exist),
		cmocka_unit_test(test_printf),
		cmocka_unit_test(test_drop),
		cmocka_unit_test(test_no_memory),
		cmocka_unit_test(test_slices),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
