/* observe/access_log: redaction, one whole line per record, never waiting. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "alloc_fail.h"
#include "base/slice.h"
#include "observe/access_log.h"
#include <fcntl.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>

static void expect_redacted(const char *query, const char *want)
{
	_cleanup_buf_ struct buf out = {0};

	assert_int_equal(access_log_redact(&out, slice_of(query)), 0);
	assert_int_equal(out.len, strlen(want));
	assert_memory_equal(out.data ? out.data : "", want, out.len);
}

static void values_are_never_logged(void **state)
{
	(void)state;
	expect_redacted("", "");
	expect_redacted("token=secret", "token=***");
	expect_redacted("a=1&api_key=x=y&b", "a=***&api_key=***&***");
	expect_redacted("a=", "a=***");
	expect_redacted("flag&x=1", "***&x=***");
}

static struct sluice_ctl record(void)
{
	struct sluice_ctl c = {.id = 42,
		.status = 200,
		.lane = SLUICE_LANE_COPY,
		.start_ns = 1000000,
		.head_ns = 3500000,
		.first_event_ns = 0,
		.bytes_out = 123,
		.events = 4,
		.heartbeats = 2};

	strcpy(c.method, "GET");
	strcpy(c.path, "/events");
	strcpy(c.route_name, "live \"quoted\"");
	return c;
}

static json_t *read_line(int fd)
{
	char line[8192];
	ssize_t n = read(fd, line, sizeof(line) - 1);

	assert_true(n > 0);
	assert_int_equal(line[n - 1], '\n');
	return json_loadb(line, (size_t)n, 0, NULL);
}

static void a_line_holds_the_whole_truth(void **state)
{
	struct sluice_counters totals = {0};
	struct sluice_ctl c = record();
	struct log_end end = {.by = SLUICE_BY_UPSTREAM,
		.phase = "copy",
		.detail = "reset",
		.request.query = SLICE("token=abc"),
		.now_ns = 11000000};
	int ends[2];

	(void)state;
	assert_int_equal(pipe(ends), 0);
	struct access_log log = {.pipe_fd = ends[1], .totals = &totals};
	access_log_end(&log, &c, &end);
	json_t *o = read_line(ends[0]);
	assert_non_null(o);
	assert_string_equal(json_string_value(json_object_get(o, "event")), "end");
	assert_string_equal(json_string_value(json_object_get(o, "ended_by")), "upstream");
	assert_string_equal(json_string_value(json_object_get(o, "phase")), "copy");
	assert_string_equal(json_string_value(json_object_get(o, "reason")), "reset");
	assert_string_equal(json_string_value(json_object_get(o, "query")), "token=***");
	assert_string_equal(json_string_value(json_object_get(o, "route")), "live \"quoted\"");
	assert_int_equal(json_integer_value(json_object_get(o, "events")), 4);
	assert_int_equal(json_integer_value(json_object_get(o, "heartbeats")), 2);
	assert_true(json_real_value(json_object_get(o, "head_ms")) == 2.5);
	assert_true(json_real_value(json_object_get(o, "age_ms")) == 10.0);
	assert_true(json_is_null(json_object_get(o, "first_event_ms")));
	json_decref(o);
	access_log_open(&log, &c, &(struct log_request){0});
	o = read_line(ends[0]);
	assert_string_equal(json_string_value(json_object_get(o, "event")), "open");
	assert_null(json_object_get(o, "client_certificate"));
	json_decref(o);
	close(ends[0]);
	close(ends[1]);
}

/* The longest line there is fits, and is whole. */
static void a_certificate_is_named_and_cut(void **state)
{
	struct sluice_counters totals = {0};
	struct sluice_ctl c = record();
	char query[1025], subject[2000];
	struct log_request req = {.certificate = "CN=a\\, b"};
	int ends[2];

	(void)state;
	assert_int_equal(pipe(ends), 0);
	struct access_log log = {.pipe_fd = ends[1], .totals = &totals};
	access_log_open(&log, &c, &req);
	json_t *o = read_line(ends[0]);
	assert_string_equal(json_string_value(json_object_get(o, "client_certificate")), "CN=a\\, b");
	json_decref(o);
	req.certificate = "";
	access_log_open(&log, &c, &req);
	o = read_line(ends[0]);
	assert_true(json_is_null(json_object_get(o, "client_certificate")));
	json_decref(o);
	memset(query, '=', sizeof(query) - 5);
	query[sizeof(query) - 5] = 0;
	memset(query, '"', 1000);
	memset(subject, '\\', sizeof(subject) - 1);
	subject[sizeof(subject) - 1] = 0;
	memset(c.path, '"', sizeof(c.path) - 1);
	memset(c.host, 'h', sizeof(c.host) - 1);
	req = (struct log_request){slice_of(query), subject};
	access_log_open(&log, &c, &req);
	o = read_line(ends[0]);
	assert_int_equal(strlen(json_string_value(json_object_get(o, "client_certificate"))), 512);
	assert_non_null(json_object_get(o, "query"));
	json_decref(o);
	assert_int_equal(totals.log_dropped, 0);
	close(ends[0]);
	close(ends[1]);
}

