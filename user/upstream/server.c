#include "upstream/server.h"
#include "base/rng.h"
#include "net/addr.h"
#include "upstream/siphash.h"
#include <stdio.h>

#define PASSIVE_FALL 3
#define REST_MIN_MS  1000
#define REST_MAX_MS  30000

static uint64_t now_ms(const struct server *s)
{
	return loop_now_ms(server_loop(s));
}

static void notice(struct server *s, const char *why)
{
	struct upstreams *u = s->up->all;

	if (u->notice && !u->retired)
		u->notice(u->notice_arg, s, server_up(s), why);
}

static void on_answer(struct name *name, const struct sockaddr_any *list, size_t n, const char *why)
{
	struct server *s = container_of(name, struct server, name);
	char text[160];
	bool failing;

	if (n && addrs_set(&s->addrs, list, n)) {
		n = 0;
		why = strerror(ENOMEM);
	}
	failing = !n;
	s->resolving = false;
	if (n)
		pool_close_gone(s);
	if (failing != s->lookup_failing) { /* else no news */
		s->lookup_failing = failing;
		if (failing)
			snprintf(text, sizeof(text), "name lookup: %s; %s", why,
				s->addrs.n ? "the last good addresses are kept" : "no address yet");
		notice(s, failing ? text : "the name lookup works again");
	}
	upstream_wake(s->up);
}

/* An IP literal needs no lookup. */
static bool literal(const struct server_settings *settings, struct sockaddr_any *ret)
{
	char text[ADDR_TEXT_MAX];
	int n = snprintf(text, sizeof(text), strchr(settings->host, ':') ? "[%s]:%u" : "%s:%u",
		settings->host, settings->port);

	return n < (int)sizeof(text) && addr_parse(text, ret) == 0;
}

static int find_address(struct server *s)
{
	struct upstreams *u = s->up->all;
	struct sockaddr_any addr;
	int err;

	if (s->settings->unix_addr.len)
		return addrs_set(&s->addrs, &s->settings->unix_addr, 1);
	if (literal(s->settings, &addr))
		return addrs_set(&s->addrs, &addr, 1);
	if (!u->resolver) {
		err = resolver_new(u->loop, u->settings->resolver, RESOLVE_TIMEOUT_MS, &u->resolver);
		if (err)
			return err;
	}
	s->resolving = true;
	s->name.host = s->settings->host;
	s->name.port = s->settings->port;
	s->name.on_answer = on_answer;
	resolver_watch(u->resolver, &s->name);
	return 0;
}

int server_init(struct server *s, struct upstream *up, const struct server_settings *settings, unsigned index,
	unsigned worker_count)
{
	int err;

	*s = (struct server){.up = up, .settings = settings, .index = index};
	list_init(&s->idle);
	s->id = siphash(0, 0, slice_of(settings->address));
	/* Rounded down, so that all workers together stay within it; one each at least. */
	if (settings->max_connections)
		s->limit = MAX(settings->max_connections / MAX(worker_count, 1U), 1U);
	err = health_init(&s->health, s);
	return err ? err : find_address(s);
}

void server_done(struct server *s)
{
	if (!s->up)
		return;
	pool_close_all(s);
	health_done(&s->health);
	addrs_done(&s->addrs);
}

bool server_up(const struct server *s)
{
	return (s->addrs.n || s->resolving) && !s->health.down && s->rest_ms <= now_ms(s);
}

void server_failed(struct server *s, const struct sockaddr_any *addr)
{
	uint64_t now = now_ms(s), rest;
	char why[96];

	s->failures++;
	/* While it rests, failures of dials that began before say nothing new. */
	if (!addrs_failed(&s->addrs, addr, now) || s->rest_ms > now || ++s->streak < PASSIVE_FALL)
		return;
	rest = MIN((uint64_t)REST_MIN_MS << MIN(s->streak - PASSIVE_FALL, 5U), (uint64_t)REST_MAX_MS);
	s->rest_ms = now + rest - rest / 8 + rng_below(rest / 4);
	pool_close_all(s);
	upstream_wake(s->up);
	if (s->passive_down)
		return;
	s->passive_down = true;
	snprintf(why, sizeof(why), "%u requests in a row failed to connect or got no response head",
		s->streak);
	notice(s, why);
}

static void forgive(struct server *s, const char *why)
{
	s->streak = 0;
	s->rest_ms = 0;
	if (!s->passive_down)
		return;
	s->passive_down = false;
	upstream_wake(s->up);
	if (server_up(s))
		notice(s, why);
}

void server_worked(struct server *s, const struct sockaddr_any *addr)
{
	addrs_worked(&s->addrs, addr);
	if (s->streak)
		forgive(s, "a request got its response head");
}

void server_checked(struct server *s, bool up, const char *why)
{
	if (!up)
		pool_close_all(s);
	upstream_wake(s->up);
	notice(s, why);
}

void server_recovered(struct server *s)
{
	if (s->streak)
		forgive(s, "health checks pass");
}
