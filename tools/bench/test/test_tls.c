/* TLS over a pair of sockets: a certificate made for the run, one cipher, ALPN, bytes both ways, the end. */
#include "cmocka_first.h"
#include "../cert.h"
#include "../wire.h"
#include <fcntl.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>

struct pair {
	SSL_CTX *server_context, *client_context;
	struct wire server, client;
	int fds[2];
};

/* Both handshakes, hand in hand. Returns the client's result, or the server's error. */
static int connect_pair(struct pair *p, const char *pem, unsigned http)
{
	int a = -EAGAIN, b = -EAGAIN;

	assert_int_equal(wire_server_context(pem, &p->server_context), 0);
	assert_int_equal(wire_client_context(http, &p->client_context), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, p->fds), 0);
	assert_int_equal(wire_init(&p->server, p->fds[0], p->server_context, WIRE_SERVER), 0);
	assert_int_equal(wire_init(&p->client, p->fds[1], p->client_context, WIRE_CLIENT), 0);
	for (int i = 0; i < 10 && (a == -EAGAIN || b == -EAGAIN); i++) {
		a = a == -EAGAIN ? wire_handshake(&p->client) : a;
		b = b == -EAGAIN ? wire_handshake(&p->server) : b;
	}
	return a ? a : b;
}

static void free_pair(struct pair *p)
{
	wire_done(&p->server);
	wire_done(&p->client);
	wire_context_free(&p->server_context);
	wire_context_free(&p->client_context);
	close(p->fds[0]);
	close(p->fds[1]);
}

static char pem[] = "/tmp/test-bench-tls.XXXXXX";

static int make_cert(void **state)
{
	_cleanup_close_ int fd = mkostemp(pem, O_CLOEXEC);

	(void)state;
	signal(SIGPIPE, SIG_IGN);
	return fd < 0 ? -1 : cert_write(pem);
}

static int remove_cert(void **state)
{
	(void)state;
	return unlink(pem);
}

static void test_bytes_both_ways(void **state)
{
	static char big[40000], got[sizeof(big)];
	struct pair p = {0};
	size_t n = 0;
	ssize_t one;

	(void)state;
	assert_int_equal(connect_pair(&p, pem, 1), 0);
	assert_string_equal(SSL_get_cipher_name(p.client.ssl), WIRE_TLS_SUITE);
	assert_int_equal(wire_http(&p.client), 1);
	assert_int_equal(wire_recv(&p.server, got, sizeof(got)), -EAGAIN);
	memset(big, 'x', sizeof(big));
	for (n = 0; n < sizeof(big); n += (size_t)one) {
		one = wire_send(&p.client, big + n, sizeof(big) - n);
		assert_true(one > 0);
	}
	/* Several records may come with one recv(): wire_pending() tells of the rest. */
	for (n = 0; n < sizeof(big); n += (size_t)one) {
		one = wire_recv(&p.server, got + n, sizeof(got) - n);
		assert_true(one > 0);
	}
	assert_false(wire_pending(&p.server));
	assert_memory_equal(big, got, sizeof(big));
	assert_int_equal(wire_send(&p.server, "hi", 2), 2);
	assert_int_equal(wire_recv(&p.client, got, sizeof(got)), 2);
	wire_shutdown(&p.server);
	assert_int_equal(wire_recv(&p.client, got, sizeof(got)), 0);
	free_pair(&p);
}

static void test_a_cut_is_no_end(void **state)
{
	struct pair p = {0};
	char got[16];

	(void)state;
	assert_int_equal(connect_pair(&p, pem, 1), 0);
	shutdown(p.fds[0], SHUT_WR);
	assert_true(wire_recv(&p.client, got, sizeof(got)) < 0);
	free_pair(&p);
}

/* The origin speaks HTTP/1.1 only: a client that wants h2 is told so. */
static void test_alpn(void **state)
{
	struct pair p = {0};
	int err;

	(void)state;
	err = connect_pair(&p, pem, 2);
	assert_int_equal(err, -EPROTO);
	assert_non_null(strstr(wire_error(err), "application protocol"));
	free_pair(&p);
}

static void test_plain(void **state)
{
	struct wire a, b;
	int fds[2];
	char got[8];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
	assert_int_equal(wire_init(&a, fds[0], NULL, WIRE_SERVER), 0);
	assert_int_equal(wire_init(&b, fds[1], NULL, WIRE_CLIENT), 0);
	assert_int_equal(wire_handshake(&a), 0);
	assert_int_equal(wire_recv(&a, got, sizeof(got)), -EAGAIN);
	assert_int_equal(wire_send(&b, "abc", 3), 3);
	assert_int_equal(wire_recv(&a, got, sizeof(got)), 3);
	wire_shutdown(&b);
	assert_int_equal(wire_recv(&a, got, sizeof(got)), 0);
	wire_done(&a);
	wire_done(&b);
	close(fds[0]);
	close(fds[1]);
}

static void test_bad_certificate(void **state)
{
	SSL_CTX *context = NULL;
	struct stat st;

	(void)state;
	assert_int_equal(wire_server_context("/proc/self/status", &context), -EINVAL);
	assert_null(context);
	assert_int_equal(cert_write("/nowhere/x.pem"), -ENOENT);
	assert_int_equal(stat(pem, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bytes_both_ways),
		cmocka_unit_test(test_a_cut_is_no_end),
		cmocka_unit_test(test_alpn),
		cmocka_unit_test(test_plain),
		cmocka_unit_test(test_bad_certificate),
	};

	return cmocka_run_group_tests(tests, make_cert, remove_cert);
}
