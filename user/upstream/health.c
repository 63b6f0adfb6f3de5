#include "upstream/health.h"
#include "base/rng.h"
#include "net/dial.h"
#include "upstream/server.h"
#include <stdio.h>

#define FIRST_WITHIN_MS 1000
#define READ_BYTES	4096

static const struct health_settings *settings_of(const struct health *h)
{
	return &h->server->up->settings->health;
}

static void begin(struct timer *timer);

/* +/- 10 %: checks of many workers and servers do not fall into step. */
static void schedule(struct health *h)
{
	uint64_t interval = settings_of(h)->interval_ms;

	h->timer.on_fire = begin;
	timer_in(server_loop(h->server), &h->timer, interval - interval / 10 + rng_below(interval / 5));
}

static void hang_up(struct health *h)
{
	if (h->source.fd < 0)
		return;
	loop_del(server_loop(h->server), &h->source);
	if (h->tls)
		tls_shutdown(h->tls); /* once: nothing waits for a socket without room */
	tls_conn_free(h->tls);
	h->tls = NULL;
	close(h->source.fd);
	h->source.fd = -1;
}

static void pass(struct health *h, int status)
{
	const struct health_settings *hs = settings_of(h);
	char why[96];

	hang_up(h);
	addrs_worked(&h->server->addrs, &h->addr);
	h->failed = 0;
	h->passed++;
	if (h->passed >= hs->rise) {
		server_recovered(h->server);
		if (h->down) {
			h->down = false;
			snprintf(why, sizeof(why), "health check passed %u times in a row: %d", h->passed,
				status);
			server_checked(h->server, true, why);
		}
	}
	schedule(h);
}

static void fail(struct health *h, const char *what)
{
	char why[192];

	hang_up(h);
	h->passed = 0;
	h->failed++;
	if (!h->down && h->failed >= settings_of(h)->fall) {
		h->down = true;
		snprintf(why, sizeof(why), "health check failed %u times in a row: %s", h->failed, what);
		server_checked(h->server, false, why);
	}
	schedule(h);
}

static void on_deadline(struct timer *timer)
{
	struct health *h = container_of(timer, struct health, timer);

	if (h->connected) {
		fail(h, "no response head in time");
		return;
	}
	addrs_failed(&h->server->addrs, &h->addr, loop_now_ms(server_loop(h->server)));
	fail(h, "connect: timed out");
}

static void attempt(struct health *h, const struct sockaddr_any *addr);

/* No connection to this address. The server may have another one: only when none works has the check failed.
 */
static void unreachable(struct health *h, int err)
{
	struct addrs *addrs = &h->server->addrs;
	const struct sockaddr_any *other;
	char what[96];

	hang_up(h);
	addrs_failed(addrs, &h->addr, loop_now_ms(server_loop(h->server)));
	other = addrs_next_untried(addrs, h->began_ms);
	if (other) {
		attempt(h, other);
		return;
	}
	snprintf(what, sizeof(what), "connect: %s", strerror(-err));
	fail(h, what);
}

/* True: judged, or broken; the connection is gone. */
static bool judge(struct health *h)
{
	const struct health_settings *hs = settings_of(h);
	struct h1_response response;
	enum h1_rule rule;
	char what[96];
	size_t len;

	for (;;) {
		rule = h1_scan(&h->scan, H1_RESPONSE, h->in.data, h->in.len, &len);
		if (rule == H1_OK && !len)
			return false;
		if (rule == H1_OK)
			rule = h1_response_parse(
				h->in.data + h->scan.skip, len - h->scan.skip, H1_GET, &response);
		if (rule != H1_OK) {
			snprintf(what, sizeof(what), "malformed response head (%s)", h1_rule_label(rule));
			fail(h, what);
			return true;
		}
		if (response.status >= 200 || response.status == 101)
			break;
		buf_drop(&h->in, len);
		h->scan = (struct h1_scan){0};
	}
	if (response.status >= hs->status_min && response.status <= hs->status_max) {
		pass(h, response.status);
	} else {
		snprintf(what, sizeof(what), "status %u", response.status);
		fail(h, what);
	}
	return true;
}

static ssize_t take(struct health *h, char *to, size_t n)
{
	ssize_t got = h->tls ? tls_recv(h->tls, to, n) : recv(h->source.fd, to, n, 0);

	return got < 0 && !h->tls ? -errno : got;
}

static ssize_t put(struct health *h, const char *p, size_t n)
{
	struct iovec iov = {(void *)p, n};
	ssize_t sent = h->tls ? tls_send(h->tls, &iov, 1) : send(h->source.fd, p, n, MSG_NOSIGNAL);

	return sent < 0 && !h->tls ? -errno : sent;
}

