/* The pure parts of the comparison: whose CPU time it was, medians and ratios, config files, options, URLs.
 */
#include "cmocka_first.h"
#include "../cli.h"
#include "../compare.h"
#include "../net.h"
#include "base/clock.h"

static void test_stat_of_a_process(void **state)
{
	char comm[32];
	pid_t ppid = 0;

	(void)state;
	assert_int_equal(cpu_parse_stat("12 (a) b) (c) S 34 12 12", &ppid, comm), 0);
	assert_int_equal(ppid, 34);
	assert_string_equal(comm, "a) b) (c");
	assert_int_equal(cpu_parse_stat("12 kworker S 34", &ppid, comm), -EINVAL);
}

static void test_stat_of_the_machine(void **state)
{
	struct cpu_sample s = {0};

	(void)state;
	assert_int_equal(cpu_parse_machine("cpu  1 2 3 400 50 6 7 8 9 10\ncpu0", 100, &s), 0);
	assert_int_equal(s.busy_ns, (1 + 2 + 3 + 6 + 7) * 10 * NS_PER_MS);
	assert_int_equal(s.irq_ns, 13 * 10 * NS_PER_MS);
	assert_int_equal(s.steal_ns, 8 * 10 * NS_PER_MS);
	assert_int_equal(cpu_parse_machine("intr 1", 100, &s), -EINVAL);
}

static void test_cpu_between_samples(void **state)
{
	struct cpu_task a[] = {{5, CPU_ORIGIN, 100}, {6, CPU_LOAD, 50}, {7, CPU_CONTENDER, 1000}};
	struct cpu_task b[] = {
		{5, CPU_ORIGIN, 160}, {7, CPU_CONTENDER, 30}, {8, CPU_CONTENDER, 7}, {9, CPU_OTHER, 4}};
	struct cpu_sample before = {.tasks = a, .count = 3}, after = {.tasks = b, .count = 4, .busy_ns = 9};
	struct cpu_use use;

	(void)state;
	cpu_between(&before, &after, &use);
	assert_int_equal(use.ns[CPU_ORIGIN], 60);
	assert_int_equal(use.ns[CPU_LOAD], 0);	     /* it ended */
	assert_int_equal(use.ns[CPU_CONTENDER], 37); /* 7 is a new thread with an old number */
	assert_int_equal(use.ns[CPU_OTHER], 4);
	assert_int_equal(cpu_use_total(&use), 97);
	assert_int_equal(use.busy_ns, 9);
}

static void test_own_cpu_time_is_found(void **state)
{
	struct cpu_roots roots = {.load = getpid()};
	_cleanup_(cpu_sample_done) struct cpu_sample before = {0}, after = {0};
	struct cpu_use use;
	uint64_t until = clock_mono_ns() + 50 * NS_PER_MS;

	(void)state;
	assert_int_equal(cpu_sample_take(&before, &roots), 0);
	while (clock_mono_ns() < until)
		;
	assert_int_equal(cpu_sample_take(&after, &roots), 0);
	cpu_between(&before, &after, &use);
	assert_true(use.ns[CPU_LOAD] > 5 * NS_PER_MS); /* even on a crowded machine */
	assert_int_equal(use.ns[CPU_CONTENDER], 0);
}

static void test_spread_and_ratio(void **state)
{
	static struct contest a, b;
	static const double x[] = {8, 2, 6, 4}, y[] = {2, 4, 3, 0};
	struct spread s = {0};

	(void)state;
	a.count = b.count = 4;
	for (int i = 0; i < 4; i++) {
		a.runs[i].values[METRIC_P50] = x[i];
		b.runs[i].values[METRIC_P50] = y[i];
	}
	s = compare_spread(&a, METRIC_P50);
	assert_true(s.median == 5 && s.min == 2 && s.max == 8);
	assert_true(
		compare_ratio(&a, &b, METRIC_P50, &s)); /* 4, 0.5, 2; the fourth has nothing to divide by */
	assert_true(s.median == 2 && s.min == 0.5 && s.max == 4);
	b.count = 2;
	assert_true(compare_above(&a, &b, METRIC_P50, &s)); /* 6, -2 */
	assert_true(s.median == 2 && s.min == -2 && s.max == 6);
	assert_false(compare_ratio(&a, NULL, METRIC_P50, &s));
	for (int m = 0; m < METRICS; m++)
		assert_non_null(metric_rows[m].key);
}

