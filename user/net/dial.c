#include "net/dial.h"
#include "net/tuning.h"

int dial_start(const struct sockaddr_any *to, const struct settings *s, int *ret_fd)
{
	int family = to->sa.sa_family, err;
	/* IPPROTO_TCP by name: where MPTCP is made the default it must not be used, its sockets break
	 * sockmaps. */
	_cleanup_close_ int fd = socket(
		family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, family == AF_UNIX ? 0 : IPPROTO_TCP);

	if (fd < 0)
		return -errno;
	err = tuning_upstream(fd, s);
	if (err)
		return err;
	if (connect(fd, &to->sa, to->len) && errno != EINPROGRESS)
		return -errno;
	*ret_fd = take_fd(fd);
	return 0;
}

/* A dial to a local port of the ephemeral range where nobody listens can draw that very port and connect to
 * itself (simultaneous open, RFC 9293 3.5). It would then read back its own request. */
static bool connected_to_itself(const struct sockaddr_any *peer, int fd)
{
	struct sockaddr_any self = {.len = sizeof(self.ss)};

	if (peer->sa.sa_family != AF_INET && peer->sa.sa_family != AF_INET6)
		return false;
	if (getsockname(fd, &self.sa, &self.len) || self.sa.sa_family != peer->sa.sa_family)
		return false;
	if (peer->sa.sa_family == AF_INET)
		return self.in4.sin_port == peer->in4.sin_port &&
		       self.in4.sin_addr.s_addr == peer->in4.sin_addr.s_addr;
	return self.in6.sin6_port == peer->in6.sin6_port &&
	       memcmp(&self.in6.sin6_addr, &peer->in6.sin6_addr, sizeof(self.in6.sin6_addr)) == 0;
}

int dial_result(int fd)
{
	struct sockaddr_any peer = {.len = sizeof(peer.ss)};
	int err = 0;
	socklen_t len = sizeof(err);

	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &len))
		return -errno;
	if (err)
		return -err;
	if (getpeername(fd, &peer.sa, &peer.len))
		return -errno;
	return connected_to_itself(&peer, fd) ? -ECONNREFUSED : 0;
}
