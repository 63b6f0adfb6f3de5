/* The pure parts of the comparison: whose CPU time it was, medians and ratios, config files, options, URLs.
 */
#include "cmocka_first.h"
#include "../cli.h"
#include "../compare.h"
#include "../net.h"
#include "../scenario.h"
#include "base/clock.h"
#include <math.h>
#include <signal.h>
#include <sys/wait.h>

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

/* What the machine did above a run without a proxy: a 30, b 18, floor 10 are (30-10)/(18-10). */
static void test_above_ratio(void **state)
{
	static struct contest a, b, floor;
	static const double x[] = {30, 14, 5}, y[] = {18, 18, 10}, low[] = {10, 10, 10};
	struct spread s = {0};

	(void)state;
	a.count = b.count = floor.count = 3;
	for (int i = 0; i < 3; i++) {
		a.runs[i].values[METRIC_MACHINE] = x[i];
		b.runs[i].values[METRIC_MACHINE] = y[i];
		floor.runs[i].values[METRIC_MACHINE] = low[i];
	}
	/* The third round has nothing to divide by. */
	assert_true(compare_above_ratio(&a, &b, &floor, METRIC_MACHINE, &s));
	assert_true(s.median == 1.5 && s.min == 0.5 && s.max == 2.5);
	assert_false(compare_above_ratio(&a, &b, NULL, METRIC_MACHINE, &s));
	assert_false(compare_above_ratio(&a, NULL, &floor, METRIC_MACHINE, &s));
}

static void contest_of(
	struct contest *c, const char *name, double machine, double own, double p50, double stopped)
{
	memset(c, 0, sizeof(*c));
	c->peer = peer_find(slice_of(name));
	c->count = 1;
	c->runs[0].values[METRIC_MACHINE] = machine;
	c->runs[0].values[METRIC_CONTENDER] = own;
	c->runs[0].values[METRIC_P50] = p50;
	c->runs[0].values[METRIC_PAUSE_P99] = stopped;
	c->runs[0].values[METRIC_RATE] = c->runs[0].values[METRIC_PAUSE_RATE] = 40000;
}

/* The verdict on one target, or NULL. */
static const struct verdict *verdict_on(const struct compare *cmp, const char *of, const char *key)
{
	static struct verdict all[COMPARE_VERDICTS_MAX];
	size_t n = compare_judge(cmp, all);

	for (size_t i = 0; i < n; i++)
		if (!strcmp(all[i].of, of) && !strcmp(all[i].key, key))
			return &all[i];
	return NULL;
}

static void assert_verdict(
	const struct compare *cmp, const char *of, const char *key, double value, bool pass)
{
	const struct verdict *v = verdict_on(cmp, of, key);

	if (!v)
		fail_msg("%s: %s was not judged", of, key);
	else if (v->value < value - 1e-9 || v->value > value + 1e-9 || v->pass != pass || v->unreliable)
		fail_msg("%s: %s is %g, %s%s", of, key, v->value, v->pass ? "pass" : "over",
			v->unreliable ? ", unreliable" : "");
}

static void test_targets_are_judged(void **state)
{
	static struct contest c[4];
	struct compare cmp = {.scenario = &scenario_events,
		.client = client_find("h1"),
		.streams = 1000,
		.rate = 40,
		.pause = 1,
		.contests = c,
		.count = 4};
	struct run *splice = &c[2].runs[0];

	(void)state;
	contest_of(&c[0], "none", 16, 0, 11, 100);
	contest_of(&c[1], "sluice-copy", 32, 12, 29, 990);
	contest_of(&c[2], "sluice-splice", 25, 0.02, 26, 4);
	contest_of(&c[3], "nginx", 34, 15, 32, 991);
	assert_verdict(&cmp, "sluice-copy", "cpu_contender_to_nginx", 12. / 15, true);
	assert_verdict(&cmp, "sluice-copy", "latency_p50_to_nginx", 29. / 32, true);
	assert_verdict(&cmp, "sluice-splice", "cpu_machine_above_none_to_nginx", 9. / 18, true);
	assert_verdict(&cmp, "sluice-splice", "cpu_machine_above_none_to_copy", 9. / 16, true);
	assert_verdict(&cmp, "sluice-splice", "cpu_contender", 0.02, true);
	assert_verdict(&cmp, "sluice-splice", "latency_p50_to_nginx", 26. / 32, true);
	assert_verdict(&cmp, "sluice-splice", "stopped_latency_p99", 4, true);

	contest_of(&c[2], "sluice-splice", 33, 0.06, 33, 5.1);
	assert_verdict(&cmp, "sluice-splice", "cpu_machine_above_none_to_nginx", 17. / 18, false);
	assert_verdict(&cmp, "sluice-splice", "cpu_machine_above_none_to_copy", 17. / 16, false);
	assert_verdict(&cmp, "sluice-splice", "cpu_contender", 0.06, false);
	assert_verdict(&cmp, "sluice-splice", "latency_p50_to_nginx", 33. / 32, false);
	assert_verdict(&cmp, "sluice-splice", "stopped_latency_p99", 5.1, false);

	/* Fast for those that came is not fast when a tenth never came. */
	splice->values[METRIC_PAUSE_P99] = 1;
	splice->values[METRIC_PAUSE_RATE] = 36000;
	assert_verdict(&cmp, "sluice-splice", "stopped_latency_p99", 1, false);
}

