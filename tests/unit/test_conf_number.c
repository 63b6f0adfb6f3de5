#include "conf/number.h"
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

struct numeric {
	const char *text;
	uint64_t value;
};

static void test_durations(void **state)
{
	static const struct numeric cases[] = {{"0", 0}, {"0s", 0}, {"000", 0}, {"1ms", 1}, {"500ms", 500},
		{"15s", 15000}, {"5m", 300000}, {"1h", 3600000}, {"2d", 172800000}, {"007s", 7000}};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const char *hint = NULL;
		uint64_t value = 1;

		assert_int_equal(number_duration(slice_of(cases[i].text), &value, &hint), 0);
		assert_int_equal(value, cases[i].value);
	}
}

static void test_bad_durations(void **state)
{
	static const struct {
		const char *text, *hint;
	} cases[] = {{"", NULL}, {"s", NULL}, {"-1s", NULL}, {"+1s", NULL}, {" 1s", NULL}, {"1", "no unit"},
		{"15", "no unit"}, {"1 s", "unknown unit"}, {"1.5s", "unknown unit"},
		{"1h30m", "unknown unit"}, {"1w", "unknown unit"}, {"1KiB", "unknown unit"},
		{"99999999999999999999s", "too large"}, {"18446744073709551615s", "too large"}};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const char *hint = NULL;
		uint64_t value = 7;

		assert_int_equal(number_duration(slice_of(cases[i].text), &value, &hint), -EINVAL);
		if (cases[i].hint)
			assert_string_equal(hint, cases[i].hint);
		else
			assert_null(hint);
	}
}

static void test_sizes(void **state)
{
	static const struct numeric cases[] = {{"0", 0}, {"4096", 4096}, {"7B", 7}, {"16KiB", 16384},
		{"256K", 262144}, {"256k", 262144}, {"1MiB", 1 << 20}, {"3M", 3 << 20}, {"2GiB", 2ULL << 30},
		{"1T", 1ULL << 40}, {"1TiB", 1ULL << 40}};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const char *hint = NULL;
		uint64_t value = 1;

		assert_int_equal(number_size(slice_of(cases[i].text), &value, &hint), 0);
		assert_int_equal(value, cases[i].value);
	}
}

static void test_bad_sizes(void **state)
{
	static const char *const texts[] = {
		"", "KiB", "-1", "1.5K", "1KB", "1 K", "1s", "0x10", "99999999999999T"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		const char *hint = NULL;
		uint64_t value;

		assert_int_equal(number_size(slice_of(texts[i]), &value, &hint), -EINVAL);
	}
}

static void test_octal(void **state)
{
	uint64_t value = 1;

	(void)state;
	assert_int_equal(number_octal(SLICE("0660"), &value), 0);
	assert_int_equal(value, 0660);
	assert_int_equal(number_octal(SLICE("777"), &value), 0);
	assert_int_equal(value, 0777);
	assert_int_equal(number_octal(SLICE("0"), &value), 0);
	assert_int_equal(value, 0);
	assert_int_equal(number_octal(SLICE(""), &value), -EINVAL);
	assert_int_equal(number_octal(SLICE("0o660"), &value), -EINVAL);
	assert_int_equal(number_octal(SLICE("8"), &value), -EINVAL);
	assert_int_equal(number_octal(SLICE("000000"), &value), -EINVAL);
}

static void test_status(void **state)
{
	static const char *const bad[] = {"", "-", "200-", "-399", "199", "600", "300-200", "200-600",
		"200 - 300", "2xx", "200-300-400", "200,204"};
	uint64_t value = 0;

	(void)state;
	assert_int_equal(number_status(SLICE("200-399"), &value), 0);
	assert_int_equal(value, 200 << 16 | 399);
	assert_int_equal(number_status(SLICE("204"), &value), 0);
	assert_int_equal(value, 204 << 16 | 204);
	assert_int_equal(number_status(SLICE("599-599"), &value), 0);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_int_equal(number_status(slice_of(bad[i]), &value), -EINVAL);
}

static void test_methods(void **state)
{
	uint64_t value = 0;

	(void)state;
	assert_int_equal(number_method(SLICE("GET"), &value), 0);
	assert_int_equal(value, 1u << H1_GET);
	assert_int_equal(number_method(SLICE("PATCH"), &value), 0);
	assert_int_equal(value, 1u << H1_PATCH);
	assert_int_equal(number_method(SLICE("get"), &value), -EINVAL);
	assert_int_equal(number_method(SLICE("CONNECT"), &value), -EINVAL);
	assert_int_equal(number_method(SLICE(""), &value), -EINVAL);
}

static void expect_printed(int (*print)(struct buf *, uint64_t), uint64_t value, const char *text)
{
	struct buf b = {0};

	assert_int_equal(print(&b, value), 0);
	assert_int_equal(b.len, strlen(text));
	assert_memory_equal(b.data, text, b.len);
	buf_reset(&b);
}

static void test_print(void **state)
{
	(void)state;
	expect_printed(number_print_duration, 1, "1ms");
	expect_printed(number_print_duration, 1500, "1500ms");
	expect_printed(number_print_duration, 15000, "15s");
	expect_printed(number_print_duration, 86400000, "1d");
	expect_printed(number_print_size, 1, "1B");
	expect_printed(number_print_size, 4097, "4097B");
	expect_printed(number_print_size, 4096, "4KiB");
	expect_printed(number_print_size, 1ULL << 40, "1TiB");
}

/* A number and its key's range. */
static int in_range(const struct key *k, const char *text, uint64_t *ret, const char **ret_hint)
{
	*ret_hint = NULL;
	return value_number(k, slice_of(text), ret, ret_hint);
}

static void test_range(void **state)
{
	static const struct key k = {.name = "k", .kind = KIND_COUNT, .zero = NULL, .min = 3, .max = 5};
	uint64_t value = 77;
	const char *hint;

	(void)state;
	assert_int_equal(in_range(&k, "3", &value, &hint), 0);
	assert_int_equal(value, 3);
	assert_int_equal(in_range(&k, "5", &value, &hint), 0);
	assert_int_equal(value, 5);
	value = 77;
	assert_int_equal(in_range(&k, "2", &value, &hint), -EINVAL);
	assert_string_equal(hint, "too small");
	assert_int_equal(in_range(&k, "0", &value, &hint), -EINVAL);
	assert_int_equal(in_range(&k, "6", &value, &hint), -EINVAL);
	assert_string_equal(hint, "too large");
	assert_int_equal(in_range(&k, "99999999999999999999", &value, &hint), -EINVAL);
	assert_int_equal(value, 77);
}

static void test_zero_word(void **state)
{
	static const struct key k = {
		.name = "k", .kind = KIND_DURATION, .zero = "off", .min = 1000, .max = 5000};
	uint64_t value = 77;
	const char *hint;

	(void)state;
	assert_int_equal(in_range(&k, "off", &value, &hint), 0);
	assert_int_equal(value, 0);
	value = 77;
	assert_int_equal(in_range(&k, "0", &value, &hint), 0);
	assert_int_equal(value, 0);
	assert_int_equal(in_range(&k, "1ms", &value, &hint), -EINVAL);
	assert_int_equal(in_range(&k, "never", &value, &hint), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_durations),
		cmocka_unit_test(test_bad_durations),
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_bad_sizes),
		cmocka_unit_test(test_octal),
		cmocka_unit_test(test_status),
		cmocka_unit_test(test_methods),
		cmocka_unit_test(test_print),
		cmocka_unit_test(test_range),
		cmocka_unit_test(test_zero_word),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
