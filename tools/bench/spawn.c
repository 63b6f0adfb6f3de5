#include "spawn.h"
#include "base/clock.h"
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#define STOP_LIMIT_NS (5 * NS_PER_S)

/* In the child: never returns. The error of a failed exec goes back through `report_fd`, which a good one
 * closes. */
static void child_exec(char *const argv[], int out_fd, const cpu_set_t *cpus, int report_fd, pid_t parent)
{
	int null_fd = open("/dev/null", O_RDONLY | O_CLOEXEC), err;

	setpgid(0, 0);
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (getppid() != parent)
		_exit(127);
	signal(SIGINT, SIG_DFL);
	signal(SIGTERM, SIG_DFL);
	signal(SIGPIPE, SIG_DFL);
	if (cpus)
		sched_setaffinity(0, sizeof(*cpus), cpus);
	dup2(null_fd, STDIN_FILENO);
	dup2(out_fd, STDOUT_FILENO);
	dup2(out_fd, STDERR_FILENO);
	execvp(argv[0], argv);
	err = errno;
	if (write(report_fd, &err, sizeof(err)) < 0)
		_exit(126);
	_exit(127);
}

static int spawn_to(char *const argv[], int out_fd, const cpu_set_t *cpus, pid_t *ret_pid)
{
	pid_t parent = getpid(), pid;
	int report[2], err = 0;

	if (pipe2(report, O_CLOEXEC))
		return -errno;
	pid = fork();
	if (pid == 0)
		child_exec(argv, out_fd, cpus, report[1], parent);
	close(report[1]);
	if (pid < 0 || read(report[0], &err, sizeof(err)) < 0)
		err = errno;
	close(report[0]);
	if (err) {
		if (pid > 0)
			waitpid(pid, NULL, 0);
		return -err;
	}
	*ret_pid = pid;
	return 0;
}

int spawn(char *const argv[], const char *log_path, const cpu_set_t *cpus, pid_t *ret_pid)
{
	_cleanup_close_ int fd = open(log_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);

	if (fd < 0)
		return -errno;
	return spawn_to(argv, fd, cpus, ret_pid);
}

bool spawn_ended(pid_t pid)
{
	return waitpid(pid, NULL, WNOHANG) != 0;
}

bool spawn_stop(pid_t pid)
{
	uint64_t deadline = clock_mono_ns() + STOP_LIMIT_NS;

	if (!pid)
		return true;
	kill(pid, SIGTERM);
	while (clock_mono_ns() < deadline) {
		if (spawn_ended(pid))
			return true;
		poll(NULL, 0, 10);
	}
	kill(-pid, SIGKILL);
	waitpid(pid, NULL, 0);
	return false;
}

void spawn_first_line(char *const argv[], char *out, size_t size)
{
	int fds[2];
	pid_t pid;
	size_t n = 0;
	ssize_t got = 0;

	*out = 0;
	if (pipe2(fds, O_CLOEXEC))
		return;
	if (spawn_to(argv, fds[1], NULL, &pid)) {
		close(fds[0]);
		close(fds[1]);
		return;
	}
	close(fds[1]);
	while (n < size - 1 && (got = read(fds[0], out + n, size - 1 - n)) > 0)
		n += (size_t)got;
	out[n] = 0;
	out[strcspn(out, "\n")] = 0;
	close(fds[0]);
	spawn_stop(pid); /* by now it has said what it had to say */
}
