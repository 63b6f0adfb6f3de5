/* Idle kept connections of one server. */
#include "upstream/server.h"

struct idle_conn {
	struct list link;
	struct source source;
	struct timer timer;
	struct server *server;
	struct tls_conn *tls; /* NULL: plaintext */
	struct sockaddr_any addr;
};

size_t pool_object_size(void)
{
	return sizeof(struct idle_conn);
}

/* Takes it out of everything but the fd's table. */
static int detach(struct idle_conn *c)
{
	struct server *s = c->server;
	int fd = c->source.fd;

	loop_del(server_loop(s), &c->source);
	timer_stop(&c->timer);
	list_remove(&c->link);
	s->nidle--;
	slab_give(&s->up->all->idle_slab, c);
	return fd;
}

static void drop(struct idle_conn *c)
{
	struct tls_conn *tls = c->tls;
	int fd = detach(c);

	tls_conn_free(tls);
	close(fd);
}

/* What the loop has not told yet: the upstream may have closed it since this turn began. TLS may have had
 * something to say that answers no request: a session ticket. */
static bool quiet(int fd, struct tls_conn *tls)
{
	char byte;

	if (tls)
		return !tls_peek_end(tls) && !tls_pending(tls);
	return recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
}

/* The upstream closed it, or sent bytes that answer no request (a response longer than it said, RFC
 * 9112 9.2): either way nothing may be sent on it again. */
static void on_ready(struct source *source, uint32_t events)
{
	struct idle_conn *c = container_of(source, struct idle_conn, source);

	if (!c->tls || (events & ~(uint32_t)EPOLLIN) || !quiet(source->fd, c->tls))
		drop(c);
}

static void on_old(struct timer *timer)
{
	drop(container_of(timer, struct idle_conn, timer));
}

int pool_take(struct server *s, struct sockaddr_any *ret_addr, struct tls_conn **ret_tls)
{
	while (!list_empty(&s->idle)) {
		struct idle_conn *c = list_first(&s->idle, struct idle_conn, link);
		struct sockaddr_any addr = c->addr;
		struct tls_conn *tls = c->tls;

		if (quiet(c->source.fd, tls)) {
			*ret_addr = addr;
			*ret_tls = tls;
			return detach(c);
		}
		drop(c);
	}
	return -1;
}

void pool_give(struct server *s, int fd, struct tls_conn *tls, const struct sockaddr_any *addr)
{
	struct upstreams *u = s->up->all;
	const struct upstream_settings *settings = s->up->settings;
	struct idle_conn *c = NULL;

	if (!u->retired && server_up(s) && s->nidle < settings->keepalive && quiet(fd, tls))
		c = slab_take(&u->idle_slab);
	if (!c) {
		tls_conn_free(tls);
		close(fd);
		return;
	}
	c->source = (struct source){.fd = fd, .on_ready = on_ready};
	if (loop_add(u->loop, &c->source, EPOLLIN | EPOLLRDHUP)) {
		slab_give(&u->idle_slab, c);
		tls_conn_free(tls);
		close(fd);
		return;
	}
	c->server = s;
	c->tls = tls;
	c->addr = *addr;
	timer_init(&c->timer, on_old);
	timer_in(u->loop, &c->timer, settings->keepalive_ms);
	list_init(&c->link);
	list_push_front(&s->idle, &c->link);
	s->nidle++;
}

void pool_close_oldest(struct server *s)
{
	if (!list_empty(&s->idle))
		drop(list_entry(s->idle.prev, struct idle_conn, link));
}

void pool_close_all(struct server *s)
{
	while (!list_empty(&s->idle))
		pool_close_oldest(s);
}

void pool_close_gone(struct server *s)
{
	list_for_each_safe (pos, &s->idle) {
		struct idle_conn *c = list_entry(pos, struct idle_conn, link);

		if (!addrs_has(&s->addrs, &c->addr))
			drop(c);
	}
}
