/* Least squares against sums that can be done by hand, and what cannot be fitted. */
#include "cmocka_first.h"
#include "../fit.h"
#include <math.h>

#define near(a, b) assert_true(fabs((a) - (b)) < 1e-9)

static void test_exact_plane(void **state)
{
	/* y = 2 x0 + 0.5 x1 + 7 */
	const struct fit_row rows[] = {{{1, 0, 1}, 9, 1}, {{0, 2, 1}, 8, 1}, {{3, 4, 1}, 15, 1},
		{{5, 1, 1}, 17.5, 2}, {{2, 2, 1}, 12, 0.1}};
	struct fit f;

	(void)state;
	assert_int_equal(fit_rows(rows, ARRAY_LEN(rows), 3, &f), 0);
	near(f.c[0], 2);
	near(f.c[1], 0.5);
	near(f.c[2], 7);
	near(f.error[0], 0);
	near(f.worst, 0);
	near(fit_at(&f, (double[]){10, 10, 1}, 3), 32);
	assert_int_equal(f.rows, 5);
}

/* y = 1, 3 at x = 1 and 4, 4 at x = 2, by hand: c = (1+3+8+8)/(1+1+4+4) = 2; off by -1, 1, 0, 0; the variance
 * is 2/3, the error sqrt(2/3/10). */
static void test_error_of_a_line(void **state)
{
	const struct fit_row rows[] = {{{1}, 1, 1}, {{1}, 3, 1}, {{2}, 4, 1}, {{2}, 4, 1}};
	struct fit f;

	(void)state;
	assert_int_equal(fit_rows(rows, ARRAY_LEN(rows), 1, &f), 0);
	near(f.c[0], 2);
	near(f.error[0], sqrt(2.0 / 3 / 10));
	/* the first is no more than its uncertainty, 1: no share is taken of it */
	near(f.worst, 1.0 / 3);
	near(f.off, sqrt(1.0 / 9 / 3));
}

static void test_weights_decide(void **state)
{
	const struct fit_row rows[] = {{{1}, 10, 99}, {{1}, 20, 1}};
	struct fit f;

	(void)state;
	assert_int_equal(fit_rows(rows, 2, 1, &f), 0);
	near(f.c[0], 10.1);
}

static void test_a_row_of_nothing(void **state)
{
	const struct fit_row rows[] = {{{0}, 0, 1}, {{1}, 2, 1}};
	struct fit f;

	(void)state;
	assert_int_equal(fit_rows(rows, 2, 1, &f), 0);
	near(f.c[0], 2);
	near(f.off, 0);
}

static void test_what_cannot_be_fitted(void **state)
{
	/* the second term is always twice the first */
	const struct fit_row same[] = {{{1, 2}, 1, 1}, {{2, 4}, 2, 1}, {{3, 6}, 3, 1}};
	const struct fit_row none[] = {{{0, 1}, 1, 1}, {{0, 2}, 2, 1}, {{0, 3}, 3, 1}};
	struct fit f;

	(void)state;
	assert_int_equal(fit_rows(same, 3, 2, &f), -EDOM);
	assert_int_equal(fit_rows(none, 3, 2, &f), -EDOM);
	assert_int_equal(fit_rows(same, 2, 2, &f), -EINVAL);
	assert_int_equal(fit_rows(same, 3, 0, &f), -EINVAL);
	assert_int_equal(fit_rows(same, 3, FIT_TERMS_MAX + 1, &f), -EINVAL);
	assert_int_equal(fit_rows(same, 3, 1, &f), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_exact_plane),
		cmocka_unit_test(test_error_of_a_line),
		cmocka_unit_test(test_weights_decide),
		cmocka_unit_test(test_a_row_of_nothing),
		cmocka_unit_test(test_what_cannot_be_fitted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
