/* New client connections: accepted while there are descriptors for them, told 503 otherwise. */
#include "stream/client.h"
#include "stream/stream.h"
#include <fcntl.h>
#include <sys/socket.h>

#define ACCEPT_BATCH	64 /* then live streams get their turn */
#define ACCEPT_PAUSE_MS 100

/* Not worth a stream: the answer is one small write, and the connection ends. */
static void refuse_connection(struct acceptor *a, int fd, enum sluice_reject why)
{
	struct env *env = a->env;
	static const char answer[] =
		"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 5\r\nConnection: close\r\n"
		"Content-Length: 0\r\n\r\n";
	/* A TLS client could not read it. */
	ssize_t n = a->settings->tls ? 0 : send(fd, answer, sizeof(answer) - 1, MSG_NOSIGNAL | MSG_DONTWAIT);

	(void)n; /* it is closed either way */
	/* Take what it sent, or close() would reset the connection under the answer. */
	shutdown(fd, SHUT_WR);
	n = recv(fd, env->scratch, SCRATCH_BYTES, MSG_DONTWAIT);
	close(fd);
	env_count_reject(env, why);
}

/* Between requests a connection can be closed without harm; the longest idle goes first. */
static bool close_one_idle(struct env *env)
{
	if (list_empty(&env->idle_clients))
		return false;
	client_close(list_first(&env->idle_clients, struct client, idle), CLIENT_CLOSE);
	return true;
}

static void take(struct acceptor *a, int fd, const struct sockaddr_any *peer)
{
	struct env *env = a->env;
	struct client *c;

	if (fd >= env->fd_limit - FD_RESERVE_CLIENTS && close_one_idle(env)) {
		int lower = fcntl(fd, F_DUPFD_CLOEXEC, 0);

		/* The place that came free has a lower number, and the number is what is judged by. */
		if (lower >= 0) {
			close(fd);
			fd = lower;
		}
	}
	if (fd >= env->fd_limit - FD_RESERVE_CLIENTS) {
		refuse_connection(a, fd, SLUICE_REJECT_FDS);
		return;
	}
	c = slab_take(&env->clients);
	if (c)
		client_open(a, c, fd, peer);
	else
		refuse_connection(a, fd, SLUICE_REJECT_MEMORY);
}

static void on_acceptable(struct source *source, uint32_t events)
{
	struct acceptor *a = container_of(source, struct acceptor, source);

	(void)events;
	for (int i = 0; i < ACCEPT_BATCH; i++) {
		struct sockaddr_any peer = {.len = sizeof(peer.ss)};
		int fd = accept4(source->fd, &peer.sa, &peer.len, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd >= 0) {
			take(a, fd, &peer);
			continue;
		}
		if ((errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) &&
			!close_one_idle(a->env)) {
			/* Level-triggered: asking again at once would spin. */
			loop_del(a->env->loop, source);
			timer_in(a->env->loop, &a->pause, ACCEPT_PAUSE_MS);
			a->env->totals->accept_pauses++;
			return;
		}
		if (errno == EAGAIN)
			return;
	}
}

static void on_pause_over(struct timer *t)
{
	struct acceptor *a = container_of(t, struct acceptor, pause);

	if (loop_add(a->env->loop, &a->source, EPOLLIN))
		timer_in(a->env->loop, &a->pause, ACCEPT_PAUSE_MS);
}

int acceptor_init(struct acceptor *a, struct env *env, int fd, struct listener_settings *settings)
{
	*a = (struct acceptor){.env = env, .settings = settings};
	a->source = (struct source){.on_ready = on_acceptable, .fd = fd};
	timer_init(&a->pause, on_pause_over);
	/* A unix socket is shared by the workers: one of them is enough for one connection. */
	return loop_add(env->loop, &a->source,
		settings->addr.sa.sa_family == AF_UNIX ? EPOLLIN | EPOLLEXCLUSIVE : EPOLLIN);
}

void acceptor_done(struct acceptor *a)
{
	if (a->source.fd < 0)
		return;
	timer_stop(&a->pause);
	loop_del(a->env->loop, &a->source);
	close(a->source.fd);
	a->source.fd = -1;
}
