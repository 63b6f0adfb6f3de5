/* Load, pins and their owners; the self-test and the probe; notes; what a dead worker leaves. */
#include "rig.h"
#include "kern/kern.h"
#include "kern/probe.h"
#include <bpf/bpf.h>
#include <dirent.h>
#include <grp.h>
#include <linux/capability.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define INSTANCE "sluice-test"
#define DIR_PATH SLUICE_BPFFS "/" INSTANCE

static int open_pinned(struct splice **ret, bool takeover, char *why, size_t size)
{
	struct splice_params p = {
		.instance = INSTANCE, .slots = 8, .workers = 2, .pin = true, .takeover = takeover};

	why[0] = '\0';
	return splice_open(&p, ret, why, size);
}

static unsigned pins_there(void)
{
	DIR *d = opendir(DIR_PATH);
	struct dirent *e;
	unsigned n = 0;

	while (d && (e = readdir(d)))
		n += e->d_name[0] != '.';
	if (d)
		closedir(d);
	return n;
}

static uint32_t owner(void)
{
	struct sluice_about a = {0};
	uint32_t zero = 0;
	int fd = bpf_obj_get(DIR_PATH "/about");

	if (fd < 0)
		return 0;
	assert_int_equal(bpf_map_lookup_elem(fd, &zero, &a), 0);
	close(fd);
	assert_int_equal(a.abi, SLUICE_ABI_VERSION);
	assert_int_equal(a.ctl_size, sizeof(struct sluice_ctl));
	assert_int_equal(a.flow_size, sizeof(struct sluice_flow));
	assert_string_equal(a.instance, INSTANCE);
	return a.pid;
}

