#include "cmocka_first.h"
#include "../units.h"

static char out[UNITS_MAX];

static void bytes(void **state)
{
	(void)state;
	assert_string_equal(units_bytes(0, out), "0");
	assert_string_equal(units_bytes(1023, out), "1023");
	assert_string_equal(units_bytes(1024, out), "1.0K");
	assert_string_equal(units_bytes(10239, out), "10K");
	assert_string_equal(units_bytes(16384, out), "16K");
	assert_string_equal(units_bytes(1048575, out), "1.0M");
	assert_string_equal(units_bytes(1536ULL << 20, out), "1.5G");
	assert_string_equal(units_bytes(UINT64_MAX, out), "16E");
}

static void counts(void **state)
{
	(void)state;
	assert_string_equal(units_count(99999, out), "99999");
	assert_string_equal(units_count(100000, out), "100k");
	assert_string_equal(units_count(999999, out), "1.0M");
	assert_string_equal(units_count(12345678, out), "12M");
}

static void ages(void **state)
{
	(void)state;
	assert_string_equal(units_age(0, out), "0.0s");
	assert_string_equal(units_age(9949, out), "9.9s");
	assert_string_equal(units_age(9950, out), "9s");
	assert_string_equal(units_age(59999, out), "59s");
	assert_string_equal(units_age(200000, out), "3m20s");
	assert_string_equal(units_age(7500000, out), "2h05m");
	assert_string_equal(units_age(280000000, out), "3d5h");
	assert_true(strlen(units_age(UINT64_MAX, out)) < UNITS_MAX);
	assert_string_equal(units_us(300, out), "0.3ms");
	assert_string_equal(units_us(12345, out), "12ms");
	assert_string_equal(units_us(1200000, out), "1.2s");
}

static void bytes_are_read(void **state)
{
	static const char *const bad[] = {
		"", "K", "-1", "1Q", "1 K", "0x10", "1KK", "nan", "inf", "1e300", "+5"};
	uint64_t n;

	(void)state;
	assert_int_equal(units_parse_bytes("100", &n), 0);
	assert_int_equal(n, 100);
	assert_int_equal(units_parse_bytes("64K", &n), 0);
	assert_int_equal(n, 65536);
	assert_int_equal(units_parse_bytes("1.5MiB", &n), 0);
	assert_int_equal(n, 1572864);
	n = 7;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_int_equal(units_parse_bytes(bad[i], &n), -EINVAL);
	assert_int_equal(n, 7);
}

static void times_are_read(void **state)
{
	static const struct {
		const char *text;
		uint64_t ms;
	} good[] = {{"100ms", 100}, {"1s", 1000}, {"1.5s", 1500}, {"2", 2000}, {"10m", 600000},
		{"2h", 7200000}, {"1d", 86400000}, {"0", 0}};
	uint64_t ms;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		assert_int_equal(units_parse_us(good[i].text, &ms), 0);
		assert_int_equal(ms, good[i].ms * 1000);
	}
	assert_int_equal(units_parse_us("soon", &ms), -EINVAL);
	assert_int_equal(units_parse_us("5 s", &ms), -EINVAL);
	assert_int_equal(units_parse_us("1s2", &ms), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bytes),
		cmocka_unit_test(counts),
		cmocka_unit_test(ages),
		cmocka_unit_test(bytes_are_read),
		cmocka_unit_test(times_are_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
