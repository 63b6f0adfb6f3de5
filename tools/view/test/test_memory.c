/* tools/view against a daemon of the test's own: a child process with the real admin socket and the real
 * shared memory, without the splice lane. The pinned maps are looked at by tests/net/test_ctl.py, with a real
 * sluice. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "../view.h"
#include "admin/admin.h"
#include "base/clock.h"
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>

#define SLOTS 4096
#define USED  6 /* of them, the first ones, in the tests of streams */

static char path[64];
static pid_t daemon_pid;
static int ready[2];
static struct sluice_ctl *records; /* shared with the daemon */
static struct sluice_counters *totals;
static uint32_t *abi, *workers;
static struct view_params where = {.admin = path, .instance = "test-view", .bpffs = "/nowhere"};

static _Noreturn void serve(struct state *state)
{
	struct loop *l;
	struct admin *a;
	struct slot_table slots = {.records = records, .count = SLOTS};
	struct admin_hooks hooks = {.state = state, .slots = &slots, .totals = totals, .workers = 1};

	if (loop_new(&l) || admin_new(l, path, &hooks, &a) || write(ready[1], "", 1) != 1)
		_exit(1);
	_exit(loop_run(l) ? 1 : 0);
}

static int start(void **unused)
{
	struct sluice_about about = {.abi = SLUICE_ABI_VERSION,
		.slots = SLOTS,
		.workers = 1,
		.start_ns = clock_mono_ns(),
		.ctl_size = sizeof(struct sluice_ctl),
		.flow_size = sizeof(struct sluice_flow),
		.instance = "test-view"};
	void *c, *t;
	struct state_part parts[] = {{"counters", 2, sizeof(struct sluice_counters), &t},
		{"ctl", SLOTS, sizeof(struct sluice_ctl), &c}};
	struct state state;
	char byte;

	(void)unused;
	snprintf(path, sizeof(path), "/tmp/test_view.%d.sock", (int)getpid());
	if (pipe(ready) || state_new(&state, &about, false, parts, 2))
		return -1;
	records = c;
	totals = t;
	abi = &state.head->about.abi;
	workers = &state.head->about.workers;
	daemon_pid = fork();
	if (daemon_pid == 0) {
		state.head->about.pid = (uint32_t)getpid();
		serve(&state);
	}
	close(ready[1]);
	return read(ready[0], &byte, 1) == 1 ? 0 : -1;
}

static int stop(void **unused)
{
	(void)unused;
	if (daemon_pid) {
		kill(daemon_pid, SIGKILL);
		waitpid(daemon_pid, NULL, 0);
	}
	unlink(path);
	return 0;
}

static struct view *opened(void)
{
	struct view *v = NULL;
	char why[256] = "";
	int err = view_open(&where, &v, why, sizeof(why));

	if (err)
		fail_msg("%s", why);
	return v;
}

static void streams_are_copied(void **unused)
{
	struct view *v = opened();
	struct view_shot shot = {0};
	struct view_stream one;

	(void)unused;
	assert_string_equal(view_about(v)->instance, "test-view");
	assert_false(view_spliced(v));
	assert_true(view_alive(v));
	for (size_t i = 0; i < USED; i++)
		records[i].turn = 2;
	records[2] = (struct sluice_ctl){.id = 12, .events = 7, .turn = 4};
	records[5] = (struct sluice_ctl){.id = 15, .bytes_out = 9};
	assert_int_equal(view_snapshot(v, &shot), 0);
	assert_int_equal(shot.n, 2);
	assert_int_equal(shot.streams[0].c.id, 12);
	assert_int_equal(shot.streams[0].c.events, 7);
	assert_int_equal(shot.streams[0].slot, 2);
	assert_int_equal(shot.streams[1].c.bytes_out, 9);
	assert_true(view_stream(v, 15, &one));
	assert_int_equal(one.slot, 5);
	assert_false(view_stream(v, 16, &one));
	assert_false(view_stream(v, 0, &one));
	/* what ends goes, and a record that its writer never finishes does not hold the reader up */
	records[2].id = 0;
	records[5].turn = 1;
	assert_int_equal(view_snapshot(v, &shot), 0);
	assert_int_equal(shot.n, 0);
	records[5] = (struct sluice_ctl){.turn = 2};
	view_shot_done(&shot);
	view_close(v);
}

