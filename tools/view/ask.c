/* The admin socket: a line there, a document back. */
#include "view/private.h"
#include "base/buf.h"
#include "sluice/admin.h"
#include <stdio.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

#define ANSWER_S 10

static int admin_dial(const struct view_params *p, int *ret, char *why, size_t size)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	struct timeval limit = {.tv_sec = ANSWER_S};
	_cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	char names[256];
	int n = p->admin ? snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", p->admin)
			 : snprintf(addr.sun_path, sizeof(addr.sun_path), SLUICE_RUN_DIR "/%s.sock",
				   view_instance(p));

	if (fd < 0)
		return view_fail(why, size, -errno, "no socket: %s", strerror(errno));
	if (n >= (int)sizeof(addr.sun_path))
		return view_fail(why, size, -ENAMETOOLONG, "the admin socket's path is too long");
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	if (connect(fd, (struct sockaddr *)&addr, sizeof(addr)) == 0) {
		*ret = take_fd(fd);
		return 0;
	}
	if (errno == EACCES || errno == EPERM)
		return view_fail(why, size, -EACCES,
			"%s: no permission: run this as root, or as the user that sluice runs as",
			addr.sun_path);
	if (errno != ENOENT && errno != ECONNREFUSED)
		return view_fail(why, size, -errno, "%s: %s", addr.sun_path, strerror(errno));
	if (p->admin)
		return view_fail(why, size, -ENOENT, "%s: no sluice answers there; running instances: %s",
			addr.sun_path, view_running(p, names, sizeof(names)));
	return view_fail(why, size, -ENOENT, "no sluice runs as instance '%s'; running: %s", view_instance(p),
		view_running(p, names, sizeof(names)));
}

/* recv() that keeps a descriptor that comes along. */
static ssize_t take_some(int fd, void *p, size_t n, int *fd_seen)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control;
	struct iovec iov = {p, n};
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)};
	ssize_t got = recvmsg(fd, &msg, MSG_CMSG_CLOEXEC);
	struct cmsghdr *c = got > 0 ? CMSG_FIRSTHDR(&msg) : NULL;

	if (c && c->cmsg_type == SCM_RIGHTS && c->cmsg_len >= CMSG_LEN(sizeof(int))) {
		if (*fd_seen >= 0)
			close(*fd_seen);
		memcpy(fd_seen, CMSG_DATA(c), sizeof(int));
	}
	return got;
}

int view_ask(const struct view_params *p, const char *line, char **ret, int *ret_fd, char *why, size_t size)
{
	_cleanup_close_ int fd = -1, came = -1;
	_cleanup_buf_ struct buf answer = {0};
	char text[SLUICE_ADMIN_MAX_LINE];
	int n = snprintf(text, sizeof(text), "%s\n", line), err;
	ssize_t got;

	if (n >= (int)sizeof(text))
		return view_fail(why, size, -E2BIG, "at most %zu bytes can be asked", sizeof(text) - 2);
	err = admin_dial(p, &fd, why, size);
	if (err)
		return err;
	if (send(fd, text, (size_t)n, MSG_NOSIGNAL) != n)
		return view_fail(
			why, size, -errno, "the daemon does not take the question: %s", strerror(errno));
	do {
		if (buf_reserve(&answer, 64 * 1024))
			return view_fail(why, size, -ENOMEM, "out of memory");
		got = take_some(fd, answer.data + answer.len, answer.cap - answer.len - 1, &came);
		answer.len += got > 0 ? (size_t)got : 0;
	} while (got > 0 || (got < 0 && errno == EINTR));
	if (got < 0)
		return view_fail(why, size, -errno, "no answer within %d s: is the master stopped? (%s)",
			ANSWER_S, strerror(errno));
	if (!answer.len)
		return view_fail(why, size, -EPIPE, "the daemon closed the connection without an answer");
	answer.data[answer.len] = '\0';
	*ret = take_ptr(answer.data);
	if (ret_fd)
		*ret_fd = take_fd(came);
	return 0;
}
