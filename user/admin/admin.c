#include "admin/admin.h"
#include "admin/verbs.h"
#include "sluice/admin.h"
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#define SESSION_MS 10000 /* for one question and its answer */

struct admin {
	struct source source;
	struct loop *loop;
	struct admin_hooks hooks;
	struct list sessions;
	char *path;
};

struct session {
	struct source source;
	struct list link;
	struct timer timer;
	struct admin *admin;
	char line[SLUICE_ADMIN_MAX_LINE];
	size_t len;
	char *answer; /* NULL: the question is not whole */
	size_t answer_len, answer_at;
	int send_fd; /* goes with the answer's first bytes; the daemon's own; -1: none */
};

static void session_free(struct session *s)
{
	loop_del(s->admin->loop, &s->source);
	close(s->source.fd);
	timer_stop(&s->timer);
	list_remove(&s->link);
	free(s->answer);
	free(s);
}

static void on_session_timer(struct timer *t)
{
	session_free(container_of(t, struct session, timer));
}

/* ---- connections */

static ssize_t send_some(struct session *s)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = {0};
	struct iovec iov = {s->answer + s->answer_at, s->answer_len - s->answer_at};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};

	if (s->send_fd >= 0) {
		control.align = (struct cmsghdr){
			.cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(sizeof(int))};
		memcpy(CMSG_DATA(&control.align), &s->send_fd, sizeof(int));
		msg.msg_control = &control;
		msg.msg_controllen = sizeof(control);
	}
	return sendmsg(s->source.fd, &msg, MSG_NOSIGNAL);
}

static void session_write(struct session *s)
{
	while (s->answer_at < s->answer_len) {
		ssize_t n = send_some(s);

		if (n < 0 && errno == EAGAIN) {
			if (loop_mod(s->admin->loop, &s->source, EPOLLOUT))
				break;
			return;
		}
		if (n <= 0)
			break;
		s->answer_at += (size_t)n;
		s->send_fd = -1;
	}
	session_free(s);
}

static void on_session_ready(struct source *source, uint32_t events)
{
	struct session *s = container_of(source, struct session, source);
	ssize_t n;
	char *end;
	json_t *json;

	(void)events;
	if (s->answer) {
		session_write(s);
		return;
	}
	n = recv(source->fd, s->line + s->len, sizeof(s->line) - 1 - s->len, 0);
	if (n < 0 && errno == EAGAIN)
		return;
	if (n > 0)
		s->len += (size_t)n;
	end = memchr(s->line, '\n', s->len);
	if (!end && (n <= 0 || s->len == sizeof(s->line) - 1)) {
		session_free(s);
		return;
	}
	if (!end)
		return;
	*end = '\0';
	json = verbs_answer(&s->admin->hooks, s->line, &s->send_fd);
	s->answer = json ? json_dumps(json, JSON_COMPACT) : NULL;
	json_decref(json);
	if (!s->answer) {
		session_free(s);
		return;
	}
	s->answer_len = strlen(s->answer);
	session_write(s);
}

static void on_admin_ready(struct source *source, uint32_t events)
{
	struct admin *a = container_of(source, struct admin, source);
	int fd = accept4(source->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	struct session *s;

	(void)events;
	if (fd < 0)
		return;
	s = calloc(1, sizeof(*s));
	if (!s) {
		close(fd);
		return;
	}
	s->admin = a;
	s->send_fd = -1;
	s->source = (struct source){.on_ready = on_session_ready, .fd = fd};
	timer_init(&s->timer, on_session_timer);
	list_push_back(&a->sessions, &s->link);
	if (loop_add(a->loop, &s->source, EPOLLIN))
		session_free(s);
	else
		timer_in(a->loop, &s->timer, SESSION_MS);
}

/* Is somebody listening on that path? */
static bool answers(const struct sockaddr_un *addr)
{
	_cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	return fd >= 0 && connect(fd, (const struct sockaddr *)addr, sizeof(*addr)) == 0;
}

static int admin_listen(const char *path, int *ret_fd)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	_cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	mode_t mask;
	int err;

	if (fd < 0)
		return -errno;
	if (strlen(path) >= sizeof(addr.sun_path))
		return -ENAMETOOLONG;
	strcpy(addr.sun_path, path);
	if (answers(&addr))
		return -EADDRINUSE;
	unlink(path);
	mask = umask(0177);
	err = bind(fd, (struct sockaddr *)&addr, sizeof(addr)) || listen(fd, 16) ? -errno : 0;
	umask(mask);
	if (err)
		return err;
	*ret_fd = take_fd(fd);
	return 0;
}

int admin_new(struct loop *l, const char *path, const struct admin_hooks *hooks, struct admin **ret)
{
	struct admin *a = calloc(1, sizeof(*a));
	int err;

	if (!a)
		return -ENOMEM;
	a->path = strdup(path);
	a->loop = l;
	a->hooks = *hooks;
	list_init(&a->sessions);
	err = a->path ? admin_listen(path, &a->source.fd) : -ENOMEM;
	if (err) {
		free(a->path);
		free(a);
		return err;
	}
	a->source.on_ready = on_admin_ready;
	err = loop_add(l, &a->source, EPOLLIN);
	if (err) {
		admin_free(a);
		return err;
	}
	*ret = a;
	return 0;
}

void admin_free(struct admin *a)
{
	if (!a)
		return;
	list_for_each_safe (node, &a->sessions)
		session_free(list_entry(node, struct session, link));
	loop_del(a->loop, &a->source);
	close(a->source.fd);
	unlink(a->path);
	free(a->path);
	free(a);
}

void admin_forget(struct admin *a)
{
	if (!a)
		return;
	list_for_each (node, &a->sessions)
		close(list_entry(node, struct session, link)->source.fd);
	close(a->source.fd);
}
