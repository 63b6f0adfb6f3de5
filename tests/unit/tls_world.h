/* Settings with TLS from a text, and two ends of a socketpair that shake hands. */
#ifndef TESTS_UNIT_TLS_WORLD_H
#define TESTS_UNIT_TLS_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include "tls/tls.h"
#include <stdio.h>
#include <fcntl.h>
#include <sys/socket.h>

/* Both sides of one connection, and what they were made from. */
struct ends {
	int fds[2];
	struct tls_conn *server, *client;
};

static inline void ends_open(struct ends *e, struct tls *server, size_t listener, struct tls *client,
	size_t upstream, const char *host, int buffer)
{
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, e->fds), 0);
	for (int i = 0; buffer && i < 2; i++)
		assert_int_equal(setsockopt(e->fds[i], SOL_SOCKET, SO_SNDBUF, &buffer, sizeof(buffer)), 0);
	assert_int_equal(tls_accept(server, listener, e->fds[0], &e->server), 0);
	assert_int_equal(tls_connect(client, upstream, host, e->fds[1], &e->client), 0);
}

/* 0, or how the one that failed did; both get the chance to hear of it. */
static inline int ends_shake(struct ends *e)
{
	int a = -EAGAIN, b = -EAGAIN;

	for (int i = 0; i < 100 && (a == -EAGAIN || b == -EAGAIN); i++) {
		if (b == -EAGAIN)
			b = tls_handshake(e->client);
		if (a == -EAGAIN)
			a = tls_handshake(e->server);
		if ((a && a != -EAGAIN) || (b && b != -EAGAIN)) {
			int first = a && a != -EAGAIN ? a : b;

			a = tls_handshake(e->client);
			b = tls_handshake(e->server);
			return first;
		}
	}
	return a ? a : b;
}

static inline void ends_close(struct ends *e)
{
	tls_conn_free(e->server);
	tls_conn_free(e->client);
	for (int i = 0; i < 2; i++)
		if (e->fds[i] >= 0)
			close(e->fds[i]);
}

/* One side's contexts from the flags of `sluice proxy --tls-self-signed --to https://…`, unverified. */
static inline struct tls *self_signed_tls(struct tls_tickets *tickets, struct settings **ret_settings)
{
	struct proxy_options o = {
		.listen = "127.0.0.1:0", .to = "https://127.0.0.1:1", .tls_self_signed = true};
	struct buf errors = {0};
	struct tls_material *m;
	struct settings *s;
	struct tls *t;

	assert_int_equal(settings_from_options(&o, &s, &errors), 0);
	s->upstreams[0].tls->verify = false;
	assert_int_equal(tls_material_load(s, &m, &errors, NULL), 0);
	assert_int_equal(tls_new(s, m, tickets, &t, &errors), 0);
	assert_int_equal(errors.len, 0);
	buf_reset(&errors);
	tls_material_free(m);
	*ret_settings = s;
	return t;
}

static inline ssize_t send_text(struct tls_conn *c, const char *text)
{
	struct iovec iov = {(void *)text, strlen(text)};

	return tls_send(c, &iov, 1);
}

#endif
