/* Idle kept connections of one server. */
#include "upstream/server.h"

struct idle_conn {
	struct list link;
	struct source source;
	struct timer timer;
	struct server *server;
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

/* The upstream closed it, or sent bytes that answer no request (a response longer than it said, RFC
 * 9112 9.2): either way nothing may be sent on it again. */
static void on_ready(struct source *source, uint32_t events)
{
	(void)events;
	close(detach(container_of(source, struct idle_conn, source)));
}

static void on_old(struct timer *timer)
{
	close(detach(container_of(timer, struct idle_conn, timer)));
}

/* What the loop has not told yet: the upstream may have closed it since this turn began. */
static bool quiet(int fd)
{
	char byte;

	return recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
}

int pool_take(struct server *s, struct sockaddr_any *ret_addr)
{
	while (!list_empty(&s->idle)) {
		struct idle_conn *c = list_first(&s->idle, struct idle_conn, link);
		struct sockaddr_any addr = c->addr;
		int fd = detach(c);

		if (quiet(fd)) {
			*ret_addr = addr;
			return fd;
		}
		close(fd);
	}
	return -1;
}

void pool_give(struct server *s, int fd, const struct sockaddr_any *addr)
{
	struct upstreams *u = s->up->all;
	const struct upstream_settings *settings = s->up->settings;
	struct idle_conn *c = NULL;

	if (!u->retired && server_up(s) && s->nidle < settings->keepalive && quiet(fd))
		c = slab_take(&u->idle_slab);
	if (!c) {
		close(fd);
		return;
	}
	c->source = (struct source){.fd = fd, .on_ready = on_ready};
	if (loop_add(u->loop, &c->source, EPOLLIN | EPOLLRDHUP)) {
		slab_give(&u->idle_slab, c);
		close(fd);
		return;
	}
	c->server = s;
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
		close(detach(list_entry(s->idle.prev, struct idle_conn, link)));
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
			close(detach(c));
	}
}
