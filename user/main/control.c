#include "main/control.h"
#include <sys/socket.h>

#define HEADER_BYTES offsetof(struct control_message, fds)

int control_pair(int ret_ends[2])
{
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ret_ends))
		return -errno;
	return 0;
}

int control_send(int fd, const struct control_message *m)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(m->fds))];
	} control = {0};
	struct iovec iov = {(void *)m, HEADER_BYTES};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};

	if (m->nfds > CONTROL_MAX_FDS)
		return -E2BIG;
	if (m->nfds) {
		struct cmsghdr *c = &control.align;

		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(m->nfds * sizeof(int));
		memcpy(CMSG_DATA(c), m->fds, m->nfds * sizeof(int));
		msg.msg_control = &control;
		msg.msg_controllen = CMSG_SPACE(m->nfds * sizeof(int));
	}
	return sendmsg(fd, &msg, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

int control_say(int fd, enum control_kind kind, uint64_t arg)
{
	struct control_message m = {.kind = kind, .arg = arg};

	return control_send(fd, &m);
}

int control_receive(int fd, struct control_message *ret)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(ret->fds))];
	} control;
	struct iovec iov = {ret, HEADER_BYTES};
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)};
	ssize_t n = recvmsg(fd, &msg, MSG_CMSG_CLOEXEC);
	struct cmsghdr *c;

	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	if (n != (ssize_t)HEADER_BYTES)
		return -EPIPE;
	c = CMSG_FIRSTHDR(&msg);
	ret->nfds = c ? (uint32_t)((c->cmsg_len - CMSG_LEN(0)) / sizeof(int)) : 0;
	if (c)
		memcpy(ret->fds, CMSG_DATA(c), ret->nfds * sizeof(int));
	return 1;
}
