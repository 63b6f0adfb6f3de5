/* A client's TLS handshake, and what was agreed in it. */
#include "base/log.h"
#include "proto/proxy_header.h"
#include "stream/h2_conn.h"
#include <sys/socket.h>

/* The PROXY protocol's header stands in front of the handshake: it is looked at, and then taken alone, since
 * what is behind it is OpenSSL's. As read_proxy_header(). */
static int take_proxy_header(struct client *c)
{
	struct proxy_header h;
	int n;

	if (!c->proxy_header)
		return 1;
	n = (int)recv(c->wire.source.fd, c->env->scratch, SCRATCH_BYTES, MSG_PEEK);
	if (n <= 0)
		return n < 0 && errno == EAGAIN ? 0 : -ECONNRESET;
	n = proxy_header_parse(c->env->scratch, (size_t)n, &h);
	if (n <= 0)
		return n;
	if (recv(c->wire.source.fd, c->env->scratch, (size_t)n, 0) != n)
		return -ECONNRESET;
	return client_told(c, &h) ? 1 : -EACCES;
}

bool client_may_begin_tls(struct client *c, const struct sockaddr_any *source)
{
	struct env *env = c->env;

	/* A proxy's clients cannot be told apart. */
	if (c->trusted || handshakes_take(env->handshakes, source, loop_now_ms(env->loop)))
		return true;
	env->totals->tls_accept_failed[SLUICE_TLS_FAIL_RATE]++;
	return false;
}

static void failed(struct client *c, enum sluice_tls_fail reason, const char *why)
{
	c->env->totals->tls_accept_failed[reason]++;
	log_debug("TLS handshake failed: %s", why);
	/* An alert may be on its way, and tells the client more than a reset. */
	client_close(c, c->wire.dead ? CLIENT_CLOSE : CLIENT_LINGER);
}

static void agreed(struct client *c)
{
	struct tls_info info;

	c->handshaking = false;
	tls_info(c->wire.tls, &info);
	c->env->totals->tls_accepted++;
	c->env->totals->tls_accept_resumed += info.resumed;
	c->env->totals->tls_ktls += info.ktls_send;
	timer_in(c->env->loop, &c->timer, c->env->now->settings->client_head_ms);
	c->wire.readable = true;
	if (info.alpn == TLS_ALPN_H2)
		h2_conn_begin(c);
	else if (c->h2_only)
		client_close(c, CLIENT_LINGER);
}

bool client_secure(struct client *c)
{
	int err = take_proxy_header(c);

	if (err == 0 && !c->wire.dead && !c->wire.fin)
		return false;
	if (err == -EACCES) {
		client_close(c, CLIENT_RESET);
		return false;
	}
	err = err > 0 ? tls_handshake(c->wire.tls) : -EPROTO;
	if (err == -EAGAIN && !c->wire.dead)
		return false;
	if (err && c->proxy_header) {
		failed(c, err == -ECONNRESET ? SLUICE_TLS_FAIL_CLOSED : SLUICE_TLS_FAIL_OTHER,
			"no PROXY protocol header in front of it");
		return false;
	}
	if (err) {
		failed(c, err == -EAGAIN ? SLUICE_TLS_FAIL_CLOSED : tls_failure(c->wire.tls),
			tls_why(c->wire.tls));
		return false;
	}
	agreed(c);
	return !c->closed && !c->lingering && !c->h2;
}
