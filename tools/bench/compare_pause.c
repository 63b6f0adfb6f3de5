#include "compare.h"
#include "base/clock.h"
#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>

#define STILL_LIMIT_NS (2 * NS_PER_S)

/* Of /proc/PID/stat: "PID (COMM) STATE PPID PGRP …". COMM may hold anything, so its last bracket counts. */
static bool runs_in_group(const char *pid, pid_t group)
{
	char path[64], text[512], state;
	_cleanup_close_ int fd = -1;
	const char *close;
	ssize_t n;
	int of;

	snprintf(path, sizeof(path), "/proc/%.16s/stat", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	text[MAX(n, (ssize_t)0)] = 0;
	close = strrchr(text, ')');
	if (!close || sscanf(close + 1, " %c %*d %d", &state, &of) != 2)
		return false;
	return of == group && state != 'T' && state != 'Z' && state != 'X';
}

static bool group_stands_still(pid_t group)
{
	DIR *proc = opendir("/proc");
	struct dirent *e;
	bool still = true;

	while (proc && still && (e = readdir(proc)))
		still = e->d_name[0] < '0' || e->d_name[0] > '9' || !runs_in_group(e->d_name, group);
	if (proc)
		closedir(proc);
	return still;
}

int compare_stop_group(pid_t group)
{
	uint64_t deadline = clock_mono_ns() + STILL_LIMIT_NS;

	if (kill(-group, SIGSTOP))
		return -errno;
	while (!group_stands_still(group)) {
		if (clock_mono_ns() > deadline)
			return -ETIMEDOUT;
		poll(NULL, 0, 1);
	}
	return 0;
}

void compare_continue_group(pid_t group)
{
	kill(-group, SIGCONT);
}
