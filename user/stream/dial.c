/* DIAL: a server is picked and connected to. */
#include "base/clock.h"
#include "base/log.h"
#include "net/addr.h"
#include "net/dial.h"
#include "net/tuning.h"
#include "stream/stream.h"

#define MAX_ATTEMPTS	4		/* connections tried for one request, the first included */
#define WARN_EVERY_MS	(60 * MS_PER_S) /* about one route */
#define UPSTREAM_EVENTS (EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET)

void head_on_upstream(struct stream *s);

static void dial_pick(struct stream *s);

static void on_pick_changed(struct pick_waiter *w)
{
	struct stream *s = container_of(w, struct stream, waiter);

	s->waiting = false;
	dial_pick(s);
}

static void overload(struct stream *s, enum sluice_reject why, const char *detail)
{
	env_count_reject(s->env, why);
	stream_unreachable(s, 503, SLUICE_BY_OVERLOAD, detail);
}

/* Takes the fd into the loop. */
static int watch(struct stream *s, int fd, struct tls_conn *tls)
{
	s->up = (struct wire){.source = {.fd = fd, .on_ready = stream_upstream_ready},
		.tls = tls,
		.ops = tls ? &wire_tls_ops : NULL};
	ctl_begin(s->ctl);
	addr_to_record(&s->lease.addr, &s->ctl->upstream);
	ctl_end(s->ctl);
	return loop_add(s->env->loop, &s->up.source, UPSTREAM_EVENTS);
}

static void start_connect(struct stream *s)
{
	struct tls_conn *tls = NULL;
	int fd, err;

	s->up_reused = s->lease.idle_fd >= 0;
	s->attempts++;
	if (s->up_reused) {
		fd = s->lease.idle_fd;
		tls = s->lease.tls;
		s->lease.idle_fd = -1;
		s->lease.tls = NULL;
		err = 0;
	} else {
		err = dial_start(&s->lease.addr, s->gen->settings, &fd);
	}
	if (!err && fd >= s->env->fd_limit - FD_RESERVE_UPSTREAMS) {
		tls_conn_free(tls);
		close(fd);
		err = -EMFILE;
	}
	if (!err)
		err = watch(s, fd, tls);
	if (err == -EMFILE || err == -ENFILE || err == -EADDRNOTAVAIL || err == -ENOMEM) {
		stream_drop_upstream(s, LEASE_CLOSED);
		if (err == -EADDRNOTAVAIL)
			overload(s, SLUICE_REJECT_PORTS, "ports");
		else
			overload(s, err == -ENOMEM ? SLUICE_REJECT_MEMORY : SLUICE_REJECT_FDS, "fds");
		return;
	}
	if (err) {
		dial_failed(s, "connect");
		return;
	}
	if (s->up_reused) {
		s->up_connected = true;
		s->up.writable = true;
		send_begin(s);
	}
}

static void dial_pick(struct stream *s)
{
	struct pick_key key = {
		.hash = s->pick_value, .tried = s->tried, .since_ms = s->ctl->start_ns / NS_PER_MS};
	/* A kept connection may be closing as we write: only what may be tried again is sent on one. */
	bool allow_idle = s->idempotent && s->attempts == 0;

	switch (upstreams_pick(
		s->gen->upstreams, s->route->upstream, &key, allow_idle, &s->lease, &s->waiter)) {
	case PICK_OK:
		start_connect(s);
		return;
	case PICK_WAIT:
		s->waiting = true;
		return;
	case PICK_NONE:
		stream_unreachable(s, s->fail_status ? s->fail_status : 503, SLUICE_BY_NO_UPSTREAM,
			s->fail_status ? s->fail_detail : "no_server");
		return;
	}
}

void dial_begin(struct stream *s)
{
	stream_move(s, STREAM_DIAL);
	s->waiter.on_change = on_pick_changed;
	s->req_head_sent = 0;
	timer_in(s->env->loop, &s->timer, s->route->timeouts.connect_ms);
	dial_pick(s);
}

