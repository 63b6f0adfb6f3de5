#include "stream/client.h"
#include "base/clock.h"
#include "net/addr.h"
#include "net/tuning.h"
#include "proto/proxy_header.h"
#include "stream/stream.h"
#include <fcntl.h>
#include <linux/sockios.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#define READ_BYTES     (16 * 1024)
#define LINGER_MS      1000 /* how long a closed connection may take to read our last bytes */
#define LINGER_POLL_MS 10
#define LINGER_READS   4 /* then live streams get their turn */
#define CLIENT_EVENTS  (EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET)

ssize_t wire_recv(struct wire *w, void *p, size_t n)
{
	ssize_t got;

	do
		got = recv(w->source.fd, p, n, 0);
	while (got < 0 && errno == EINTR);
	if (got < 0) {
		if (errno == EAGAIN)
			w->readable = false;
		return -errno;
	}
	/* A short read emptied the socket, and new bytes make a new edge; but an end must still be read. */
	if ((size_t)got < n && !w->fin && !w->dead)
		w->readable = false;
	return got;
}

static void client_free(struct task *t)
{
	struct client *c = container_of(t, struct client, free_task);

	slab_give(&c->env->clients, c);
}

static void client_gone(struct client *c)
{
	struct env *env = c->env;

	loop_del(env->loop, &c->wire.source);
	close(c->wire.source.fd);
	c->wire.source.fd = -1;
	timer_stop(&c->timer);
	list_remove(&c->link);
	list_remove(&c->idle);
	buf_reset(&c->in);
	task_cancel(&c->again);
	c->closed = true;
	env->totals->connections_now--;
	task_defer(env->loop, &c->free_task);
	if (env->draining && list_empty(&env->all_clients))
		env->on_drained(env);
}

