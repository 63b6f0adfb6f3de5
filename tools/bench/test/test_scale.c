/* From rows to a model to a host: made-up runs whose costs are known come back, through the file as well. */
#include "cmocka_first.h"
#include "../plot.h"
#include "../scale.h"
#include <math.h>
#include <stdio.h>

#define PER_EVENT  20e-6 /* CPU seconds */
#define PER_STREAM 3e-6	 /* CPU seconds a second */
#define USER_BASE  (30.0 * 1048576)
#define USER	   2048.0
#define KERNEL	   7000.0

#define near(a, b) assert_true(fabs((double)(a) - (double)(b)) <= 1e-6 * fabs((double)(b)) + 1e-12)

static const double grid_streams[] = {100, 1000, 5000}, grid_rates[] = {0, 1, 10};

static void add(struct scale_data *d, const char *name, double streams, double rate, unsigned round)
{
	struct scale_row r = {.streams = streams, .rate = rate, .round = round};
	bool none = !strcmp(name, "none");

	snprintf(r.contender, sizeof(r.contender), "%s", name);
	r.values[METRIC_RATE] = streams * rate;
	r.values[METRIC_CORES] = 0.01 + streams * rate * 10e-6 +
				 (none ? 0 : streams * rate * PER_EVENT + streams * PER_STREAM);
	r.values[METRIC_MEMORY_USER] = none ? 0 : USER_BASE + streams * USER;
	r.values[METRIC_MEMORY_SLAB] = streams * KERNEL * (none ? 1 : 2);
	assert_int_equal(scale_add(d, &r), 0);
}

static struct scale_data made_up(void)
{
	struct scale_data d = {.topology = "local",
		.size = 200,
		.seconds = 5,
		.idle_seconds = 15,
		.machine = {"a CPU", "Linux", 2, 4096, "2026-11-21T10:00:00Z"},
		.contenders = {{"none", ""}, {"x", "x 1.0"}},
		.contender_count = 2};

	for (unsigned round = 0; round < 2; round++)
		for (size_t s = 0; s < ARRAY_LEN(grid_streams); s++)
			for (size_t r = 0; r < ARRAY_LEN(grid_rates); r++) {
				add(&d, "none", grid_streams[s], grid_rates[r], round);
				add(&d, "x", grid_streams[s], grid_rates[r], round);
			}
	return d;
}

static void test_model_of_known_costs(void **state)
{
	_cleanup_(scale_data_done) struct scale_data d = made_up();
	struct scale_model m;

	(void)state;
	assert_true(scale_fit(&d, "x", &m));
	near(m.cpu.c[0], PER_EVENT);
	near(m.cpu.c[1], PER_STREAM);
	assert_int_equal(m.cpu.rows, 18);
	near(m.user.c[0], USER);
	near(m.user.c[1], USER_BASE);
	near(m.kernel.c[0], KERNEL);
	assert_int_equal(m.kernel.rows, 6); /* idle streams only */
	near(scale_memory(&m, 10), 10 * (USER + KERNEL));
	assert_false(scale_fit(&d, "nobody", &m));
}

/* A CPU that sleeps between events costs each of them its waking; and places where the ends were full tell
 * nothing. */
static void test_price_of_waking(void **state)
{
	struct scale_data d = {.contender_count = 2, .machine = {.cpus = 2}};
	struct scale_model m;

	(void)state;
	for (double events = 50; events <= 51200; events *= 2) {
		struct scale_row none = {.contender = "none", .streams = 100, .rate = events / 100}, x = none;
		double half = 2000, least = 1 / (1 + 25600 / half), share = 1 / (1 + events / half);

		snprintf(x.contender, sizeof(x.contender), "x");
		none.values[METRIC_RATE] = x.values[METRIC_RATE] = events;
		none.values[METRIC_CORES] = events * 30e-6; /* 0.77 at 25,600, 1.5 at 51,200 */
		x.values[METRIC_CORES] = none.values[METRIC_CORES] + events * 20e-6 +
					 events * 150e-6 * (share - least) / (1 - least);
		if (events > 25600)
			x.values[METRIC_CORES] = none.values[METRIC_CORES];
		assert_int_equal(scale_add(&d, &none), 0);
		assert_int_equal(scale_add(&d, &x), 0);
		assert_int_equal(scale_crowded(&d, &x), events > 25600);
	}
	assert_true(scale_fit(&d, "x", &m));
	assert_int_equal(m.cpu.rows, 10);
	near(m.busiest, 25600);
	assert_true(m.half > 1800 && m.half < 2200);
	assert_true(fabs(scale_event(&m, 25600) - 20e-6) < 1e-6);
	assert_true(fabs(scale_event(&m, 1e6) - 20e-6) < 1e-6);
	assert_true(fabs(scale_event(&m, 0) - 170e-6) < 10e-6);
	assert_true(fabs(scale_event(&m, 2000) - 90e-6) < 10e-6);
	scale_data_done(&d);
}

