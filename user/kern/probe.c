#include "kern/probe.h"
#include "kern/kern.h"
#include <linux/capability.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define COPY_LANE "streams stay on the copy lane"

static struct probe_result *add(struct probe *p, const char *name, const char *since, const char *fallback)
{
	struct probe_result *r = &p->results[MIN(p->count, (size_t)PROBE_MAX - 1)];

	p->count = MIN(p->count + 1, (size_t)PROBE_MAX);
	*r = (struct probe_result){.name = name, .since = since, .fallback = fallback};
	return r;
}

#define say(r, ...) snprintf((r)->detail, sizeof((r)->detail), __VA_ARGS__)

static void try_caps(struct probe *p)
{
	static const struct {
		int bit;
		const char *name;
	} needed[] = {{12, "CAP_NET_ADMIN"}, {38, "CAP_PERFMON"}, {39, "CAP_BPF"}};
	struct probe_result *r = add(p, "capabilities", "5.8 2c78ee898d8f", COPY_LANE);
	FILE *f = fopen("/proc/self/status", "re");
	unsigned long long caps = 0;
	char line[256];
	int n = 0;

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "CapEff: %llx", &caps) == 1)
			break;
	if (f)
		fclose(f);
	r->ok = true;
	for (size_t i = 0; i < ARRAY_LEN(needed); i++) {
		if (caps >> needed[i].bit & 1)
			continue;
		n += snprintf(r->detail + n, sizeof(r->detail) - (size_t)n, "%s%s", r->ok ? "lacking " : ", ",
			needed[i].name);
		r->ok = false;
	}
	if (r->ok)
		say(r, "CAP_BPF, CAP_NET_ADMIN, CAP_PERFMON");
}

static void try_btf(struct probe *p)
{
	struct probe_result *r = add(p, "btf", "5.4 341dfcf8d78e", COPY_LANE);
	struct stat st;

	r->ok = stat("/sys/kernel/btf/vmlinux", &st) == 0;
	if (r->ok)
		say(r, "/sys/kernel/btf/vmlinux, %lld KiB", (long long)st.st_size / 1024);
	else
		say(r, "/sys/kernel/btf/vmlinux: %s (CONFIG_DEBUG_INFO_BTF)", strerror(errno));
}

static void try_map(struct probe *p, const char *name, enum bpf_map_type type, uint32_t key, uint32_t value,
	uint32_t entries, uint32_t flags, const char *since)
{
	struct probe_result *r = add(p, name, since, COPY_LANE);
	struct bpf_map_create_opts opts = {.sz = sizeof(opts), .map_flags = flags};
	_cleanup_close_ int fd = bpf_map_create(type, "probe", key, value, entries, &opts);

	r->ok = fd >= 0;
	say(r, "%s", r->ok ? "a map can be made" : strerror(errno));
}

static void try_helper(struct probe *p, const char *name, enum bpf_func_id id, const char *since)
{
	struct probe_result *r = add(p, name, since, COPY_LANE);
	int got = libbpf_probe_bpf_helper(BPF_PROG_TYPE_SK_SKB, id, NULL);

	r->ok = got == 1;
	say(r, "%s",
		got == 1   ? "allowed in a verdict"
		: got == 0 ? "not allowed in a verdict"
			   : strerror(-got));
}

/* What a worker does: changes a map through an inherited fd, as nobody, with no capability. */
static int update_as_nobody(int map)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct none[2] = {0};
	uint32_t key = 0, value = 1;

	if (syscall(SYS_setgroups, 0, NULL) || syscall(SYS_setresgid, 65534, 65534, 65534) ||
		syscall(SYS_setresuid, 65534, 65534, 65534) || syscall(SYS_capset, &head, none))
		return errno == EPERM ? 0 : errno; /* not root: what follows is the test all the same */
	return bpf_map_update_elem(map, &key, &value, BPF_ANY) ? errno : 0;
}

static void try_unprivileged(struct probe *p)
{
	struct probe_result *r =
		add(p, "maps by fd", "5.19 c8644cd0efe7", COPY_LANE ": workers hold no capability");
	_cleanup_close_ int fd = bpf_map_create(BPF_MAP_TYPE_HASH, "probe", 4, 4, 1, NULL);
	int status = 0;
	pid_t pid;

	if (fd < 0) {
		say(r, "no map: %s", strerror(errno));
		return;
	}
	pid = fork();
	if (pid == 0)
		_exit(update_as_nobody(fd));
	if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status)) {
		say(r, "no child process: %s", strerror(errno));
		return;
	}
	r->ok = WEXITSTATUS(status) == 0;
	say(r, "%s", r->ok ? "an unprivileged process may update" : strerror(WEXITSTATUS(status)));
}

/* From the loaded program itself: the sysctl is hidden in network namespaces. */
static void try_jit(struct probe *p, const struct splice *k)
{
	struct probe_result *r =
		add(p, "bpf jit", NULL, "the verdict runs several times slower (net.core.bpf_jit_enable)");
	struct bpf_prog_info info = {0};
	uint32_t len = sizeof(info);
	int err = bpf_obj_get_info_by_fd(splice_verdict_fd(k), &info, &len);

	r->ok = !err && info.jited_prog_len;
	if (err)
		say(r, "%s", strerror(-err));
	else
		say(r, "%u bytes of machine code", info.jited_prog_len);
}

static void try_lane(struct probe *p)
{
	struct probe_result *r = add(p, "splice program", NULL, COPY_LANE);
	struct splice *k = NULL;
	struct selftest st;
	char why[160] = "";
	int err = splice_open(&(struct splice_params){.slots = 16, .workers = 1}, &k, why, sizeof(why));

	r->ok = err == 0;
	say(r, "%s", err ? why : "loads and attaches");
	if (err)
		return;
	try_jit(p, k);
	p->splice = selftest_run(k, 0, &st, why, sizeof(why)) == 0;
	for (size_t i = 0; i < st.count; i++) {
		r = add(p, st.cases[i].name, NULL, COPY_LANE);
		r->ok = st.cases[i].ok;
		if (r->ok)
			say(r, "self-test, %u us", st.cases[i].us);
		else
			say(r, "self-test: %s", st.cases[i].reason);
	}
	splice_close(k);
}

static int silent(enum libbpf_print_level level, const char *fmt, va_list ap)
{
	(void)level;
	(void)fmt;
	(void)ap;
	return 0;
}

void probe_run(struct probe *ret)
{
	libbpf_print_fn_t printed = libbpf_set_print(silent);

	*ret = (struct probe){0};
	try_caps(ret);
	try_btf(ret);
	try_map(ret, "mmapable arrays", BPF_MAP_TYPE_ARRAY, 4, 64, 1, BPF_F_MMAPABLE, "5.5 fc9702273e2e");
	try_map(ret, "ring buffers", BPF_MAP_TYPE_RINGBUF, 0, 0, 1 << 16, 0, "5.8 457f44363a88");
	try_map(ret, "sockmap", BPF_MAP_TYPE_SOCKMAP, 4, 8, 1, 0, "4.14 174a79ff9515");
	try_helper(ret, "bpf_loop", BPF_FUNC_loop, "5.17 e6f2dd0f8067");
	try_helper(ret, "bpf_skc_to_tcp_sock", BPF_FUNC_skc_to_tcp_sock, "5.9 478cfbdf5f13");
	try_unprivileged(ret);
	try_lane(ret);
	libbpf_set_print(printed);
}