static void client_reset(struct client *c)
{
	struct linger reset = {.l_onoff = 1, .l_linger = 0};

	setsockopt(c->wire.source.fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	client_gone(c);
}

/* Everything that the peer sends is thrown away until it closes, or the time is up. */
static void linger_read(struct client *c)
{
	ssize_t n = 1;

	for (int reads = 0; c->wire.readable && n > 0 && reads < LINGER_READS; reads++)
		n = wire_recv(&c->wire, c->env->scratch, SCRATCH_BYTES);
	if (c->wire.dead || (n <= 0 && n != -EAGAIN && !c->reset_when_sent))
		client_gone(c);
	else if (c->wire.readable && n > 0)
		task_next_turn(c->env->loop, &c->again);
}

static void linger_timer(struct client *c)
{
	int unsent = 0;

	if (loop_now_ms(c->env->loop) >= c->linger_end_ms)
		c->reset_when_sent ? client_reset(c) : client_gone(c);
	else if (c->reset_when_sent && (ioctl(c->wire.source.fd, SIOCOUTQ, &unsent) || unsent == 0))
		client_reset(c);
	else
		timer_in(c->env->loop, &c->timer, c->reset_when_sent ? LINGER_POLL_MS : LINGER_MS);
}

static void client_linger(struct client *c, bool reset_when_sent)
{
	c->lingering = true;
	c->reset_when_sent = reset_when_sent;
	c->linger_end_ms = loop_now_ms(c->env->loop) + LINGER_MS;
	buf_reset(&c->in);
	if (!reset_when_sent)
		shutdown(c->wire.source.fd, SHUT_WR);
	timer_in(c->env->loop, &c->timer, reset_when_sent ? 1 : LINGER_MS);
	linger_read(c);
}

void client_close(struct client *c, enum client_close how)
{
	if (c->closed)
		return;
	c->stream = NULL;
	if (how == CLIENT_RESET)
		client_reset(c);
	else if (how == CLIENT_RESET_WHEN_SENT && !c->wire.dead)
		client_linger(c, true);
	/* close() with unread bytes makes a reset, which may destroy the answer on its way; so does what
	 * comes behind it. */
	else if (how != CLIENT_RESET_WHEN_SENT && !c->wire.dead &&
		 (how == CLIENT_LINGER || c->wire.readable || c->in.len))
		client_linger(c, false);
	else
		client_gone(c);
}

/* 0: more is needed; 1: behind it (or none was expected); negative: not one. */
static int read_proxy_header(struct client *c)
{
	struct proxy_header h;
	int n;

	if (!c->proxy_header)
		return 1;
	n = proxy_header_parse(c->in.data, c->in.len, &h);
	if (n <= 0)
		return n;
	if (!h.local) {
		struct sockaddr_any a = {.ss = h.source, .len = sizeof(h.source)};

		addr_to_record(&a, &c->addr);
		c->trusted = addr_in(&a, c->env->now->settings->trusted, c->env->now->settings->ntrusted);
	}
	c->proxy_header = false;
	buf_drop(&c->in, (size_t)n);
	return 1;
}

/* Looks for a whole head in what is there. */
static void client_parse(struct client *c)
{
	enum h1_rule rule;
	size_t len = 0;
	int header = read_proxy_header(c);

	if (header < 0) {
		request_start(c, H1_RULE_PROXY_HEADER, 0);
		return;
	}
	if (header == 0 || !c->in.len)
		return;
	rule = h1_scan(&c->scan, H1_REQUEST, c->in.data, c->in.len, &len);
	if (rule != H1_OK)
		request_start(c, rule, 0);
	else if (len)
		request_start(c, H1_OK, len);
}

/* From here the head has a deadline of its own, whatever trickles in. */
static void begin_head(struct client *c)
{
	c->first_byte_ns = loop_now_ns(c->env->loop);
	list_remove(&c->idle);
	timer_in(c->env->loop, &c->timer, c->env->now->settings->client_head_ms);
}

/* Waits for a request; holds no memory for it. */
static void client_idle(struct client *c)
{
	buf_reset(&c->in);
	list_remove(&c->idle);
	list_push_back(&c->env->idle_clients, &c->idle);
}

static void client_read(struct client *c)
{
	if (c->in.len && !c->stream)
		client_parse(c);
	/* With `again` waiting, what is at hand comes first: else a pipeline of requests that are answered at
	 * once would pile up. */
	while (!c->closed && !c->lingering && !c->stream && c->wire.readable && list_empty(&c->again.link)) {
		ssize_t n = wire_recv(&c->wire, c->env->scratch, READ_BYTES);

		if (n == -EAGAIN) {
			if (!c->first_byte_ns)
				client_idle(c);
			return;
		}
		if (n <= 0 || buf_append(&c->in, c->env->scratch, (size_t)n)) {
			client_close(c, n <= 0 ? CLIENT_CLOSE : CLIENT_RESET);
			return;
		}
		if (!c->first_byte_ns)
			begin_head(c);
		client_parse(c);
	}
}

static void client_go_on(struct task *t)
{
	struct client *c = container_of(t, struct client, again);

	if (c->lingering)
		linger_read(c);
	else if (!c->stream)
		client_read(c);
}

void client_next(struct client *c)
{
	struct env *env = c->env;

	c->stream = NULL;
	memset(&c->scan, 0, sizeof(c->scan));
	c->first_byte_ns = 0;
	if (env->draining || c->wire.dead) {
		client_close(c, CLIENT_CLOSE);
		return;
	}
	if (c->in.len || c->wire.readable) {
		/* Not from here: a long pipeline would nest as deep as it is long. */
		if (c->in.len)
			begin_head(c);
		else
			timer_in(env->loop, &c->timer, env->now->settings->client_keepalive_ms);
		task_next_turn(env->loop, &c->again);
		return;
	}
	client_idle(c);
	timer_in(env->loop, &c->timer, env->now->settings->client_keepalive_ms);
}

static void on_client_ready(struct source *source, uint32_t events)
{
	struct client *c = container_of(source, struct client, wire.source);

	wire_note(&c->wire, events);
	if (c->lingering)
		linger_read(c);
	else if (c->stream)
		stream_client_ready(c->stream);
	else if (c->wire.dead)
		client_close(c, CLIENT_CLOSE);
	else
		client_read(c);
}

static void on_client_timer(struct timer *t)
{
	struct client *c = container_of(t, struct client, timer);

	if (c->lingering)
		linger_timer(c);
	else if (c->first_byte_ns && !c->stream)
		request_timed_out(c);
	else if (!c->stream)
		client_close(c, CLIENT_CLOSE);
}

/* Not worth a stream: the answer is one small write, and the connection ends. */
static void refuse_connection(struct env *env, int fd, enum sluice_reject why)
{
	static const char answer[] =
		"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 5\r\nConnection: close\r\n"
		"Content-Length: 0\r\n\r\n";
	ssize_t n = send(fd, answer, sizeof(answer) - 1, MSG_NOSIGNAL | MSG_DONTWAIT);

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

static void client_new(struct acceptor *a, int fd, const struct sockaddr_any *peer)
{
	struct env *env = a->env;
	const struct settings *settings = env->now->settings;
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
		refuse_connection(env, fd, SLUICE_REJECT_FDS);
		return;
	}
	c = slab_take(&env->clients);
	if (!c) {
		refuse_connection(env, fd, SLUICE_REJECT_MEMORY);
		return;
	}
	c->env = env;
	c->wire.source = (struct source){.on_ready = on_client_ready, .fd = fd};
	c->wire.writable = true;
	c->is_unix = peer->sa.sa_family == AF_UNIX;
	c->proxy_header = a->settings->proxy_protocol == PROXY_REQUIRED;
	c->in.max = H1_MAX_HEAD + 2 * READ_BYTES;
	addr_to_record(peer, &c->addr);
	c->cookie = c->is_unix ? 0 : tuning_cookie(fd);
	c->trusted = c->is_unix || addr_in(peer, settings->trusted, settings->ntrusted);
	timer_init(&c->timer, on_client_timer);
	task_init(&c->free_task, client_free);
	task_init(&c->again, client_go_on);
	list_init(&c->idle);
	list_push_back(&env->all_clients, &c->link);
	env->totals->connections++;
	env->totals->connections_now++;
	if ((!c->is_unix && tuning_client(fd, settings)) ||
		loop_add(env->loop, &c->wire.source, CLIENT_EVENTS)) {
		client_gone(c);
		return;
	}
	/* Nothing sent yet: the same time as for a head. */
	timer_in(env->loop, &c->timer, settings->client_head_ms);
	list_push_back(&env->idle_clients, &c->idle);
}

#define ACCEPT_BATCH	64 /* then live streams get their turn */
#define ACCEPT_PAUSE_MS 100

static void on_acceptable(struct source *source, uint32_t events)
{
	struct acceptor *a = container_of(source, struct acceptor, source);

	(void)events;
	for (int i = 0; i < ACCEPT_BATCH; i++) {
		struct sockaddr_any peer = {.len = sizeof(peer.ss)};
		int fd = accept4(source->fd, &peer.sa, &peer.len, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd >= 0) {
			client_new(a, fd, &peer);
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

void clients_drain(struct env *env, uint64_t window_ms)
{
	if (env->draining)
		return;
	env->draining = true;
	env->drain_end_ms = loop_now_ms(env->loop) + window_ms;
	list_for_each_safe (node, &env->all_clients) {
		struct client *c = list_entry(node, struct client, link);

		if (c->stream)
			drain_stream(c->stream);
		else if (!c->lingering)
			client_close(c, CLIENT_CLOSE);
	}
	if (list_empty(&env->all_clients))
		env->on_drained(env);
}

void clients_cut(struct env *env)
{
	env->draining = true;
	list_for_each_safe (node, &env->all_clients) {
		struct client *c = list_entry(node, struct client, link);

		if (c->stream)
			stream_end(c->stream, SLUICE_BY_DRAIN, "window over");
		else if (!c->lingering)
			client_close(c, CLIENT_CLOSE);
	}
}

bool clients_kill(struct env *env, uint64_t stream_id)
{
	list_for_each (node, &env->all_clients) {
		struct client *c = list_entry(node, struct client, link);

		if (c->stream && c->stream->ctl->id == stream_id) {
			stream_end(c->stream, SLUICE_BY_ADMIN, "killed");
			return true;
		}
	}
	return false;
}
