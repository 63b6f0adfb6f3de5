#include "admin/admin.h"
#include "base/buf.h"
#include "base/clock.h"
#include "observe/record_json.h"
#include "sluice/admin.h"
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#define SESSION_MS 10000 /* for one question and its answer */
#define WHY_BYTES  256

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

/* ---- verbs */

static json_t *outcome(int err, const char *why)
{
	if (!err)
		return json_pack("{s:b}", "ok", 1);
	return json_pack("{s:b,s:s}", "ok", 0, "error", *why ? why : strerror(-err));
}

static json_t *do_streams(struct admin *a, const char *arg)
{
	(void)arg;
	return record_json_all(
		a->hooks.slots->records, a->hooks.flows, a->hooks.slots->count, clock_mono_ns());
}

static uint64_t sum(const struct admin *a, size_t offset)
{
	uint64_t n = 0;

	for (unsigned w = 0; w < a->hooks.workers; w++)
		n += *(const uint64_t *)((const char *)&a->hooks.totals[w] + offset);
	return n;
}

static json_t *do_totals(struct admin *a, const char *arg)
{
	json_t *o = json_object(), *ended = json_object(), *refused = json_object();

	(void)arg;
#define TOTAL(id, text)                                                                                      \
	json_object_set_new(o, #id, json_integer((json_int_t)sum(a, offsetof(struct totals, id))));
#include "observe/totals.def"
#undef TOTAL
#define SLUICE_END_BY(id, text)                                                                              \
	json_object_set_new(ended, text,                                                                     \
		json_integer((json_int_t)sum(a, offsetof(struct totals, ended[SLUICE_BY_##id]))));
#include "sluice/end_by.def"
#undef SLUICE_END_BY
	for (enum h1_rule r = H1_OK + 1; r < H1_RULE_COUNT; r++)
		json_object_set_new(refused, h1_rule_label(r),
			json_integer(
				(json_int_t)sum(a, offsetof(struct totals, refused) + r * sizeof(uint64_t))));
	json_object_set_new(o, "ended", ended);
	json_object_set_new(o, "refused", refused);
	return o;
}

static json_t *do_workers(struct admin *a, const char *arg)
{
	json_t *list = json_array();

	(void)arg;
	for (unsigned i = 0; i < a->hooks.workers; i++) {
		struct admin_worker w = {0};

		a->hooks.worker(a->hooks.arg, i, &w);
		json_array_append_new(
			list, json_pack("{s:i,s:i,s:i,s:I}", "worker", (int)i, "pid", (int)w.pid, "restarts",
				      (int)w.restarts, "age_ms", (json_int_t)w.age_ms));
	}
	return list;
}

static json_t *do_reload(struct admin *a, const char *arg)
{
	char why[WHY_BYTES] = "";

	(void)arg;
	return outcome(a->hooks.reload(a->hooks.arg, why), why);
}

static json_t *do_drain(struct admin *a, const char *arg)
{
	char why[WHY_BYTES] = "";

	(void)arg;
	return outcome(a->hooks.drain(a->hooks.arg, why), why);
}

static json_t *do_kill(struct admin *a, const char *arg)
{
	char why[WHY_BYTES] = "", *end;
	uint64_t id = strtoull(arg, &end, 10);

	if (!*arg || *end)
		return outcome(-EINVAL, "kill takes the id of a stream, as `streams` shows it");
	return outcome(a->hooks.kill(a->hooks.arg, id, why), why);
}

static json_t *do_log_level(struct admin *a, const char *arg)
{
	char why[WHY_BYTES] = "";

	return outcome(a->hooks.log_level(a->hooks.arg, arg, why), why);
}

static const struct verb {
	const char *name;
	json_t *(*run)(struct admin *a, const char *arg);
} verbs[] = {
	{"streams", do_streams},
	{"totals", do_totals},
	{"workers", do_workers},
	{"reload", do_reload},
	{"drain", do_drain},
	{"kill", do_kill},
	{"log-level", do_log_level},
};

static json_t *answer(struct admin *a, char *line)
{
	char *arg = line + strcspn(line, " ");

	if (*arg)
		*arg++ = '\0';
	for (size_t i = 0; i < ARRAY_LEN(verbs); i++)
		if (strcmp(verbs[i].name, line) == 0)
			return verbs[i].run(a, arg);
	return outcome(
		-EINVAL, "unknown verb; known: streams, totals, workers, reload, drain, kill, log-level");
}

/* ---- connections */

static void session_write(struct session *s)
{
	while (s->answer_at < s->answer_len) {
		ssize_t n = send(
			s->source.fd, s->answer + s->answer_at, s->answer_len - s->answer_at, MSG_NOSIGNAL);

		if (n < 0 && errno == EAGAIN) {
			if (loop_mod(s->admin->loop, &s->source, EPOLLOUT))
				break;
			return;
		}
		if (n <= 0)
			break;
		s->answer_at += (size_t)n;
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
	json = answer(s->admin, s->line);
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
