/* Settings, origins and requests for tests of user/upstream. Include once per binary, after loop_world.h. */
#ifndef SLUICE_TESTS_UPSTREAM_WORLD_H
#define SLUICE_TESTS_UPSTREAM_WORLD_H

#include "net/addr.h"
#include "net/dial.h"
#include "net/listen.h"
#include "upstream/upstream.h"
#include <stdio.h>

#define WORLD_SERVERS 4

/* A listener of the loop that counts, and answers what it is told. */
struct origin {
	struct source listening;
	char address[ADDR_TEXT_MAX];
	const char *reply;	/* sent as soon as bytes came; NULL: stays silent */
	const char *reply_more; /* sent one turn later */
	const char *reply_odd;	/* instead of `reply` on every other connection */
	bool hang_up;		/* closes at once */
	unsigned accepted, closed;
	char request[1024]; /* of the latest connection */
	struct origin_conn {
		struct source source;
		struct task more;
		struct origin *origin;
	} conns[32];
	size_t nconns;
};

static inline void origin_conn_close(struct origin_conn *c)
{
	if (c->source.fd < 0)
		return;
	task_cancel(&c->more);
	loop_del(loop, &c->source);
	close(c->source.fd);
	c->source.fd = -1;
	c->origin->closed++;
}

static inline void origin_on_more(struct task *t)
{
	struct origin_conn *c = container_of(t, struct origin_conn, more);

	send(c->source.fd, c->origin->reply_more, strlen(c->origin->reply_more), MSG_NOSIGNAL);
}

static inline void origin_on_conn(struct source *s, uint32_t events)
{
	struct origin_conn *c = container_of(s, struct origin_conn, source);
	struct origin *o = c->origin;
	ssize_t n = recv(s->fd, o->request, sizeof(o->request) - 1, 0);

	(void)events;
	if (n <= 0) {
		origin_conn_close(c);
		return;
	}
	o->request[n] = 0;
	if (o->reply) {
		const char *reply = o->reply_odd && o->accepted % 2 ? o->reply_odd : o->reply;

		send(s->fd, reply, strlen(reply), MSG_NOSIGNAL);
	}
	if (o->reply_more)
		task_next_turn(loop, &c->more);
}