/* Issue 4's targets are judged when clients come over TLS, and issue 2's are not. */
static void test_targets_depend_on_the_clients(void **state)
{
	static struct contest c[2];
	struct compare cmp = {.scenario = &scenario_events,
		.client = client_find("h2"),
		.streams = 1000,
		.rate = 40,
		.contests = c,
		.count = 2};

	(void)state;
	c[0].peer = peer_find(SLICE("sluice-copy"));
	c[1].peer = peer_find(SLICE("nginx"));
	for (size_t i = 0; i < 2; i++) {
		c[i].count = 1;
		c[i].runs[0].values[METRIC_CONTENDER] = i ? 10 : 8.8;
		c[i].runs[0].values[METRIC_P50] = i ? 100 : 101;
	}
	assert_verdict(&cmp, "sluice-copy", "cpu_contender_to_nginx", 0.88, true); /* 0.85 is of plaintext */
	assert_verdict(&cmp, "sluice-copy", "latency_p50_to_nginx", 1.01, false);
	assert_null(client_find("h3"));
}

/* A scenario fills its own metrics; NAN is what it did not measure, and no zero. */
static void test_what_was_not_measured(void **state)
{
	static struct contest c[2];
	struct compare cmp = {
		.scenario = &scenario_idle, .client = client_find("tls"), .contests = c, .count = 2};
	struct spread s = {1, 2, 3};

	(void)state;
	c[0].peer = peer_find(SLICE("sluice-copy"));
	c[1].peer = peer_find(SLICE("nginx"));
	for (size_t i = 0; i < 2; i++) {
		c[i].count = 2;
		for (int m = 0; m < METRICS; m++)
			c[i].runs[0].values[m] = c[i].runs[1].values[m] = NAN;
		c[i].runs[0].values[METRIC_IDLE_USER] = i ? 1000 : 500;
		c[i].runs[1].values[METRIC_IDLE_USER] = i ? 1000 : 700;
	}
	assert_false(compare_measured(&c[0], METRIC_P50, &s));
	assert_false(compare_ratio(&c[0], &c[1], METRIC_P50, &s));
	assert_false(compare_above(&c[0], &c[1], METRIC_P50, &s));
	assert_true(s.median == 1 && compare_spread(&c[0], METRIC_P50).max == 0);
	assert_true(compare_above(&c[0], &c[1], METRIC_IDLE_USER, &s));
	assert_true(s.median == -400 && s.min == -500 && s.max == -300);
	assert_verdict(&cmp, "sluice-copy", "idle_user_to_nginx", 0.6, true);
	c[0].runs[1].values[METRIC_IDLE_USER] = NAN;
	assert_verdict(&cmp, "sluice-copy", "idle_user_to_nginx", 0.5, true);
}

static void test_scenarios(void **state)
{
	char names[128];

	(void)state;
	scenario_names(names, sizeof(names));
	assert_string_equal(names, "events idle setup abort stall saturate");
	assert_ptr_equal(scenario_find("stall"), &scenario_stall);
	assert_null(scenario_find("stal"));
}

