#include "upstream/upstream.h"
#include "base/rng.h"
#include "upstream/balance.h"
#include "upstream/server.h"
#include "upstream/siphash.h"

/* ---- life */

void upstreams_free(struct upstreams *u)
{
	if (!u)
		return;
	resolver_free(u->resolver);
	for (size_t i = 0; i < u->n; i++) {
		struct upstream *up = &u->list[i];

		for (size_t k = 0; k < up->n; k++)
			server_done(&up->servers[k]);
		free(up->servers);
		task_cancel(&up->wake);
	}
	slab_done(&u->idle_slab);
	settings_unref(u->settings);
	free(u->list);
	free(u);
}

/* Hands each waiter of this moment to its owner, which may queue it again. */
static void on_wake(struct task *task)
{
	struct upstream *up = container_of(task, struct upstream, wake);
	struct list now;

	list_init(&now);
	while (!list_empty(&up->waiters)) {
		struct list *node = up->waiters.next;

		list_remove(node);
		list_push_back(&now, node);
	}
	while (!list_empty(&now)) {
		struct pick_waiter *w = list_first(&now, struct pick_waiter, link);

		list_remove(&w->link);
		w->on_change(w);
	}
}

void upstream_wake(struct upstream *up)
{
	if (!list_empty(&up->waiters))
		task_defer(up->all->loop, &up->wake);
}

static int upstream_init(struct upstream *up, struct upstreams *all, const struct upstream_settings *settings,
	unsigned worker_count)
{
	up->all = all;
	up->settings = settings;
	list_init(&up->waiters);
	task_init(&up->wake, on_wake);
	if (settings->nservers > UPSTREAM_MAX_SERVERS)
		return -E2BIG;
	up->servers = calloc(MAX(settings->nservers, (size_t)1), sizeof(*up->servers));
	if (!up->servers)
		return -ENOMEM;
	up->n = settings->nservers;
	for (size_t i = 0; i < up->n; i++) {
		int err = server_init(&up->servers[i], up, &settings->servers[i], (unsigned)i, worker_count);

		if (err)
			return err;
	}
	return 0;
}

int upstreams_new(struct loop *loop, struct settings *settings, struct sticky *sticky, unsigned worker_count,
	struct upstreams **ret)
{
	struct upstreams *u = calloc(1, sizeof(*u));
	size_t n = settings->nupstreams;

	if (!u)
		return -ENOMEM;
	u->list = calloc(MAX(n, (size_t)1), sizeof(*u->list));
	if (!u->list) {
		free(u);
		return -ENOMEM;
	}
	u->loop = loop;
	u->settings = settings_ref(settings);
	u->sticky = sticky;
	slab_init(&u->idle_slab, pool_object_size(), 0);
	for (; u->n < n; u->n++) {
		struct upstream *up = &u->list[u->n];
		int err = upstream_init(up, u, &settings->upstreams[u->n], worker_count);

		if (err) {
			u->n++; /* what is half made goes too */
			upstreams_free(u);
			return err;
		}
	}
	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < u->list[i].n; k++)
			health_start(&u->list[i].servers[k].health);
	*ret = u;
	return 0;
}

void upstreams_retire(struct upstreams *u)
{
	u->retired = true;
	if (u->resolver)
		resolver_settle(u->resolver);
	for (size_t i = 0; i < u->n; i++) {
		for (size_t k = 0; k < u->list[i].n; k++) {
			pool_close_all(&u->list[i].servers[k]);
			health_stop(&u->list[i].servers[k].health);
		}
	}
}

void upstreams_set_tls(struct upstreams *u, struct tls *tls)
{
	u->tls = tls;
}

void upstreams_set_notice(struct upstreams *u, upstreams_notice *notice, void *arg)
{
	u->notice = notice;
	u->notice_arg = arg;
}

/* ---- pick */

/* How well a server suits a request; only those of the best grade are balanced over. */
enum grade {
	GRADE_NO,
	GRADE_RESTING, /* failed for other requests lately: a last resort */
	GRADE_WAIT,    /* would do, but has no connection or address to give now */
	GRADE_AGAIN,   /* failed for this request; another address of it may do */
	GRADE_YES,
};

static enum grade grade_of(const struct server *s, const struct pick_key *key, bool up)
{
	bool tried = key->tried >> s->index & 1;

	if (s->health.down || (!s->addrs.n && !s->resolving))
		return GRADE_NO;
	if (tried && !addrs_any_untried(&s->addrs, key->since_ms))
		return GRADE_NO;
	if (s->resolving && !s->addrs.n)
		return GRADE_WAIT;
	if (s->limit && s->leased >= s->limit)
		return up ? GRADE_WAIT : GRADE_NO;
	if (!up)
		return GRADE_RESTING;
	return tried ? GRADE_AGAIN : GRADE_YES;
}

/* The server that issued the session id; NULL when nobody knows it, or it cannot be used at all. Where it can
 * only be waited for it is returned too: another server would not know the session. */
static struct server *stuck_to(
	const struct upstream *up, const struct pick_key *key, const enum grade *grades)
{
	struct upstreams *u = up->all;

	for (size_t i = 0; i < up->n; i++) {
		if (grades[i] > GRADE_RESTING &&
			sticky_is(u->sticky, slice_of(up->settings->name), key->hash,
				slice_of(up->servers[i].settings->address), loop_now_ms(u->loop)))
			return &up->servers[i];
	}
	return NULL;
}