static void receive(struct health *h)
{
	for (;;) {
		int err = buf_reserve(&h->in, READ_BYTES);
		ssize_t n;

		if (err) {
			fail(h, strerror(-err));
			return;
		}
		n = take(h, h->in.data + h->in.len, READ_BYTES);
		if (n == -EAGAIN || n == -EINTR)
			return;
		if (n <= 0) {
			fail(h, n ? strerror((int)-n) : "closed before a response head");
			return;
		}
		h->in.len += (size_t)n;
		if (judge(h))
			return;
	}
}

/* 1: done or not wanted; 0: goes on with the next event; negative: failed, and that was said. */
static int secure(struct health *h)
{
	const struct upstream *up = h->server->up;
	char what[160];
	int err = 0;

	if (h->secured)
		return 1;
	if (!h->tls && up->settings->tls)
		err = tls_connect(up->all->tls, (size_t)(up - up->all->list), h->server->settings->host,
			h->source.fd, &h->tls);
	if (!err && h->tls)
		err = tls_handshake(h->tls);
	if (err == -EAGAIN) {
		err = loop_mod(
			server_loop(h->server), &h->source, tls_wants_write(h->tls) ? EPOLLOUT : EPOLLIN);
		if (!err)
			return 0;
	}
	if (err) {
		snprintf(what, sizeof(what), "TLS: %s", h->tls ? tls_why(h->tls) : strerror(-err));
		fail(h, what);
		return err;
	}
	h->secured = true;
	return 1;
}

static void on_ready(struct source *source, uint32_t events)
{
	struct health *h = container_of(source, struct health, source);
	int err;

	(void)events;
	if (!h->connected) {
		err = dial_result(source->fd);
		if (err) {
			unreachable(h, err);
			return;
		}
		h->connected = true;
	}
	if (secure(h) <= 0)
		return;
	if (h->sent < h->request.len) {
		ssize_t n = put(h, h->request.data + h->sent, h->request.len - h->sent);

		if (n < 0 && n != -EAGAIN) {
			fail(h, strerror((int)-n));
			return;
		}
		h->sent += (size_t)MAX(n, (ssize_t)0);
		if (h->sent < h->request.len) {
			err = loop_mod(server_loop(h->server), source, EPOLLOUT);
			if (err)
				fail(h, strerror(-err));
			return;
		}
		err = loop_mod(server_loop(h->server), source, EPOLLIN);
		if (err)
			fail(h, strerror(-err));
		return;
	}
	receive(h);
}

static void attempt(struct health *h, const struct sockaddr_any *addr)
{
	struct upstreams *u = h->server->up->all;
	int err;

	h->addr = *addr;
	h->connected = h->secured = false;
	h->sent = 0;
	h->in.len = 0;
	h->scan = (struct h1_scan){0};
	h->source.on_ready = on_ready;
	err = dial_start(addr, u->settings, &h->source.fd);
	if (!err)
		err = loop_add(u->loop, &h->source, EPOLLOUT);
	if (err)
		unreachable(h, err);
}

static void begin(struct timer *timer)
{
	struct health *h = container_of(timer, struct health, timer);
	struct loop *loop = server_loop(h->server);
	const struct sockaddr_any *addr;

	h->began_ms = loop_now_ms(loop);
	addr = addrs_next(&h->server->addrs, h->began_ms);
	if (!addr) { /* the name has no address yet */
		schedule(h);
		return;
	}
	h->checks++;
	h->timer.on_fire = on_deadline;
	timer_in(loop, &h->timer, settings_of(h)->timeout_ms);
	attempt(h, addr);
}

int health_init(struct health *h, struct server *s)
{
	const struct health_settings *hs = &s->up->settings->health;
	const char *host = hs->host ? hs->host : s->settings->host ? s->settings->address : "localhost";

	*h = (struct health){.server = s, .source.fd = -1, .in.max = H1_MAX_HEAD + READ_BYTES};
	timer_init(&h->timer, begin);
	if (!hs->on)
		return 0;
	return buf_printf(&h->request,
		"GET %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: sluice-health\r\nAccept: */*\r\nConnection: "
		"close\r\n\r\n",
		hs->path, host);
}

void health_start(struct health *h)
{
	if (settings_of(h)->on)
		timer_in(server_loop(h->server), &h->timer,
			rng_below(MIN(settings_of(h)->interval_ms, (uint64_t)FIRST_WITHIN_MS)));
}

void health_stop(struct health *h)
{
	timer_stop(&h->timer);
	hang_up(h);
}

void health_done(struct health *h)
{
	health_stop(h);
	buf_reset(&h->request);
	buf_reset(&h->in);
}