static inline void origin_on_accept(struct source *s, uint32_t events)
{
	struct origin *o = container_of(s, struct origin, listening);
	int fd = accept4(s->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	struct origin_conn *c;

	(void)events;
	if (fd < 0)
		return;
	o->accepted++;
	if (o->hang_up) {
		close(fd);
		o->closed++;
		return;
	}
	assert_true(o->nconns < ARRAY_LEN(o->conns));
	c = &o->conns[o->nconns++];
	*c = (struct origin_conn){.source = {.fd = fd, .on_ready = origin_on_conn}, .origin = o};
	task_init(&c->more, origin_on_more);
	assert_int_equal(loop_add(loop, &c->source, EPOLLIN), 0);
}

static inline void origin_listen(struct origin *o, const char *address)
{
	struct listener_settings l = {.listen = (char *)address, .backlog = 64, .unix_mode = 0600};
	struct sockaddr_any bound;
	char why[256];
	int fd;

	assert_int_equal(addr_parse(address, &l.addr), 0);
	if (listen_open(&l, &fd, why, sizeof(why)))
		fail_msg("%s", why);
	assert_int_equal(listen_address(fd, &bound), 0);
	addr_format(&bound, o->address);
	o->listening = (struct source){.fd = fd, .on_ready = origin_on_accept};
	assert_int_equal(loop_add(loop, &o->listening, EPOLLIN), 0);
}

static inline void origin_start(struct origin *o)
{
	memset(o, 0, sizeof(*o));
	origin_listen(o, "127.0.0.1:0");
}

static inline void origin_stop(struct origin *o)
{
	for (size_t i = 0; i < o->nconns; i++)
		origin_conn_close(&o->conns[i]);
	o->nconns = 0;
	if (o->listening.fd >= 0) {
		loop_del(loop, &o->listening);
		close(o->listening.fd);
		o->listening.fd = -1;
	}
}

/* ---- settings */

static struct server_settings world_servers[WORLD_SERVERS];
static struct upstream_settings world_upstream;
static struct settings world_settings;
static struct upstreams *upstreams;

/* One upstream "app" without servers; tests fill in the rest before world_begin. */
static inline void world_init(void)
{
	memset(world_servers, 0, sizeof(world_servers));
	world_upstream = (struct upstream_settings){.name = (char *)"app",
		.servers = world_servers,
		.keepalive = 4,
		.keepalive_ms = 60000,
		.health = {.path = (char *)"/healthz",
			.interval_ms = 100,
			.timeout_ms = 300,
			.fall = 2,
			.rise = 2,
			.status_min = 200,
			.status_max = 399}};
	world_settings = (struct settings){
		.refs = 1, .tcp_keepalive_ms = 15000, .upstreams = &world_upstream, .nupstreams = 1};
}

static inline struct server_settings *world_server(const char *address, const char *host, uint16_t port)
{
	struct server_settings *s = &world_servers[world_upstream.nservers++];

	*s = (struct server_settings){
		.address = (char *)address, .host = (char *)host, .port = port, .weight = 1};
	return s;
}

static inline uint16_t port_of(const char *address)
{
	return (uint16_t)atoi(strrchr(address, ':') + 1);
}

static inline struct server_settings *world_origin(const struct origin *o)
{
	return world_server(o->address, "127.0.0.1", port_of(o->address));
}

static inline void world_begin(struct sticky *sticky, unsigned workers)
{
	assert_int_equal(upstreams_new(loop, &world_settings, sticky, workers, &upstreams), 0);
	assert_int_equal(world_settings.refs, 2);
}

static inline void world_end(void)
{
	upstreams_free(upstreams);
	upstreams = NULL;
	assert_int_equal(world_settings.refs, 1);
}

/* ---- requests */

struct request {
	struct lease lease;
	struct pick_waiter waiter;
	struct pick_key key;
	unsigned told;
	enum pick_result result; /* of the latest pick */
};

static inline void on_told(struct pick_waiter *w);

static inline enum pick_result pick(struct request *r)
{
	r->waiter.on_change = on_told;
	r->result = upstreams_pick(upstreams, 0, &r->key, true, &r->lease, &r->waiter);
	return r->result;
}

static inline void on_told(struct pick_waiter *w)
{
	struct request *r = container_of(w, struct request, waiter);

	r->told++;
	pick(r);
}

/* Dials what was leased, as a stream would. */
static inline int dial_lease(const struct request *r)
{
	int fd = -1;

	assert_int_equal(r->lease.idle_fd, -1);
	assert_int_equal(dial_start(&r->lease.addr, &world_settings, &fd), 0);
	return fd;
}

static inline bool fd_connected(void *arg)
{
	return dial_result(*(int *)arg) == 0;
}

/* A connection that carried a request to its end, in the pool. */
static inline void keep_one(struct request *r)
{
	int fd;

	assert_int_equal(pick(r), PICK_OK);
	fd = r->lease.idle_fd >= 0 ? r->lease.idle_fd : dial_lease(r);
	assert_true(run_until(fd_connected, &fd, 1000));
	upstreams_worked(&r->lease);
	upstreams_return(&r->lease, LEASE_REUSE, fd);
}

static inline struct server_view view_of(size_t server)
{
	struct server_view views[WORLD_SERVERS];

	assert_true(upstreams_view(upstreams, views, WORLD_SERVERS) > server);
	return views[server];
}

static inline bool is_up(void *arg)
{
	return view_of(*(size_t *)arg).up;
}

static inline bool is_down(void *arg)
{
	return !view_of(*(size_t *)arg).up;
}

static inline bool is_ok(void *arg)
{
	return ((struct request *)arg)->result == PICK_OK;
}

static inline void fail_once(size_t server)
{
	struct request r = {.key.tried = ~(1ULL << server)};

	assert_int_equal(pick(&r), PICK_OK);
	assert_int_equal(r.lease.index, server);
	upstreams_return(&r.lease, LEASE_FAILED, -1);
}

#endif