static int balance(
	const struct upstream *up, const struct pick_key *key, const enum grade *grades, enum grade best)
{
	struct balance_view views[UPSTREAM_MAX_SERVERS];

	for (size_t i = 0; i < up->n; i++) {
		struct server *s = &up->servers[i];

		views[i] = (struct balance_view){.usable = grades[i] == best,
			.weight = s->settings->weight,
			.connections = s->leased,
			.id = s->id,
			.turn = &s->turn};
	}
	if (up->settings->balance == BALANCE_ROUND_ROBIN)
		return balance_round_robin(views, up->n);
	if (up->settings->balance == BALANCE_HASH && key->hash.p)
		return balance_hash(views, up->n, siphash(0, 0, key->hash)); /* the same in every worker */
	return balance_least_conn(views, up->n, rng_next());
}

static enum pick_result queue_up(struct upstream *up, struct pick_waiter *w)
{
	upstreams_wait_cancel(w);
	list_init(&w->link);
	list_push_back(&up->waiters, &w->link);
	return PICK_WAIT;
}

static void lease(struct server *s, const struct pick_key *key, bool allow_idle, struct lease *ret)
{
	const struct sockaddr_any *addr;

	*ret = (struct lease){.server = s, .index = s->index, .idle_fd = -1};
	if (allow_idle)
		ret->idle_fd = pool_take(s, &ret->addr, &ret->tls);
	if (ret->idle_fd >= 0) {
		ret->reused = true;
	} else {
		/* The idle ones count against the limit too: one makes room. */
		if (s->limit && s->leased + s->nidle >= s->limit)
			pool_close_oldest(s);
		addr = key->tried >> s->index & 1 ? addrs_next_untried(&s->addrs, key->since_ms)
						  : addrs_next(&s->addrs, loop_now_ms(server_loop(s)));
		ret->addr = *addr;
	}
	s->leased++;
	s->picks++;
}

enum pick_result upstreams_pick(struct upstreams *u, size_t upstream, const struct pick_key *key,
	bool allow_idle, struct lease *ret, struct pick_waiter *w)
{
	struct upstream *up = &u->list[upstream];
	enum grade grades[UPSTREAM_MAX_SERVERS], best = GRADE_NO;
	struct server *s = NULL;

	for (size_t i = 0; i < up->n; i++) {
		grades[i] = grade_of(&up->servers[i], key, server_up(&up->servers[i]));
		best = MAX(best, grades[i]);
	}
	if (best == GRADE_NO)
		return PICK_NONE;
	if (up->settings->balance == BALANCE_STICKY && key->hash.p && u->sticky)
		s = stuck_to(up, key, grades);
	if (best == GRADE_WAIT || (s && grades[s->index] == GRADE_WAIT))
		return queue_up(up, w);
	if (!s)
		s = &up->servers[balance(up, key, grades, best)];
	/* Those that waited longer are about to be told of free connections: no request overtakes them. */
	if (s->limit && !list_empty(&up->wake.link))
		return queue_up(up, w);
	lease(s, key, allow_idle, ret);
	return PICK_OK;
}

void upstreams_wait_cancel(struct pick_waiter *w)
{
	if (w->link.next)
		list_remove(&w->link);
}

/* ---- what became of it */

void upstreams_return(struct lease *l, enum lease_end how, int fd)
{
	struct lease was = *l;
	struct server *s = was.server;

	if (!s)
		return;
	*l = (struct lease){.idle_fd = -1};
	s->leased--;
	if (how == LEASE_REUSE)
		pool_give(s, fd, was.tls, &was.addr);
	else if (how == LEASE_FAILED && !was.reused)
		server_failed(s, &was.addr);
	if (s->limit)
		upstream_wake(s->up);
}

void upstreams_worked(struct lease *l)
{
	server_worked(l->server, &l->addr);
}

void upstreams_stick(struct lease *l, struct slice value)
{
	struct server *s = l->server;
	struct upstreams *u = s->up->all;

	if (u->sticky)
		sticky_put(u->sticky, slice_of(s->up->settings->name), value, slice_of(s->settings->address),
			loop_now_ms(u->loop));
}

/* ---- views */

const char *server_address(const struct server *s)
{
	return s->settings->address;
}

const struct upstream_settings *server_upstream(const struct server *s)
{
	return s->up->settings;
}

size_t upstreams_view(const struct upstreams *u, struct server_view *out, size_t max)
{
	size_t n = 0;

	for (size_t i = 0; i < u->n; i++) {
		for (size_t k = 0; k < u->list[i].n && n < max; k++) {
			const struct server *s = &u->list[i].servers[k];

			out[n++] = (struct server_view){.upstream = u->list[i].settings->name,
				.address = s->settings->address,
				.connections = s->leased,
				.idle = s->nidle,
				.resolved = s->addrs.n > 0,
				.up = server_up(s),
				.checked = s->up->settings->health.on,
				.failures = s->failures,
				.checks = s->health.checks,
				.picks = s->picks};
		}
	}
	return n;
}