/* A stream in the table's last slot stands for what cannot be: it shows where the walk ends. */
static void slots_that_never_were_in_use_stay_untouched(void **unused)
{
	struct view *v = opened();
	struct view_shot shot = {0};
	struct view_stream one;
	size_t page = (size_t)sysconf(_SC_PAGESIZE), size = SLOTS * sizeof(*records);
	size_t begin = ((uintptr_t)&records[USED] + page - 1) / page * page, pages;
	unsigned char there[SLOTS * sizeof(*records) / 4096];

	(void)unused;
	for (size_t i = 0; i < USED; i++)
		records[i].turn = 2;
	assert_int_equal(view_snapshot(v, &shot), 0);
	assert_false(view_stream(v, 99, &one));
	pages = ((uintptr_t)records + size - begin) / page;
	assert_in_range(pages, 100, sizeof(there));
	assert_int_equal(mincore((void *)begin, pages * page, there), 0);
	for (size_t i = 0; i < pages; i++)
		assert_false(there[i] & 1);
	records[SLOTS - 1] = (struct sluice_ctl){.id = 99, .turn = 2};
	assert_int_equal(view_snapshot(v, &shot), 0);
	assert_int_equal(shot.n, 0);
	assert_false(view_stream(v, 99, &one));
	records[SLOTS - 1] = (struct sluice_ctl){0};
	view_shot_done(&shot);
	view_close(v);
}

static void each_worker_has_its_own(void **unused)
{
	struct view *v;
	struct view_shot shot = {0};

	(void)unused;
	*workers = 4;
	v = opened();
	records[SLOTS / 2] = (struct sluice_ctl){.id = 21};
	records[SLOTS / 4 * 3] = (struct sluice_ctl){.turn = 2};
	records[SLOTS / 4 * 3 + 1] = (struct sluice_ctl){.id = 22};
	assert_int_equal(view_snapshot(v, &shot), 0);
	assert_int_equal(shot.n, 2);
	assert_int_equal(shot.streams[0].c.id, 21);
	assert_int_equal(shot.streams[1].c.id, 22);
	assert_int_equal(shot.streams[1].slot, SLOTS / 4 * 3 + 1);
	records[SLOTS / 2].id = records[SLOTS / 4 * 3 + 1].id = 0;
	*workers = 1;
	view_shot_done(&shot);
	view_close(v);
}

static void sections_by_name_and_size(void **unused)
{
	struct view *v = opened();
	uint32_t n = 0;
	const struct sluice_counters *t;

	(void)unused;
	totals->requests = 42;
	t = view_section(v, "counters", sizeof(*t), &n);
	assert_non_null(t);
	assert_int_equal(n, 2);
	assert_int_equal(t->requests, 42);
	assert_null(view_section(v, "counters", sizeof(*t) + 8, &n));
	assert_null(view_section(v, "nothing", sizeof(*t), &n));
	view_close(v);
}

static void another_version_is_told(void **unused)
{
	struct view *v = NULL;
	char why[256] = "";

	(void)unused;
	*abi = SLUICE_ABI_VERSION + 1;
	assert_int_equal(view_open(&where, &v, why, sizeof(why)), -EPROTO);
	assert_non_null(strstr(why, "programs of one build"));
	assert_null(v);
	*abi = SLUICE_ABI_VERSION;
}

static void questions_are_answered(void **unused)
{
	char *answer = NULL, why[256] = "";

	(void)unused;
	assert_int_equal(view_ask(&where, "nonsense", &answer, NULL, why, sizeof(why)), 0);
	assert_non_null(strstr(answer, "unknown verb"));
	free(answer);
}

static void nobody_there(void **unused)
{
	struct view_params p = {.instance = "test-view-nobody", .bpffs = "/nowhere"};
	struct view *v = NULL;
	char why[256] = "";

	(void)unused;
	assert_int_equal(view_open(&p, &v, why, sizeof(why)), -ENOENT);
	assert_non_null(strstr(why, "no sluice runs as instance 'test-view-nobody'; running: "));
	assert_null(v);
}

static void the_last_numbers_outlive_the_daemon(void **unused)
{
	struct view *v = opened();
	struct view_shot shot = {0};
	struct view *again = NULL;
	char why[256] = "";

	(void)unused;
	records[0] = (struct sluice_ctl){.id = 1};
	kill(daemon_pid, SIGKILL);
	waitpid(daemon_pid, NULL, 0);
	daemon_pid = 0;
	assert_false(view_alive(v));
	assert_int_equal(view_snapshot(v, &shot), 0);
	assert_int_equal(shot.n, 1);
	assert_int_equal(view_open(&where, &again, why, sizeof(why)), -ENOENT);
	view_shot_done(&shot);
	view_close(v);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(slots_that_never_were_in_use_stay_untouched),
		cmocka_unit_test(streams_are_copied),
		cmocka_unit_test(each_worker_has_its_own),
		cmocka_unit_test(sections_by_name_and_size),
		cmocka_unit_test(another_version_is_told),
		cmocka_unit_test(questions_are_answered),
		cmocka_unit_test(nobody_there),
		cmocka_unit_test(the_last_numbers_outlive_the_daemon),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