static void test_peer_texts(void **state)
{
	const struct peer_vars vars = {"1.2.3.4:5", "6.7.8.9:10", "/d", "/d/c", "/s", "i"};
	_cleanup_buf_ struct buf out = {0};
	char *argv[PEER_ARGS_MAX] = {NULL};

	(void)state;
	assert_int_equal(peer_expand(SLICE("a @LISTEN@ b @ORIGIN@@DIR@."), &vars, &out), 0);
	assert_true(slice_eq(buf_slice(&out), SLICE("a 1.2.3.4:5 b 6.7.8.9:10/d.")));
	assert_int_equal(peer_expand(SLICE("a @NOBODY@"), &vars, &out), -EINVAL);
	assert_int_equal(peer_expand(SLICE("a @LISTEN"), &vars, &out), -EINVAL);
	assert_int_equal(peer_argv(peer_find(SLICE("nginx"))->argv, &vars, argv), 0);
	assert_string_equal(argv[0], "nginx");
	assert_string_equal(argv[2], "/d");
	peer_argv_free(argv);
	assert_null(argv[0]);
	assert_null(peer_find(SLICE("ngin")));
}

static void test_urls_and_addresses(void **state)
{
	static const char *const bad[] = {"http://", "127.0.0.1:80", "http://:80/", "http://127.0.0.1:99999/",
		"http://127.0.0.1:8x/", "http://[::1/"};
	struct net_url u;
	struct net_address a;
	char text[NET_TEXT_MAX];

	(void)state;
	assert_int_equal(net_url_parse("http://127.0.0.1:8080/events?n=1", &u), 0);
	assert_string_equal(u.host, "127.0.0.1:8080");
	assert_string_equal(u.path, "/events?n=1");
	net_address_text(&u.address, text);
	assert_string_equal(text, "127.0.0.1:8080");
	assert_int_equal(net_url_parse("http://[::1]?a", &u), 0);
	assert_string_equal(u.path, "/?a");
	net_address_text(&u.address, text);
	assert_string_equal(text, "[::1]:80");
	assert_false(u.tls);
	assert_int_equal(net_url_parse("https://127.0.0.1/", &u), 0);
	assert_true(u.tls);
	net_address_text(&u.address, text);
	assert_string_equal(text, "127.0.0.1:443");
	assert_int_equal(net_url_parse("ftp://127.0.0.1/", &u), -EPROTONOSUPPORT);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		if (net_url_parse(bad[i], &u) != -EINVAL)
			fail_msg("taken as good: %s", bad[i]);
	assert_int_equal(net_address_parse("127.0.0.1", &a), -EINVAL);
	assert_int_equal(net_address_parse("localhost:80", &a), -EINVAL);
	assert_int_equal(net_address_parse("[::]:0", &a), 0);
}

static void test_options(void **state)
{
	uint64_t count = 1;
	double number = 2, maybe = 3;
	bool on = false, off = true;
	const char *text = NULL;
	const struct cli_option options[] = {
		CLI_RANGE("count", CLI_COUNT, &count, "N", "", 1, 10),
		CLI_RANGE("number", CLI_NUMBER, &number, "N", "", 0, 10),
		{"maybe", CLI_NUMBER_IF, &maybe, "N", "", 0, 10, 7, false},
		CLI_SWITCH("on", CLI_ON, &on, ""),
		CLI_SWITCH("off", CLI_OFF, &off, ""),
		{"text", CLI_TEXT, &text, "T", "", 0, 0, 0, true},
	};
	const struct cli cli = {"test", "", options, ARRAY_LEN(options)};
	char *good[] = {"test", "--count", "5", "--number=2.5", "--maybe", "--on", "--off", "--text", "x"};
	char *set[] = {"test", "--maybe=4", "--text=y"};
	char *bad[][3] = {{"test", "--count", "11"}, {"test", "--count", "1.5"}, {"test", "--number", "x"},
		{"test", "--on=1", "--text=x"}, {"test", "--text=x", "--nobody"}, {"test", "--on", "--off"},
		{"test", "--text=x", "--count"}};

	(void)state;
	assert_int_equal(cli_parse(&cli, ARRAY_LEN(good), good), 0);
	assert_true(count == 5 && number == 2.5 && maybe == 7 && on && !off && !strcmp(text, "x"));
	assert_int_equal(cli_parse(&cli, ARRAY_LEN(set), set), 0);
	assert_true(maybe == 4 && !strcmp(text, "y"));
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		text = NULL;
		assert_int_equal(cli_parse(&cli, 3, bad[i]), -EINVAL);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_stat_of_a_process),
		cmocka_unit_test(test_stat_of_the_machine),
		cmocka_unit_test(test_cpu_between_samples),
		cmocka_unit_test(test_own_cpu_time_is_found),
		cmocka_unit_test(test_spread_and_ratio),
		cmocka_unit_test(test_peer_texts),
		cmocka_unit_test(test_urls_and_addresses),
		cmocka_unit_test(test_options),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