static void test_targets_need_their_runs(void **state)
{
	static struct contest c[4];
	struct compare cmp = {.scenario = &scenario_events,
		.client = client_find("h1"),
		.streams = 1000,
		.rate = 40,
		.contests = c,
		.count = 4};

	(void)state;
	contest_of(&c[0], "none", 16, 0, 11, 0);
	contest_of(&c[1], "sluice-copy", 32, 12, 29, 0);
	contest_of(&c[2], "sluice-splice", 25, 0.02, 26, 0);
	contest_of(&c[3], "nginx", 34, 15, 32, 0);
	assert_null(verdict_on(&cmp, "sluice-splice", "stopped_latency_p99")); /* --pause 0 */
	c[0].count = 0;
	assert_null(verdict_on(&cmp, "sluice-splice", "cpu_machine_above_none_to_nginx"));
	assert_non_null(verdict_on(&cmp, "sluice-splice", "cpu_contender"));
	/* Other work took a tenth of a CPU: 2.5 us of each of 40,000 events a second. */
	c[3].runs[0].values[METRIC_OTHER] = 2.5;
	assert_true(verdict_on(&cmp, "sluice-splice", "latency_p50_to_nginx")->unreliable);
	assert_false(verdict_on(&cmp, "sluice-splice", "cpu_contender")->unreliable);
	c[2].count = 0;
	assert_null(verdict_on(&cmp, "sluice-splice", "cpu_contender"));
}

static void test_a_group_is_stopped(void **state)
{
	int status;
	pid_t pid = fork();

	(void)state;
	if (pid == 0) {
		setpgid(0, 0);
		while (1)
			pause();
	}
	setpgid(pid, pid);
	assert_int_equal(compare_stop_group(pid), 0);
	assert_int_equal(waitpid(pid, &status, WUNTRACED), pid);
	assert_true(WIFSTOPPED(status));
	compare_continue_group(pid);
	assert_int_equal(waitpid(pid, &status, WCONTINUED), pid);
	assert_true(WIFCONTINUED(status));
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	assert_int_equal(compare_stop_group(pid), -ESRCH);
	compare_continue_group(pid);
}

static void test_peer_texts(void **state)
{
	struct peer_vars vars = {.listen = "1.2.3.4:5",
		.origin = "6.7.8.9:10",
		.dir = "/d",
		.conf = "/d/c",
		.cert = "/d/p",
		.sluice = "/s",
		.instance = "i",
		.workers = "3"};
	_cleanup_buf_ struct buf out = {0};
	const char *const marked[] = {"a", "@PLAIN@plain", "@TLS@cert=@CERT@", NULL};
	char *argv[PEER_ARGS_MAX] = {NULL};

	(void)state;
	assert_int_equal(peer_expand(SLICE("a @LISTEN@ b @ORIGIN@@DIR@."), &vars, &out), 0);
	assert_true(slice_eq(buf_slice(&out), SLICE("a 1.2.3.4:5 b 6.7.8.9:10/d.")));
	out.len = 0;
	assert_int_equal(peer_expand(SLICE("@LISTEN_HOST@ @ORIGIN_PORT@ a@@b"), &vars, &out), 0);
	assert_true(slice_eq(buf_slice(&out), SLICE("1.2.3.4 10 a@b")));
	out.len = 0;
	assert_int_equal(peer_expand(SLICE("workers: @WORKERS@"), &vars, &out), 0);
	assert_true(slice_eq(buf_slice(&out), SLICE("workers: 3")));
	assert_int_equal(peer_expand(SLICE("a @NOBODY@"), &vars, &out), -EINVAL);
	assert_int_equal(peer_expand(SLICE("a @LISTEN"), &vars, &out), -EINVAL);
	assert_int_equal(peer_argv(peer_find(SLICE("nginx"))->argv, &vars, argv), 0);
	assert_string_equal(argv[0], "nginx");
	assert_string_equal(argv[2], "/d");
	peer_argv_free(argv);
	assert_null(argv[0]);
	assert_null(peer_find(SLICE("ngin")));

	assert_int_equal(peer_argv(marked, &vars, argv), 0);
	assert_string_equal(argv[0], "a");
	assert_string_equal(argv[1], "plain");
	assert_null(argv[2]);
	peer_argv_free(argv);
	vars.tls = true;
	assert_int_equal(peer_argv(marked, &vars, argv), 0);
	assert_string_equal(argv[1], "cert=/d/p");
	assert_null(argv[2]);
	peer_argv_free(argv);
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
		cmocka_unit_test(test_above_ratio),
		cmocka_unit_test(test_targets_are_judged),
		cmocka_unit_test(test_what_was_not_measured),
		cmocka_unit_test(test_scenarios),
		cmocka_unit_test(test_targets_need_their_runs),
		cmocka_unit_test(test_targets_depend_on_the_clients),
		cmocka_unit_test(test_a_group_is_stopped),
		cmocka_unit_test(test_peer_texts),
		cmocka_unit_test(test_urls_and_addresses),
		cmocka_unit_test(test_options),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