void dial_failed(struct stream *s, const char *detail)
{
	bool nothing_sent = s->req_head_sent == 0;
	bool may_try = s->idempotent || nothing_sent;

	/* A kept connection that turned out dead says nothing about its server. */
	if (!s->up_reused && s->lease.server)
		s->tried |= 1ULL << (s->lease.index & 63);
	stream_drop_upstream(s, s->up_reused ? LEASE_CLOSED : LEASE_FAILED);
	/* Nobody was reached: 503 and a time to come back. Somebody was, and broke off: 502. */
	s->fail_status = nothing_sent ? 503 : 502;
	s->fail_detail = detail;
	buf_reset(&s->resp_in);
	memset(&s->resp_scan, 0, sizeof(s->resp_scan));
	s->up_connected = false;
	if (may_try && s->attempts < MAX_ATTEMPTS && !s->req.bytes && !s->interims) {
		if (s->attempts)
			s->env->totals->retries++;
		dial_begin(s);
		return;
	}
	stream_unreachable(s, s->fail_status, SLUICE_BY_NO_UPSTREAM, detail);
}

void dial_on_client(struct stream *s);
void dial_on_client(struct stream *s)
{
	/* Nothing to do before there is an upstream; what the client sends waits in its socket. */
	(void)s;
}

static int begin_tls(struct stream *s)
{
	const struct upstream_settings *u = &s->gen->settings->upstreams[s->route->upstream];
	int err;

	if (!u->tls)
		return 0;
	err = tls_connect(s->gen->tls, s->route->upstream, u->servers[s->lease.index].host, s->up.source.fd,
		&s->up.tls);
	if (!err)
		s->up.ops = &wire_tls_ops;
	return err;
}

/* A certificate that is not trusted is a fault of the configuration, and nobody else would tell of it. */
static void tls_failed(struct stream *s, enum sluice_tls_fail why)
{
	struct route_state *state = &s->gen->routes[s->route - s->gen->settings->routes];
	uint64_t now = loop_now_ms(s->env->loop);

	s->env->totals->tls_connect_failed[why]++;
	if (state->tls_warned_ms && now < state->tls_warned_ms + WARN_EVERY_MS)
		return;
	state->tls_warned_ms = now;
	log_warn("route %s: TLS to server %s of upstream %s failed: %s", s->route->name,
		server_address(s->lease.server), s->ctl->upstream_name, tls_why(s->up.tls));
}

static void count_tls(struct stream *s)
{
	struct tls_info info;

	tls_info(s->up.tls, &info);
	s->env->totals->tls_connected++;
	s->env->totals->tls_connect_resumed += info.resumed;
}

void dial_on_upstream(struct stream *s);
void dial_on_upstream(struct stream *s)
{
	int err;

	if (!s->up_connected) {
		if (!s->up.writable && !s->up.dead)
			return;
		err = dial_result(s->up.source.fd);
		if (!err)
			err = begin_tls(s);
		if (err) {
			dial_failed(s, err == -ECONNREFUSED ? "refused" : "connect");
			return;
		}
		s->up_connected = true;
	}
	err = s->up.tls ? tls_handshake(s->up.tls) : 0;
	if (err == -EAGAIN && !s->up.dead)
		return;
	if (err) {
		tls_failed(s, err == -EAGAIN ? SLUICE_TLS_FAIL_CLOSED : tls_failure(s->up.tls));
		dial_failed(s, "tls");
		return;
	}
	if (s->up.tls)
		count_tls(s);
	send_begin(s);
	/* What came together with the connection makes no other edge. */
	s->up.readable |= s->up.tls != NULL;
	head_on_upstream(s);
}

void dial_on_timeout(struct stream *s);
void dial_on_timeout(struct stream *s)
{
	if (s->waiting || s->attempts >= MAX_ATTEMPTS) {
		stream_unreachable(
			s, 503, SLUICE_BY_TIMEOUT, s->waiting ? "no_server_in_time" : "connect_timeout");
		return;
	}
	if (s->up.tls)
		s->env->totals->tls_connect_failed[SLUICE_TLS_FAIL_TIMEOUT]++;
	dial_failed(s, "connect_timeout");
}
