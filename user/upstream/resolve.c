#include "upstream/resolve.h"
#include "base/clock.h"
#include "base/rng.h"
#include <ares.h>
#include <arpa/inet.h>

#define TTL_MIN_MS     1000
#define TTL_MAX_MS     (300 * 1000)
#define BACKOFF_MIN_MS 1000
#define BACKOFF_MAX_MS (30 * 1000)
#define TRIES	       3
/* The hosts file gives no TTL; it is read again this often. */
#define HOSTS_FILE_TTL_S 60

struct resolver {
	struct loop *loop;
	ares_channel channel;
	struct list names;
	struct list sockets; /* of c-ares */
	struct timer timer;  /* c-ares's next timeout */
	bool closing;	     /* ares_destroy ends every lookup: nobody is told */
	bool settled;
	bool starting; /* inside ares_getaddrinfo */
};

/* A socket of c-ares. On the heap: there are one or two while a lookup runs, none otherwise. */
struct dns_socket {
	struct list link;
	struct source source;
	struct resolver *resolver;
};

uint64_t resolve_ttl_ms(int ttl_s, uint64_t random)
{
	uint64_t ms =
		MIN(MAX((uint64_t)MAX(ttl_s, 0) * MS_PER_S, (uint64_t)TTL_MIN_MS), (uint64_t)TTL_MAX_MS);

	/* Later, never earlier: the answer is in the server's cache until then. */
	return ms + random % (ms / 8);
}

uint64_t resolve_backoff_ms(unsigned failures, uint64_t random)
{
	uint64_t ms = (uint64_t)BACKOFF_MIN_MS << MIN(MAX(failures, 1U) - 1, 5U);

	ms = MIN(ms, (uint64_t)BACKOFF_MAX_MS);
	return ms - ms / 8 + random % (ms / 4);
}

/* ---- the loop's side of c-ares */

static void arm(struct resolver *r)
{
	struct timeval tv, *left = ares_timeout(r->channel, NULL, &tv);

	if (left)
		timer_in(r->loop, &r->timer,
			(uint64_t)left->tv_sec * 1000 + (uint64_t)left->tv_usec / 1000 + 1);
	else
		timer_stop(&r->timer);
}

