#include "net/listen.h"
#include "net/tuning.h"
#include <stdio.h>
#include <sys/stat.h>

static int failed(int err, const struct listener_settings *l, const char *call, char *why, size_t why_size)
{
	const char *hint = "";

	if (err == -EADDRINUSE)
		hint = l->addr.sa.sa_family == AF_UNIX
			       ? "; another program listens there"
			       : "; another program listens there: `ss -ltnp` shows which";
	else if (err == -EACCES && l->addr.sa.sa_family != AF_UNIX)
		hint = "; a port below 1024 needs root or CAP_NET_BIND_SERVICE";
	else if (err == -EADDRNOTAVAIL)
		hint = "; no interface of this machine has that address";
	else if (err == -ENOENT)
		hint = "; the folder does not exist";
	else if (err == -EMFILE || err == -ENFILE)
		hint = "; raise the limit of open files";
	snprintf(why, why_size, "listen %s: %s: %s%s", l->listen, call, strerror(-err), hint);
	return err;
}

/* Removes the socket file that a program that is gone left behind. */
static int remove_stale(const struct listener_settings *l)
{
	_cleanup_close_ int probe = -1;
	struct stat st;

	if (!l->addr.un.sun_path[0]) /* abstract: goes with its last fd */
		return 0;
	if (lstat(l->addr.un.sun_path, &st))
		return errno == ENOENT ? 0 : -errno;
	if (!S_ISSOCK(st.st_mode))
		return -EEXIST;
	probe = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (probe < 0)
		return -errno;
	/* EAGAIN is a listener whose queue is full: alive. */
	if (!connect(probe, &l->addr.sa, l->addr.len) || errno == EAGAIN)
		return -EADDRINUSE;
	if (errno != ECONNREFUSED)
		return -errno;
	return unlink(l->addr.un.sun_path) ? -errno : 0;
}

int listen_open(const struct listener_settings *l, int *ret_fd, char *why, size_t why_size)
{
	bool unix_file = l->addr.sa.sa_family == AF_UNIX && l->addr.un.sun_path[0];
	/* IPPROTO_TCP by name: an MPTCP socket in a sockmap crashes some kernels. */
	_cleanup_close_ int fd = socket(l->addr.sa.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC,
		l->addr.sa.sa_family == AF_UNIX ? 0 : IPPROTO_TCP);
	int err;

	if (fd < 0)
		return failed(-errno, l, "socket", why, why_size);
	err = tuning_listener(fd, l);
	if (err)
		return failed(err, l, "setsockopt", why, why_size);
	if (unix_file) {
		err = remove_stale(l);
		if (err)
			return failed(err, l, "check of what is at that path", why, why_size);
		/* The file is born with this mode less the umask (unix_bind_bsd), so it is never too open. */
		if (fchmod(fd, l->unix_mode))
			return failed(-errno, l, "fchmod", why, why_size);
	}
	if (bind(fd, &l->addr.sa, l->addr.len))
		return failed(-errno, l, "bind", why, why_size);
	if (unix_file && chmod(l->addr.un.sun_path, l->unix_mode))
		return failed(-errno, l, "chmod", why, why_size);
	if (listen(fd, l->backlog))
		return failed(-errno, l, "listen", why, why_size);
	*ret_fd = take_fd(fd);
	return 0;
}

int listen_check_free(const struct listener_settings *l, char *why, size_t why_size)
{
	_cleanup_close_ int fd = -1;
	int one = 1;

	if (l->addr.sa.sa_family == AF_UNIX)
		return 0;
	fd = socket(l->addr.sa.sa_family, SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_TCP);
	/* Without SO_REUSEPORT, which would let it share the port; with SO_REUSEADDR, or connections of the
	 * past count. */
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) ||
		bind(fd, &l->addr.sa, l->addr.len))
		return failed(-errno, l, "bind", why, why_size);
	return 0;
}

int listen_address(int fd, struct sockaddr_any *ret)
{
	struct sockaddr_any a = {.len = sizeof(a.ss)};

	if (getsockname(fd, &a.sa, &a.len))
		return -errno;
	*ret = a;
	return 0;
}
