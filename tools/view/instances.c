/* Who runs: by pins and by admin sockets. */
#include "view/private.h"
#include "base/clock.h"
#include "sluice/admin.h"
#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>

#define MAX_INSTANCES 64

struct names {
	char list[MAX_INSTANCES][SLUICE_MAX_INSTANCE];
	size_t n;
};

static void add(struct names *names, const char *name, size_t len)
{
	if (!len || len >= SLUICE_MAX_INSTANCE || names->n == MAX_INSTANCES)
		return;
	for (size_t i = 0; i < names->n; i++)
		if (strlen(names->list[i]) == len && memcmp(names->list[i], name, len) == 0)
			return;
	memcpy(names->list[names->n], name, len);
	names->list[names->n++][len] = '\0';
}

/* When the process began, in ns of CLOCK_MONOTONIC at the earliest; 0: not known. */
static uint64_t process_start_ns(uint32_t pid)
{
	unsigned long long ticks = 0;
	struct timespec boot;
	char path[32], line[512];
	const char *p;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%u/stat", pid);
	f = fopen(path, "re");
	if (!f)
		return 0;
	/* Field 22; the name in field 2 may hold anything but ends with the last ')'. */
	p = fgets(line, sizeof(line), f) ? strrchr(line, ')') : NULL;
	fclose(f);
	for (int i = 2; p && i < 22; i++) {
		p = strchr(p, ' ');
		p = p ? p + 1 : NULL;
	}
	if (p)
		ticks = strtoull(p, NULL, 10);
	clock_gettime(CLOCK_BOOTTIME, &boot);
	uint64_t start = ticks * (NS_PER_S / (uint64_t)sysconf(_SC_CLK_TCK));
	uint64_t asleep = (uint64_t)boot.tv_sec * NS_PER_S + (uint64_t)boot.tv_nsec - clock_mono_ns();

	return start > asleep ? start - asleep : 0;
}

bool view_pid_is(const struct sluice_about *a)
{
	if (kill((pid_t)a->pid, 0) && errno == ESRCH)
		return false;
	return process_start_ns(a->pid) <= a->start_ns + NS_PER_S;
}

static bool socket_answers(const char *path)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	_cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", path) >= (int)sizeof(addr.sun_path))
		return false;
	/* EACCES: somebody's, and it was not asked whether he lives. */
	return fd >= 0 && (connect(fd, (struct sockaddr *)&addr, sizeof(addr)) == 0 || errno == EAGAIN ||
				  errno == EACCES);
}

static void by_pins(struct names *names, const char *bpffs)
{
	DIR *d = opendir(bpffs);
	struct dirent *e;

	if (!d)
		return;
	while ((e = readdir(d))) {
		struct sluice_about a;
		char dir[512];

		/* '~': being built. */
		if (e->d_name[0] == '.' || strchr(e->d_name, '~'))
			continue;
		snprintf(dir, sizeof(dir), "%s/%s", bpffs, e->d_name);
		if (view_pinned_about(dir, &a) == 0 && view_pid_is(&a))
			add(names, e->d_name, strlen(e->d_name));
	}
	closedir(d);
}

static void by_sockets(struct names *names)
{
	DIR *d = opendir(SLUICE_RUN_DIR);
	struct dirent *e;

	if (!d)
		return;
	while ((e = readdir(d))) {
		const char *end = strrchr(e->d_name, '.');
		char path[512];

		if (!end || strcmp(end, ".sock") != 0)
			continue;
		snprintf(path, sizeof(path), SLUICE_RUN_DIR "/%s", e->d_name);
		if (socket_answers(path))
			add(names, e->d_name, (size_t)(end - e->d_name));
	}
	closedir(d);
}

static int by_text(const void *a, const void *b)
{
	return strcmp(a, b);
}

static void collect(const struct view_params *p, struct names *names)
{
	names->n = 0;
	by_pins(names, view_bpffs(p));
	by_sockets(names);
	qsort(names->list, names->n, sizeof(names->list[0]), by_text);
}

size_t view_instances(const struct view_params *p, void (*on_name)(void *arg, const char *name), void *arg)
{
	struct names names;

	collect(p, &names);
	for (size_t i = 0; i < names.n; i++)
		on_name(arg, names.list[i]);
	return names.n;
}

const char *view_running(const struct view_params *p, char *out, size_t size)
{
	struct names names;
	size_t at = 0;

	collect(p, &names);
	snprintf(out, size, "none");
	for (size_t i = 0; i < names.n && at < size; i++)
		at += (size_t)snprintf(out + at, size - at, "%s%s", i ? ", " : "", names.list[i]);
	return out;
}