/* A run in which events were lost did less work, and one without its twin has nothing to be set against. */
static void test_rows_that_do_not_count(void **state)
{
	_cleanup_(scale_data_done) struct scale_data d = made_up();
	struct scale_row wrong = {.contender = "x", .streams = 100, .rate = 10},
			 alone = {.contender = "x", .streams = 77, .rate = 10};
	struct scale_model m;
	double cores;

	(void)state;
	wrong.values[METRIC_CORES] = alone.values[METRIC_CORES] = 50;
	wrong.values[METRIC_WRONG] = 1;
	assert_int_equal(scale_add(&d, &wrong), 0);
	assert_int_equal(scale_add(&d, &alone), 0);
	assert_false(scale_cores(&d, &alone, &cores));
	assert_true(scale_fit(&d, "x", &m));
	assert_int_equal(m.cpu.rows, 18);
	near(m.cpu.c[0], PER_EVENT);
}

static void test_capacity(void **state)
{
	struct scale_model m = {.cpu = {.c = {20e-6, 5e-6}, .error = {1e-6, 0}, .rows = 9},
		.user = {.c = {1000, 1e6}, .rows = 9},
		.kernel = {.c = {9000}, .rows = 9}};
	const struct scale_host host = {10, 101e6, 0.5, 1};
	struct scale_capacity c = scale_capacity(&m, &host, 1);

	(void)state;
	near(c.by_cpu, 5 / 25e-6);
	near(c.by_cpu_low, 5 / 27e-6);
	near(c.by_cpu_high, 5 / 23e-6);
	near(c.by_memory, 100e6 / 10000);
	/* noise can make an idle stream's price negative: then the CPUs set no bound, and memory does */
	m.cpu.c[1] = -1e-6;
	assert_true(isinf(scale_capacity(&m, &host, 0).by_cpu));
	near(scale_capacity(&m, &host, 0).by_memory, 10000);
	near(scale_capacity(&m, &host, 1).by_cpu, 5 / 20e-6);
	m = (struct scale_model){.cpu = {.rows = 0}};
	assert_true(
		isinf(scale_capacity(&m, &host, 1).by_cpu) && isinf(scale_capacity(&m, &host, 1).by_memory));
}

static void test_file_and_back(void **state)
{
	_cleanup_(scale_data_done) struct scale_data d = made_up(), back = {.count = 0};
	char path[] = "/tmp/sluice-test-scale.XXXXXX", why[200];
	int fd = mkstemp(path);

	(void)state;
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(scale_write(&d, path), 0);
	assert_int_equal(scale_read(path, &back, why, sizeof(why)), 0);
	unlink(path);
	assert_int_equal(back.count, d.count);
	for (size_t i = 0; i < d.count; i++) {
		assert_string_equal(back.rows[i].contender, d.rows[i].contender);
		assert_int_equal(back.rows[i].round, d.rows[i].round);
		near(back.rows[i].streams, d.rows[i].streams);
		for (int m = 0; m < METRICS; m++)
			near(back.rows[i].values[m], d.rows[i].values[m]);
	}
	assert_string_equal(back.machine.cpu, "a CPU");
	assert_string_equal(back.machine.when, d.machine.when);
	assert_string_equal(back.topology, "local");
	assert_string_equal(back.contenders[1].version, "x 1.0");
	assert_int_equal(back.contender_count, 2);
	near(back.idle_seconds, 15);
}

static int read_text(const char *text, char *why, size_t size)
{
	char path[] = "/tmp/sluice-test-scale.XXXXXX";
	struct scale_data d;
	int fd = mkstemp(path), err;

	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
	err = scale_read(path, &d, why, size);
	unlink(path);
	if (!err)
		scale_data_done(&d);
	return err;
}

#define HEAD                                                                                                 \
	"\"when\":\"w\",\"machine\":{\"cpu\":\"c\",\"cpus\":1,\"kernel\":\"k\",\"memory_mib\":1},"           \
	"\"settings\":{\"topology\":\"local\","                                                              \
	"\"size\":1,\"seconds\":1.5,\"idle_seconds\":15}"

static void test_files_that_are_wrong(void **state)
{
	char why[200] = "";

	(void)state;
	assert_int_equal(read_text("{\"format\":1,\"kind\":\"scale\"," HEAD
				   ",\"contenders\":[{\"name\":\"a\",\"version\":\"\"}],\"runs\":[]}",
				 why, sizeof(why)),
		0);
	assert_int_equal(read_text("{\"format\":1,", why, sizeof(why)), -EBADMSG);
	assert_int_equal(strncmp(why, "line ", 5), 0);
	assert_int_equal(read_text("{\"format\":1,\"contenders\":[]}", why, sizeof(why)), -EBADMSG);
	assert_non_null(strstr(why, "not a file of `sluice-bench scale`"));
	assert_int_equal(read_text("{\"format\":2,\"kind\":\"scale\"," HEAD "}", why, sizeof(why)), -EBADMSG);
	assert_non_null(strstr(why, "format 2"));
	assert_int_equal(read_text("{\"format\":1,\"kind\":\"scale\"," HEAD ",\"contenders\":[],\"runs\":[]}",
				 why, sizeof(why)),
		-EBADMSG);
	assert_int_equal(read_text("{\"format\":1,\"kind\":\"scale\"," HEAD
				   ",\"contenders\":[{\"name\":\"a\",\"version\":\"\"}],\"runs\":[{}]}",
				 why, sizeof(why)),
		-EBADMSG);
	assert_int_equal(read_text("[]", why, sizeof(why)), -EBADMSG);
}