static void test_pins(void **state)
{
	struct splice *k;
	char why[256];
	struct stat st;

	(void)state;
	assert_int_equal(open_pinned(&k, false, why, sizeof(why)), 0);
	assert_int_equal(pins_there(), 11);
	assert_int_equal(owner(), getpid());
	assert_int_equal(stat(DIR_PATH, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	assert_int_equal(stat(DIR_PATH "/flows", &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	splice_close(k);
	assert_int_equal(stat(DIR_PATH, &st), -1);
}

/* A second daemon is refused while the first or one of its workers lives, and starts when they are dead. */
static void test_owner(void **state)
{
	int ready[2], stay[2];
	struct splice *k;
	char why[256], c;
	pid_t master;

	(void)state;
	assert_int_equal(pipe(ready) | pipe(stay), 0);
	master = fork();
	if (master == 0) {
		if (open_pinned(&k, false, why, sizeof(why)))
			_exit(1);
		if (fork() == 0) {
			close(stay[1]);
			(void)!read(stay[0], &c, 1); /* a worker that outlives its master */
			_exit(0);
		}
		(void)!write(ready[1], "x", 1);
		pause();
	}
	close(stay[0]);
	close(ready[1]);
	assert_int_equal(read(ready[0], &c, 1), 1);
	assert_int_equal(open_pinned(&k, false, why, sizeof(why)), -EBUSY);
	assert_non_null(strstr(why, DIR_PATH));
	assert_int_equal(owner(), master);
	kill(master, SIGKILL);
	waitpid(master, NULL, 0);
	assert_int_equal(open_pinned(&k, false, why, sizeof(why)), -EBUSY); /* the worker lives */
	close(stay[1]);
	for (int i = 0; i < 100 && open_pinned(&k, false, why, sizeof(why)) == -EBUSY; i++)
		usleep(10000);
	assert_int_equal(owner(), getpid());
	assert_int_equal(pins_there(), 11);
	splice_close(k);
	assert_int_equal(pins_there(), 0);
	close(ready[0]);
}

/* USR2: the new one's pins stand at the path; the old one goes on by its fds and leaves them alone when it
 * ends. */
static void test_takeover(void **state)
{
	struct splice *old = NULL, *new = NULL;
	struct sluice_about before, after;
	uint32_t zero = 0;
	struct stat a, b;
	char why[256];
	struct rig g;
	int fd;

	(void)state;
	assert_int_equal(open_pinned(&old, false, why, sizeof(why)), 0);
	assert_int_equal(stat(DIR_PATH, &a), 0);
	rig_open(&g, old, 1, &(struct rig_params){.framing = SLUICE_BODY_CLOSE});
	rig_until(&g, g.relay.engaged, 1000);
	fd = bpf_obj_get(DIR_PATH "/about");
	assert_int_equal(bpf_map_lookup_elem(fd, &zero, &before), 0);
	close(fd);
	assert_int_equal(open_pinned(&new, true, why, sizeof(why)), 0);
	assert_int_equal(stat(DIR_PATH, &b), 0);
	assert_int_not_equal(a.st_ino, b.st_ino);
	rig_carry(&g, "still here", 10, 10);
	assert_int_equal(g.relay.copied, 0);
	rig_close(&g);
	splice_close(old);
	fd = bpf_obj_get(DIR_PATH "/about");
	assert_return_code(fd, errno);
	assert_int_equal(bpf_map_lookup_elem(fd, &zero, &after), 0);
	close(fd);
	assert_true(after.start_ns > before.start_ns);
	assert_int_equal(open_pinned(&old, false, why, sizeof(why)), -EBUSY);
	splice_close(new);
	assert_int_equal(pins_there(), 0);
}

static void test_bad_params(void **state)
{
	struct splice_params bad[] = {
		{.slots = 0, .workers = 1},
		{.slots = 1, .workers = 0},
		{.slots = 1, .workers = 1, .pin = true, .instance = "a.b"},
		{.slots = 1, .workers = 1, .pin = true, .instance = "a/b"},
		{.slots = 1, .workers = 1, .pin = true, .instance = ""},
		{.slots = 1,
			.workers = 1,
			.pin = true,
			.instance = "0123456789012345678901234567890123456789"},
		{.slots = 1, .workers = 1, .pin = true, .dir = "/tmp"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct splice *k = (void *)1;
		char why[256] = "";

		assert_int_equal(splice_open(&bad[i], &k, why, sizeof(why)), -EINVAL);
		assert_true(why[0] != '\0');
		assert_ptr_equal(k, (void *)1);
	}
}

static void test_selftest(void **state)
{
	struct splice *k = kern_open(4);
	struct selftest st;
	char why[256] = "";

	(void)state;
	for (int i = 0; i < 10; i++)
		if (selftest_run(k, 2, &st, why, sizeof(why)))
			fail_msg("%s", why);
	assert_int_equal(st.count, 9);
	if (!getenv("SLUICE_TESTS_EMULATED"))
		assert_true(st.us < 100000);
	assert_int_equal(splice_ctl(k)[2].cookie, 0);
	assert_false(splice_hooked(k, 2));
	splice_close(k);
}

/* A self-test that cannot fail would prove nothing: with a map that the verdict does not know, each case says
 * what is wrong. */
static void test_selftest_can_fail(void **state)
{
	struct splice *k = kern_open(1);
	_cleanup_close_ int other = bpf_map_create(BPF_MAP_TYPE_HASH, "other", 8, 4, 4, NULL);
	struct selftest st;
	char why[256] = "";
	int slots = k->slots_fd;

	(void)state;
	assert_return_code(other, errno);
	k->slots_fd = other;
	assert_int_equal(selftest_run(k, 0, &st, why, sizeof(why)), -EPROTO);
	assert_false(st.ok);
	for (size_t i = 0; i < st.count; i++)
		assert_true(!st.cases[i].ok && st.cases[i].reason[0]);
	assert_non_null(strstr(why, "redirect"));
	k->slots_fd = slots;
	assert_int_equal(selftest_run(k, 0, &st, why, sizeof(why)), 0);
	splice_close(k);
}

static void test_probe(void **state)
{
	static struct probe p;
	bool named = false;

	(void)state;
	probe_run(&p);
	assert_true(p.splice);
	assert_true(p.count > 15);
	for (size_t i = 0; i < p.count; i++) {
		const struct probe_result *r = &p.results[i];

		if (!r->ok)
			print_message("%s: %s\n", r->name, r->detail);
		assert_true(r->name && r->fallback && r->detail[0]);
		named |= strcmp(r->name, "half-read") == 0;
	}
	assert_true(named);
}

static unsigned noted[8];

static void on_note(void *ctx, uint32_t slot)
{
	assert_null(ctx);
	noted[slot]++;
}

/* One note per spill, whatever comes behind it; the next only after the first was read. */
static void test_notes(void **state)
{
	struct splice *k = kern_open(8);
	struct sluice_flow f;
	struct rig g;
	char text[100], back[1000];

	(void)state;
	pattern_fill(text, sizeof(text), 0);
	rig_open(&g, k, 5, &(struct rig_params){.framing = SLUICE_BODY_LENGTH, .length = 100});
	rig_until(&g, g.relay.engaged, 1000);
	memset(noted, 0, sizeof(noted));
	/* Beyond the end: passed, three times, one note. */
	for (int i = 0; i < 3; i++) {
		origin_send(&g, text, 60);
		usleep(2000);
	}
	assert_int_equal(splice_notes_read(k, 0, on_note, NULL), 1);
	assert_int_equal(noted[5], 1);
	assert_int_equal(splice_next(k, 5), SPLICE_READ);
	assert_int_equal(splice_left(k, 5), 120);
	origin_send(&g, text, 60);
	usleep(2000);
	/* Still not consumed: a worker that only reads notes is told again. */
	assert_int_equal(splice_notes_read(k, 0, on_note, NULL), 1);
	splice_disengage(k, 5);
	assert_int_equal(recv(g.up, back, sizeof(back), 0), 180);
	assert_int_equal(splice_took(k, 5, 180), 0);
	origin_send(&g, text, 60); /* while userspace reads: no note */
	usleep(2000);
	assert_int_equal(splice_notes_read(k, 0, on_note, NULL), 0);
	splice_state(k, 5, &f);
	assert_int_equal(f.notes, 2);
	rig_close(&g);
	/* A note of a stream that is gone means nothing. */
	rig_open(&g, k, 5, &(struct rig_params){.framing = SLUICE_BODY_LENGTH, .length = 10});
	rig_until(&g, g.relay.engaged, 1000);
	origin_send(&g, text, 60);
	usleep(2000);
	rig_close(&g);
	rig_open(&g, k, 5, &(struct rig_params){.framing = SLUICE_BODY_CLOSE});
	rig_until(&g, g.relay.engaged, 1000);
	assert_int_equal(splice_notes_read(k, 0, on_note, NULL), 0);
	rig_close(&g);
	splice_close(k);
}

/* A full ring loses no note for good: the next passed segment tells, and totals say that it happened. */
static void test_ring_full(void **state)
{
	struct splice *k = kern_open(8);
	struct sluice_totals t;
	struct rig g;

	(void)state;
	/* 4 KiB of notes of streams that are gone. */
	for (int i = 0; i < 200; i++) {
		rig_open(&g, k, 5, &(struct rig_params){.framing = SLUICE_BODY_LENGTH, .length = 1});
		rig_until(&g, splice_hooked(k, 5), 1000);
		origin_send(&g, "xyz", 3);
		for (int tries = 0; !splice_left(k, 5) && tries < 1000; tries++)
			usleep(100);
		splice_forget(k, 5);
		rig_close(&g);
	}
	assert_int_equal(splice_totals(k, &t), 0);
	assert_true(t.notes_failed > 0);
	memset(noted, 0, sizeof(noted));
	rig_open(&g, k, 5, &(struct rig_params){.framing = SLUICE_BODY_LENGTH, .length = 1});
	g.relay.shared = true;
	rig_until(&g, splice_hooked(k, 5), 1000);
	origin_send(&g, "xyz", 3);
	for (int tries = 0; !splice_left(k, 5) && tries < 1000; tries++)
		usleep(100);
	assert_int_equal(splice_notes_read(k, 0, on_note, NULL), 0); /* all of them former streams' */
	origin_send(&g, "x", 1);
	for (int tries = 0; splice_left(k, 5) != 4 && tries < 1000; tries++)
		usleep(100);
	assert_int_equal(splice_notes_read(k, 0, on_note, NULL), 1);
	assert_int_equal(noted[5], 1);
	rig_close(&g);
	splice_close(k);
}

/* Bytes that are missing in front of a segment (as no TCP delivers it; here the record is falsified) end the
 * stream: nothing of it reaches the client, not even through the copy lane. */
static void test_gap(void **state)
{
	struct sluice_flow f;
	struct splice *k;
	struct rig g;
	char why[256], back[10];
	uint32_t slot = 3;
	int fd;

	(void)state;
	assert_int_equal(open_pinned(&k, false, why, sizeof(why)), 0);
	fd = bpf_obj_get(DIR_PATH "/flows");
	assert_return_code(fd, errno);
	for (int copying = 0; copying < 2; copying++) {
		rig_open(&g, k, slot, &(struct rig_params){.framing = SLUICE_BODY_CLOSE});
		rig_until(&g, g.relay.engaged, 1000);
		rig_carry(&g, "0123456789", 10, 10);
		if (copying)
			relay_disengage(&g.relay);
		assert_int_equal(bpf_map_lookup_elem(fd, &slot, &f), 0);
		f.next_seq -= 3;
		assert_int_equal(bpf_map_update_elem(fd, &slot, &f, BPF_ANY), 0);
		origin_send(&g, "0123456789", 10);
		for (int tries = 0; !splice_left(k, slot) && tries < 1000; tries++)
			usleep(100);
		assert_int_equal(splice_next(k, slot), SPLICE_BROKEN);
		assert_int_equal(recv(g.up, back, sizeof(back), 0), 10);
		assert_int_equal(splice_took(k, slot, 10), -EBADMSG);
		assert_int_equal(reader_take(&g, 10), 0);
		rig_close(&g);
	}
	close(fd);
	splice_close(k);
}

/* A worker is nobody, with no capability: it does all it has to do through the fds that it inherited. */
static void test_unprivileged(void **state)
{
	struct splice *k = kern_open(8);
	int status;
	pid_t worker;

	(void)state;
	worker = fork();
	if (worker == 0) {
		struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
		struct __user_cap_data_struct none[2] = {0};
		static char text[300000];
		struct rig g;

		if (setgroups(0, NULL) || setresgid(65534, 65534, 65534) || setresuid(65534, 65534, 65534) ||
			syscall(SYS_capset, &head, none))
			_exit(2);
		pattern_fill(text, sizeof(text), 0);
		rig_open(&g, k, 3,
			&(struct rig_params){.framing = SLUICE_BODY_LENGTH, .length = sizeof(text)});
		rig_until(&g, g.relay.engaged, 1000);
		rig_carry(&g, text, sizeof(text), 7000); /* with spills and resumes */
		rig_until(&g, g.relay.ended, 1000);
		_exit(splice_release(k, 3) == 0 && g.relay.engages == 1 ? 0 : 3);
	}
	assert_int_equal(waitpid(worker, &status, 0), worker);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	splice_close(k);
}

/* A worker is killed: its connections die with it, and its slots can be used again. */
static void test_reap(void **state)
{
	struct splice *k = kern_open(8);
	char text[10] = "0123456789";
	struct rig g;
	pid_t worker;

	(void)state;
	for (int round = 0; round < 40; round++) { /* more than `slots` would hold without the reaping */
		worker = fork();
		if (worker == 0) {
			for (uint32_t slot = 0; slot < 8; slot++) {
				rig_open(&g, k, slot, &(struct rig_params){.framing = SLUICE_BODY_CLOSE});
				rig_until(&g, g.relay.engaged, 1000);
			}
			rig_carry(&g, text, sizeof(text), 3);
			kill(getpid(), SIGKILL);
		}
		assert_int_equal(waitpid(worker, NULL, 0), worker);
		splice_reap(k, 0, 0, 8);
	}
	for (uint32_t slot = 0; slot < 8; slot++) {
		rig_open(&g, k, slot, &(struct rig_params){.framing = SLUICE_BODY_CLOSE});
		rig_until(&g, g.relay.engaged, 1000);
		rig_carry(&g, text, sizeof(text), 3);
		assert_int_equal(g.relay.copied, 0);
		rig_close(&g);
	}
	splice_close(k);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pins),
		cmocka_unit_test(test_owner),
		cmocka_unit_test(test_takeover),
		cmocka_unit_test(test_bad_params),
		cmocka_unit_test(test_selftest),
		cmocka_unit_test(test_selftest_can_fail),
		cmocka_unit_test(test_probe),
		cmocka_unit_test(test_notes),
		cmocka_unit_test(test_ring_full),
		cmocka_unit_test(test_gap),
		cmocka_unit_test(test_unprivileged),
		cmocka_unit_test(test_reap),
	};

	return cmocka_run_group_tests_name("splice_open", tests, NULL, NULL);
}
