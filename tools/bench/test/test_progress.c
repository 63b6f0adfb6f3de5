/* What a long measurement says about itself while it runs, and the names of topologies. Pure but for one free
 * port. */
#include "cmocka_first.h"
#include "../progress.h"
#include "../topology.h"
#include "base/clock.h"

static void test_time_left(void **state)
{
	/* ten runs of 6 s */
	const struct progress p = {100 * NS_PER_S, 60, 6, 0}, later = {100 * NS_PER_S, 60, 6, 24};

	(void)state;
	/* nothing is known yet: what the runs are meant to take */
	assert_true(progress_left(&p, 0, 101 * NS_PER_S) == 60);
	/* half of the first run took 4 s: 9.5 more of 8 s each */
	assert_true(progress_left(&p, 0.5, 104 * NS_PER_S) == 76);
	assert_true(progress_left(&later, 1, 120 * NS_PER_S) == 20);
	assert_true(progress_left(&(struct progress){0, 10, 5, 10}, 0.5, 9) == 0);
}

static void test_time_as_text(void **state)
{
	char out[24];

	(void)state;
	assert_string_equal(progress_time(59.6, out), "about 60 s");
	assert_string_equal(progress_time(150, out), "about 2 min");
	assert_string_equal(progress_time(3600, out), "about 60 min");
}

static void test_window_fits_the_budget(void **state)
{
	(void)state;
	assert_true(progress_window(9, 2.6, 110, 1, 4) == 4);	/* 59 s in all: as long as it is useful */
	assert_true(progress_window(20, 2.5, 110, 1, 4) == 3);	/* 20 x (2.5 + 3) */
	assert_true(progress_window(100, 2.6, 110, 1, 4) == 1); /* too many runs: shorter means nothing */
	assert_true(progress_window(0, 2.6, 110, 1, 4) == 4);
}

static void test_topology_names(void **state)
{
	bool remote = true;

	(void)state;
	assert_int_equal(topology_parse("local", &remote), 0);
	assert_false(remote);
	assert_int_equal(topology_parse("remote", &remote), 0);
	assert_true(remote);
	assert_int_equal(topology_parse("Remote", &remote), -EINVAL);
	assert_int_equal(topology_parse("", &remote), -EINVAL);
	assert_true(remote);
	assert_string_not_equal(topology_about("local"), topology_about("remote"));
}

static void test_addresses(void **state)
{
	struct topology local, remote = {.remote = true};
	char a[NET_TEXT_MAX], b[NET_TEXT_MAX];

	(void)state;
	assert_int_equal(topology_open(&local, false), 0);
	assert_int_equal(topology_address(&local, PLACE_RELAY, a), 0);
	assert_int_equal(strncmp(a, "127.0.0.1:", 10), 0);
	topology_close(&local);
	assert_int_equal(topology_address(&remote, PLACE_RELAY, a), 0);
	assert_int_equal(topology_address(&remote, PLACE_ORIGIN, b), 0);
	assert_string_equal(a, "192.0.2.2:4001");
	assert_string_equal(b, "198.51.100.2:4002");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_time_left),
		cmocka_unit_test(test_time_as_text),
		cmocka_unit_test(test_window_fits_the_budget),
		cmocka_unit_test(test_topology_names),
		cmocka_unit_test(test_addresses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
