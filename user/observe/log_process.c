/* The process behind the access log's pipe: blocking writes happen here and nowhere else. */
#include "observe/access_log.h"
#include "base/log.h"
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#define PIPE_BYTES (1 << 20) /* how far the log may fall behind before lines are dropped */

static volatile sig_atomic_t reopen;

static void on_hup(int signo)
{
	(void)signo;
	reopen = 1;
}

static int open_target(const char *path)
{
	if (strcmp(path, "stderr") == 0)
		return dup(STDERR_FILENO);
	return open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
}

static void write_all(int fd, const char *p, size_t n)
{
	while (n) {
		ssize_t w = write(fd, p, n);

		if (w < 0 && errno == EINTR)
			continue;
		if (w <= 0)
			return; /* a full disk must not end the log: later lines may fit again */
		p += w;
		n -= (size_t)w;
	}
}

static void drop_other_fds(int keep_a, int keep_b)
{
	/* Listeners and control sockets must not live on in here. */
	for (int fd = 3; fd < 4096; fd++)
		if (fd != keep_a && fd != keep_b)
			close(fd);
}

static _Noreturn void log_main(const char *path, int pipe_fd, int target)
{
	static char chunk[64 * 1024];
	struct sigaction sa = {.sa_handler = on_hup};
	sigset_t none;

	drop_other_fds(pipe_fd, target);
	prctl(PR_SET_NAME, "sluice-log");
	/* Ends when the last worker closed its end of the pipe, so that nobody's last line is lost. */
	signal(SIGTERM, SIG_IGN);
	signal(SIGINT, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
	sigaction(SIGHUP, &sa, NULL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	for (;;) {
		ssize_t n = read(pipe_fd, chunk, sizeof(chunk));

		if (reopen) {
			int fd = open_target(path);

			reopen = 0;
			if (fd >= 0) {
				close(target);
				target = fd;
			} else {
				log_error("access log: cannot reopen %s: %s; going on with the old file",
					path, strerror(errno));
			}
		}
		if (n == 0)
			_exit(0);
		if (n > 0)
			write_all(target, chunk, (size_t)n);
	}
}

int access_log_start(const char *path, int *ret_fd, pid_t *ret_pid)
{
	_cleanup_close_ int target = open_target(path);
	int ends[2];
	pid_t pid;

	if (target < 0)
		return -errno;
	if (pipe2(ends, O_CLOEXEC))
		return -errno;
	fcntl(ends[1], F_SETPIPE_SZ, PIPE_BYTES);
	/* Only the workers' end must never wait. */
	fcntl(ends[1], F_SETFL, O_NONBLOCK);
	pid = fork();
	if (pid < 0) {
		int err = -errno;

		close(ends[0]);
		close(ends[1]);
		return err;
	}
	if (pid == 0)
		log_main(path, ends[0], target);
	close(ends[0]);
	*ret_fd = ends[1];
	*ret_pid = pid;
	return 0;
}