static void on_timeout(struct timer *timer)
{
	struct resolver *r = container_of(timer, struct resolver, timer);

	ares_process_fd(r->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
	arm(r);
}

static void on_socket(struct source *source, uint32_t events)
{
	struct dns_socket *d = container_of(source, struct dns_socket, source);
	struct resolver *r = d->resolver;
	int fd = source->fd;

	/* c-ares may close the socket in here, and `d` with it. */
	ares_process_fd(r->channel, events & (EPOLLIN | EPOLLERR | EPOLLHUP) ? fd : ARES_SOCKET_BAD,
		events & (EPOLLOUT | EPOLLERR | EPOLLHUP) ? fd : ARES_SOCKET_BAD);
	arm(r);
}

static struct dns_socket *socket_of(struct resolver *r, int fd)
{
	list_for_each (pos, &r->sockets) {
		struct dns_socket *d = list_entry(pos, struct dns_socket, link);

		if (d->source.fd == fd)
			return d;
	}
	return NULL;
}

/* c-ares says what it waits for; nothing means that it is about to close the socket. Where a socket cannot be
 * watched the lookup runs into its timeout. */
static void on_interest(void *data, ares_socket_t fd, int readable, int writable)
{
	struct resolver *r = data;
	struct dns_socket *d = socket_of(r, fd);
	uint32_t events = (readable ? EPOLLIN : 0) | (writable ? EPOLLOUT : 0);

	if (d && events && !loop_mod(r->loop, &d->source, events))
		return;
	if (d) {
		loop_del(r->loop, &d->source);
		list_remove(&d->link);
		free(d);
		return;
	}
	if (!events)
		return;
	d = calloc(1, sizeof(*d));
	if (!d)
		return;
	d->source = (struct source){.fd = fd, .on_ready = on_socket};
	d->resolver = r;
	if (loop_add(r->loop, &d->source, events))
		free(d);
	else
		list_push_back(&r->sockets, &d->link);
}

/* ---- lookups */

static bool to_address(const struct ares_addrinfo_node *node, uint16_t port, struct sockaddr_any *ret)
{
	if (node->ai_family == AF_INET && node->ai_addrlen >= sizeof(ret->in4)) {
		*ret = (struct sockaddr_any){.len = sizeof(ret->in4)};
		memcpy(&ret->in4, node->ai_addr, sizeof(ret->in4));
		ret->in4.sin_port = htons(port);
		return true;
	}
	if (node->ai_family == AF_INET6 && node->ai_addrlen >= sizeof(ret->in6)) {
		*ret = (struct sockaddr_any){.len = sizeof(ret->in6)};
		memcpy(&ret->in6, node->ai_addr, sizeof(ret->in6));
		ret->in6.sin6_port = htons(port);
		return true;
	}
	return false;
}

static void answer_failed(struct name *name, const char *why)
{
	struct resolver *r = name->resolver;

	name->failures++;
	if (!r->settled)
		timer_in(r->loop, &name->timer, resolve_backoff_ms(name->failures, rng_next()));
	name->on_answer(name, NULL, 0, why);
}

static void answer(struct name *name, const struct ares_addrinfo *ai)
{
	struct resolver *r = name->resolver;
	_cleanup_free_ struct sockaddr_any *list = calloc(RESOLVE_MAX_ADDRESSES, sizeof(*list));
	int ttl = r->starting ? HOSTS_FILE_TTL_S
			      : INT32_MAX; /* a DNS answer never comes within the call that asks */
	size_t n = 0;

	if (!list) {
		answer_failed(name, ares_strerror(ARES_ENOMEM));
		return;
	}
	for (const struct ares_addrinfo_node *node = ai->nodes; node && n < RESOLVE_MAX_ADDRESSES;
		node = node->ai_next) {
		if (!to_address(node, name->port, &list[n]))
			continue;
		if (!r->starting)
			ttl = MIN(ttl, node->ai_ttl);
		n++;
	}
	if (!n) {
		answer_failed(name, ares_strerror(ARES_ENODATA));
		return;
	}
	for (const struct ares_addrinfo_cname *c = ai->cnames; c && !r->starting; c = c->next)
		ttl = MIN(ttl, c->ttl);
	name->failures = 0;
	if (!r->settled)
		timer_in(r->loop, &name->timer, resolve_ttl_ms(ttl, rng_next()));
	name->on_answer(name, list, n, NULL);
}

static void on_lookup(void *arg, int status, int timeouts, struct ares_addrinfo *ai)
{
	struct name *name = arg;

	(void)timeouts;
	name->busy = false;
	if (!name->resolver->closing) {
		if (status == ARES_SUCCESS && ai)
			answer(name, ai);
		else
			answer_failed(name, ares_strerror(status));
	}
	if (ai)
		ares_freeaddrinfo(ai);
}

static void on_due(struct timer *timer)
{
	struct name *name = container_of(timer, struct name, timer);
	struct resolver *r = name->resolver;
	/* Unsorted: sorting dials every address to see the source address it would get, and dials rotate
	 * anyway. */
	struct ares_addrinfo_hints hints = {
		.ai_flags = ARES_AI_NOSORT, .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};

	if (name->busy)
		return;
	name->asked = name->busy = true;
	r->starting = true;
	ares_getaddrinfo(r->channel, name->host, NULL, &hints, on_lookup, name);
	r->starting = false;
	arm(r);
}

void resolver_watch(struct resolver *r, struct name *name)
{
	name->resolver = r;
	name->failures = 0;
	name->asked = name->busy = false;
	list_init(&name->link);
	list_push_back(&r->names, &name->link);
	timer_init(&name->timer, on_due);
	timer_in(r->loop, &name->timer, 0);
}

void resolver_settle(struct resolver *r)
{
	r->settled = true;
	list_for_each (pos, &r->names) {
		struct name *name = list_entry(pos, struct name, link);

		if (name->asked)
			timer_stop(&name->timer);
	}
}

int resolver_new(struct loop *loop, const char *server, unsigned timeout_ms, struct resolver **ret)
{
	_cleanup_free_ struct resolver *r = calloc(1, sizeof(*r));
	struct ares_options options = {.timeout = (int)timeout_ms,
		.tries = TRIES,
		.lookups = (char[]){"fb"},
		.sock_state_cb = on_interest,
		.sock_state_cb_data = r};
	int status;

	if (!r)
		return -ENOMEM;
	r->loop = loop;
	list_init(&r->names);
	list_init(&r->sockets);
	timer_init(&r->timer, on_timeout);
	status = ares_library_init(ARES_LIB_INIT_ALL);
	if (status)
		return -ENOMEM;
	status = ares_init_options(&r->channel, &options,
		ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_LOOKUPS | ARES_OPT_SOCK_STATE_CB);
	if (status) {
		ares_library_cleanup();
		return status == ARES_ENOMEM ? -ENOMEM : -EIO;
	}
	if (server && ares_set_servers_ports_csv(r->channel, server)) {
		ares_destroy(r->channel);
		ares_library_cleanup();
		return -EINVAL;
	}
	*ret = take_ptr(r);
	return 0;
}

void resolver_free(struct resolver *r)
{
	if (!r)
		return;
	r->closing = true;
	ares_destroy(r->channel); /* closes its sockets through on_interest */
	timer_stop(&r->timer);
	list_for_each (pos, &r->names)
		timer_stop(&list_entry(pos, struct name, link)->timer);
	ares_library_cleanup();
	free(r);
}