static void a_full_pipe_loses_lines_and_no_time(void **state)
{
	struct sluice_counters totals = {0};
	struct sluice_ctl c = record();
	struct log_end end = {.by = SLUICE_BY_COMPLETE, .phase = "copy", .now_ns = 5000000};
	int ends[2], written = 1000;

	(void)state;
	assert_int_equal(pipe2(ends, O_NONBLOCK), 0);
	struct access_log log = {.pipe_fd = ends[1], .totals = &totals};
	for (int i = 0; i < written; i++)
		access_log_end(&log, &c, &end);
	assert_true(totals.log_dropped > 0 && totals.log_dropped < (uint64_t)written);
	/* What did get in is whole lines. */
	static char all[1 << 20];
	ssize_t n = read(ends[0], all, sizeof(all));
	uint64_t lines = 0;
	for (ssize_t i = 0; i < n; i++)
		lines += all[i] == '\n';
	assert_int_equal(lines + totals.log_dropped, written);
	assert_int_equal(all[n - 1], '\n');
	close(ends[0]);
	close(ends[1]);
}

/* Whichever allocation fails: the line is whole, or it is not there and counted. */
static void without_memory_a_line_is_whole_or_counted(void **state)
{
	struct sluice_counters totals = {0};
	struct sluice_ctl c = record();
	struct log_end end = {.by = SLUICE_BY_UPSTREAM,
		.phase = "copy",
		.detail = "reset",
		.request = {SLICE("token=abc"), "CN=somebody"},
		.now_ns = 11000000};
	uint64_t lost = 0;
	bool hit = true;
	size_t keys;
	int ends[2];

	(void)state;
	alloc_fail_needed();
	assert_int_equal(pipe2(ends, O_NONBLOCK), 0);
	struct access_log log = {.pipe_fd = ends[1], .totals = &totals};
	access_log_end(&log, &c, &end);
	json_t *o = read_line(ends[0]);
	keys = json_object_size(o);
	json_decref(o);
	for (long n = 1; hit; n++) {
		char line[8192];
		ssize_t got;

		totals.log_dropped = 0;
		alloc_fail_at(n);
		access_log_end(&log, &c, &end);
		hit = alloc_fail_hit();
		alloc_fail_at(0);
		got = read(ends[0], line, sizeof(line));
		if (got < 0) {
			assert_int_equal(totals.log_dropped, 1);
			lost++;
			continue;
		}
		o = json_loadb(line, (size_t)got, 0, NULL);
		assert_int_equal(json_object_size(o), keys);
		assert_string_equal(json_string_value(json_object_get(o, "query")), "token=***");
		assert_string_equal(json_string_value(json_object_get(o, "reason")), "reset");
		assert_int_equal(totals.log_dropped, 0);
		json_decref(o);
	}
	assert_true(lost > 20);
	close(ends[0]);
	close(ends[1]);
}

static void wait_for_size(const char *path, off_t size)
{
	for (int i = 0; i < 500; i++) {
		FILE *f = fopen(path, "r");
		off_t now = 0;

		if (f) {
			fseeko(f, 0, SEEK_END);
			now = ftello(f);
			fclose(f);
		}
		if (now == size)
			return;
		usleep(10000);
	}
	fail_msg("%s did not get %ld bytes", path, (long)size);
}

static void the_process_writes_and_reopens(void **state)
{
	char dir[] = "/tmp/sluice-log-XXXXXX", path[64], moved[64];
	int fd, status;
	pid_t pid;

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/access.log", dir);
	snprintf(moved, sizeof(moved), "%s/access.log.1", dir);
	assert_int_equal(access_log_start(path, &fd, &pid), 0);
	assert_int_equal(write(fd, "one\n", 4), 4);
	wait_for_size(path, 4);
	assert_int_equal(rename(path, moved), 0);
	assert_int_equal(kill(pid, SIGHUP), 0);
	/* The signal and the next line race: rotation is done when a line arrives in the new file. */
	usleep(50000);
	assert_int_equal(write(fd, "two\n", 4), 4);
	wait_for_size(path, 4);
	wait_for_size(moved, 4);
	close(fd);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	unlink(path);
	unlink(moved);
	rmdir(dir);
	assert_int_equal(access_log_start("/nonexistent/dir/log", &fd, &pid), -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(values_are_never_logged),
		cmocka_unit_test(a_line_holds_the_whole_truth),
		cmocka_unit_test(a_certificate_is_named_and_cut),
		cmocka_unit_test(a_full_pipe_loses_lines_and_no_time),
		cmocka_unit_test(without_memory_a_line_is_whole_or_counted),
		cmocka_unit_test(the_process_writes_and_reopens),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