static void test_page(void **state)
{
	_cleanup_(scale_data_done) struct scale_data d = made_up();
	const struct scale_host host = {32, 256e9, 0.7, 0.8};
	char path[] = "/tmp/sluice-test-page.XXXXXX", text[32768];
	int fd = mkstemp(path);
	size_t n;
	FILE *f;

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(write(fd, "no marks\n", 9), 9);
	assert_int_equal(scale_write_page(&d, &host, path), -EBADMSG);
	n = (size_t)snprintf(text, sizeof(text), "# Top\n%sold figures\n%sbelow\n", SCALE_BEGIN, SCALE_END);
	assert_int_equal(pwrite(fd, text, n, 0), n);
	close(fd);
	for (int again = 0; again < 2; again++)
		assert_int_equal(scale_write_page(&d, &host, path), 0);
	f = fopen(path, "re");
	n = fread(text, 1, sizeof(text) - 1, f);
	text[n] = 0;
	fclose(f);
	unlink(path);
	assert_int_equal(strncmp(text, "# Top\n" SCALE_BEGIN, 6 + sizeof(SCALE_BEGIN) - 1), 0);
	assert_string_equal(text + n - sizeof(SCALE_END "below\n") + 1, SCALE_END "below\n");
	assert_null(strstr(text, "old figures"));
	assert_non_null(strstr(text, "| `x` | 20.00 ± 0.00 | 20.00 | – | 0.300 ± 0.000 |"));
	assert_non_null(strstr(text, "`net.ipv4.tcp_mem`"));
	assert_int_equal(scale_write_page(&d, &host, "/tmp/there-is-no-such-page"), -ENOENT);
}

static void test_grid(void **state)
{
	struct grid g = {.streams = {10, 1000}, .rates = {0, 5}, .max_events = 100};
	double out[GRID_MAX];
	size_t n = 0;

	(void)state;
	assert_int_equal(grid_parse("1,2.5,300", 0, 300, out, &n), 0);
	assert_int_equal(n, 3);
	near(out[1], 2.5);
	assert_int_equal(grid_parse("", 0, 300, out, &n), -EINVAL);
	assert_int_equal(grid_parse("1,", 0, 300, out, &n), -EINVAL);
	assert_int_equal(grid_parse("1,,2", 0, 300, out, &n), -EINVAL);
	assert_int_equal(grid_parse("1,301", 0, 300, out, &n), -EINVAL);
	assert_int_equal(n, 3);
	assert_true(grid_has(&g, 1, 0) && grid_has(&g, 0, 1));
	assert_false(grid_has(&g, 1, 1));
}

static void test_what_a_plot_is_drawn_for(void **state)
{
	_cleanup_(scale_data_done) struct scale_data d = made_up(), empty = {.count = 0};

	(void)state;
	near(plot_shared(&d, false), 10);  /* both rates were run everywhere: the one with more events */
	near(plot_shared(&d, true), 5000); /* likewise */
	add(&d, "x", 1000, 20, 0);
	near(plot_shared(&d, true), 1000); /* three rates there */
	assert_true(plot_shared(&empty, true) == 0);
}

static void test_versions_beneath_a_plot(void **state)
{
	static const struct plot_version list[] = {{"none", ""}, {"sluice-copy", "sluice 1"},
		{"nginx", "nginx version: nginx/1.22"}, {"sluice-splice", "sluice 1"}};
	struct plot_version many[8];
	char out[1200];

	(void)state;
	plot_versions(list, ARRAY_LEN(list), out, sizeof(out));
	assert_string_equal(out, "\nsluice-copy, sluice-splice: sluice 1; nginx: nginx/1.22");
	for (size_t i = 0; i < ARRAY_LEN(many); i++)
		many[i] = (struct plot_version){"a-contender",
			(const char *[]){"v1", "v2", "v3", "v4", "v5", "v6", "v7",
				"a version that is longer than anybody would like to read beneath a plot"}
				[i]};
	plot_versions(many, ARRAY_LEN(many), out, sizeof(out));
	for (char *line = strtok(out, "\n"); line; line = strtok(NULL, "\n"))
		assert_true(strlen(line) <= 160);
	assert_null(strstr(out, "beneath"));
	plot_versions(list, 1, out, sizeof(out));
	assert_string_equal(out, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_model_of_known_costs),
		cmocka_unit_test(test_price_of_waking),
		cmocka_unit_test(test_rows_that_do_not_count),
		cmocka_unit_test(test_capacity),
		cmocka_unit_test(test_file_and_back),
		cmocka_unit_test(test_files_that_are_wrong),
		cmocka_unit_test(test_page),
		cmocka_unit_test(test_grid),
		cmocka_unit_test(test_what_a_plot_is_drawn_for),
		cmocka_unit_test(test_versions_beneath_a_plot),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
