#include "stream/client.h"
#include "base/clock.h"
#include "net/addr.h"
#include "net/tuning.h"
#include "proto/proxy_header.h"
#include "stream/h2_conn.h"
#include <linux/sockios.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#define READ_BYTES     (16 * 1024)
#define LINGER_MS      1000  /* how long a closed connection may take to read our last bytes */
#define SHUT_MS	       30000 /* the same while it keeps TLS's close_notify waiting */
#define LINGER_POLL_MS 10
#define LINGER_READS   4 /* then live streams get their turn */
#define CLIENT_EVENTS  (EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET)

static void client_free(struct task *t)
{
	struct client *c = container_of(t, struct client, free_task);

	slab_give(&c->env->clients, c);
}

static void client_gone(struct client *c)
{
	struct env *env = c->env;

	loop_del(env->loop, &c->wire.source);
	wire_drop_tls(&c->wire);
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
	tuning_reset_on_close(c->wire.source.fd);
	client_gone(c);
}

/* Everything that the peer sends is thrown away until it closes, or the time is up. */
static void linger_read(struct client *c)
{
	ssize_t n = 1;

	for (int reads = 0; c->wire.readable && n > 0 && reads < LINGER_READS; reads++)
		n = wire_recv(&c->wire, c->env->scratch, SCRATCH_BYTES);
	if (c->wire.dead || (n <= 0 && n != -EAGAIN && !c->reset_when_sent && !(n == 0 && c->wire.shutting)))
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

/* What still comes is thrown away as it is. */
static void linger_plain(struct client *c)
{
	wire_drop_tls(&c->wire);
	c->linger_end_ms = loop_now_ms(c->env->loop) + LINGER_MS;
	timer_in(c->env->loop, &c->timer, c->reset_when_sent ? 1 : LINGER_MS);
}

static void client_linger(struct client *c, bool reset_when_sent)
{
	c->lingering = true;
	c->reset_when_sent = reset_when_sent;
	buf_reset(&c->in);
	if (!reset_when_sent)
		wire_shut(&c->wire);
	if (c->wire.shutting) {
		c->linger_end_ms = loop_now_ms(c->env->loop) + SHUT_MS;
		timer_at(c->env->loop, &c->timer, c->linger_end_ms);
	} else {
		linger_plain(c);
	}
	linger_read(c);
}

static void linger_ready(struct client *c)
{
	if (c->wire.tls && !c->wire.shutting)
		linger_plain(c);
	linger_read(c);
}

void client_close(struct client *c, enum client_close how)
{
	if (c->closed)
		return;
	c->stream = NULL;
	if (c->h2)
		h2_conn_done(c);
	if (how == CLIENT_CUT)
		wire_drop_tls(&c->wire);
	if (how == CLIENT_RESET)
		client_reset(c);
	else if (how == CLIENT_RESET_WHEN_SENT && !c->wire.dead)
		client_linger(c, true);
	/* close() with unread bytes makes a reset, which may destroy the answer on its way; so does what
	 * comes behind it. */
	else if (how != CLIENT_RESET_WHEN_SENT && !c->wire.dead &&
		 (how == CLIENT_LINGER || c->wire.readable || c->in.len))
		client_linger(c, false);
	else if (how != CLIENT_RESET_WHEN_SENT && c->wire.tls && !c->wire.dead && !tls_shutdown(c->wire.tls))
		client_linger(c, false);
	else
		client_gone(c);
}

static void set_peer(struct client *c, const struct sockaddr_any *a)
{
	const struct settings *settings = c->env->now->settings;

	c->is_unix = a->sa.sa_family == AF_UNIX;
	addr_to_record(a, &c->addr);
	c->trusted = c->is_unix || addr_in(a, settings->trusted, settings->ntrusted);
}

bool client_told(struct client *c, const struct proxy_header *h)
{
	struct sockaddr_any a = {.ss = h->source, .len = sizeof(h->source)};

	c->proxy_header = false;
	if (h->local)
		return true;
	set_peer(c, &a);
	return !c->wire.tls || client_may_begin_tls(c, &a);
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
	client_told(c, &h);
	buf_drop(&c->in, (size_t)n);
	return 1;
}

/* HTTP/2 with prior knowledge (RFC 9113 3.3): tells whether the connection is, or may yet be, that. */
static bool is_h2c(struct client *c)
{
	size_t n = MIN(c->in.len, H2_PREFACE_LEN);

	if (!c->h2c || c->requests || memcmp(c->in.data, H2_PREFACE, n) != 0)
		return false;
	if (n == H2_PREFACE_LEN)
		h2_conn_begin(c);
	return true;
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
	if (header == 0 || !c->in.len || is_h2c(c))
		return;
	if (c->h2_only) {
		client_close(c, CLIENT_LINGER);
		return;
	}
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
	while (!c->closed && !c->lingering && !c->stream && !c->h2 && c->wire.readable &&
		list_empty(&c->again.link)) {
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
	else if (c->h2)
		h2_conn_ready(c);
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

/* The first request may have come with the handshake's last bytes. */
static void go_on_handshake(struct client *c)
{
	if (client_secure(c))
		client_read(c);
}

static void on_client_ready(struct source *source, uint32_t events)
{
	struct client *c = container_of(source, struct client, wire.source);

	wire_note(&c->wire, events);
	if (c->lingering)
		linger_ready(c);
	else if (c->handshaking)
		go_on_handshake(c);
	else if (c->h2)
		h2_conn_ready(c);
	else if (c->stream) {
		if (c->wire.tls)
			wire_look(&c->wire);
		stream_client_ready(c->stream);
	} else if (c->wire.dead)
		client_close(c, CLIENT_CLOSE);
	else
		client_read(c);
}

static void on_client_timer(struct timer *t)
{
	struct client *c = container_of(t, struct client, timer);

	if (c->lingering)
		linger_timer(c);
	else if (c->h2)
		h2_conn_timer(c);
	else if (c->handshaking) {
		c->env->totals->tls_accept_failed[SLUICE_TLS_FAIL_TIMEOUT]++;
		client_close(c, CLIENT_RESET);
	} else if (c->first_byte_ns && !c->stream)
		request_timed_out(c);
	else if (!c->stream)
		client_close(c, CLIENT_CLOSE);
}

static int begin_tls(struct client *c, const struct acceptor *a)
{
	const struct generation *now = c->env->now;
	int err = tls_accept(
		now->tls, (size_t)(a->settings - now->settings->listeners), c->wire.source.fd, &c->wire.tls);

	if (err)
		return err;
	c->wire.ops = &wire_tls_ops;
	c->handshaking = true;
	return 0;
}

void client_open(struct acceptor *a, struct client *c, int fd, const struct sockaddr_any *peer)
{
	struct env *env = a->env;
	const struct settings *settings = env->now->settings;
	const struct listener_settings *l = a->settings;

	c->env = env;
	c->wire.source = (struct source){.on_ready = on_client_ready, .fd = fd};
	c->wire.writable = true;
	c->proxy_header = l->proxy_protocol == PROXY_REQUIRED;
	c->h2c = !l->tls && l->http != HTTP_1_1_ONLY;
	c->h2_only = l->http == HTTP_2_ONLY;
	c->in.max = H1_MAX_HEAD + 2 * READ_BYTES;
	set_peer(c, peer);
	c->cookie = c->is_unix ? 0 : tuning_cookie(fd);
	timer_init(&c->timer, on_client_timer);
	task_init(&c->free_task, client_free);
	task_init(&c->again, client_go_on);
	list_init(&c->idle);
	list_push_back(&env->all_clients, &c->link);
	env->totals->connections++;
	env->totals->connections_now++;
	if ((!c->is_unix && tuning_client(fd, settings)) ||
		(l->tls && !c->proxy_header && !client_may_begin_tls(c, peer)) ||
		(l->tls && begin_tls(c, a)) || loop_add(env->loop, &c->wire.source, CLIENT_EVENTS)) {
		client_gone(c);
		return;
	}
	/* Nothing sent yet: the same time as for a head. */
	timer_in(env->loop, &c->timer, l->tls ? l->tls->handshake_ms : settings->client_head_ms);
	list_push_back(&env->idle_clients, &c->idle);
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
		else if (c->h2)
			h2_conn_drain(c);
		else if (!c->lingering && !c->carrier)
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
		else if (c->h2)
			h2_conn_end(c);
		else if (!c->lingering && !c->carrier)
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
