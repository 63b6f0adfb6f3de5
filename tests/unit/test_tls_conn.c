/* tls/conn.c, bio.c, server.c and client.c, over a socketpair. */
#include "tls_world.h"
#include <malloc.h>
#include <sys/resource.h>
#include <sys/wait.h>

struct world {
	struct settings *settings;
	struct tls *tls;
	struct ends e;
};

static void open_world(struct world *w, int buffer)
{
	w->tls = self_signed_tls(NULL, &w->settings);
	ends_open(&w->e, w->tls, 0, w->tls, 0, NULL, buffer);
	assert_int_equal(ends_shake(&w->e), 0);
}

static void close_world(struct world *w)
{
	ends_close(&w->e);
	tls_free(w->tls);
	settings_unref(w->settings);
}

static void test_bytes_both_ways(void **state)
{
	struct world w;
	struct tls_info info;
	char got[64];

	(void)state;
	open_world(&w, 0);
	assert_int_equal(send_text(w.e.client, "ping"), 4);
	assert_int_equal(tls_recv(w.e.server, got, sizeof(got)), 4);
	assert_memory_equal(got, "ping", 4);
	assert_int_equal(tls_recv(w.e.server, got, sizeof(got)), -EAGAIN);
	assert_int_equal(send_text(w.e.server, "pong!"), 5);
	assert_int_equal(tls_recv(w.e.client, got, sizeof(got)), 5);
	tls_info(w.e.server, &info);
	assert_string_equal(info.version, "TLSv1.3");
	assert_false(info.resumed || info.ktls_send || info.client_cert);
	assert_int_equal(info.alpn, TLS_ALPN_NONE);
	assert_string_equal(tls_why(w.e.server), "no failure");
	close_world(&w);
}

/* What a peer sees of one call is one record, however many slices it had. */
static void test_a_call_is_a_record(void **state)
{
	struct iovec parts[] = {{"4\r\n", 3}, {"", 0}, {"data", 4}, {"\r\n", 2}};
	static char large[40000];
	struct iovec one = {large, sizeof(large)};
	unsigned char head[5];
	struct world w;
	char got[64];

	(void)state;
	open_world(&w, 0);
	assert_int_equal(tls_send(w.e.server, parts, 4), 9);
	assert_int_equal(recv(w.e.fds[1], head, 5, MSG_PEEK), 5);
	assert_int_equal(head[0], 23); /* application data, RFC 8446 5.1 */
	assert_int_equal(head[3] << 8 | head[4], 9 + 1 + 16);
	assert_int_equal(tls_recv(w.e.client, got, sizeof(got)), 9);
	assert_memory_equal(got, "4\r\ndata\r\n", 9);
	assert_int_equal(tls_send(w.e.server, &one, 1), TLS_RECORD_MAX);
	assert_int_equal(tls_send(w.e.server, parts, 0), 0);
	close_world(&w);
}

/* A socket that takes little: nothing is lost or repeated, whatever slices the next call has. */
static void test_partial_writes(void **state)
{
	static char data[300000], got[300000];
	size_t at = 0, have = 0, refused = 0;
	struct world w;

	(void)state;
	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (char)(i * 31 >> 3);
	open_world(&w, 2048);
	for (unsigned turn = 0; have < sizeof(data); turn++) {
		size_t left = sizeof(data) - at, split = turn % 7 * 100;
		struct iovec iov[] = {{data + at, MIN(split, left)},
			{data + at + MIN(split, left), left - MIN(split, left)}};
		ssize_t n = at < sizeof(data) ? tls_send(w.e.server, iov, 2) : -EAGAIN;

		if (n == -EAGAIN) {
			refused += at < sizeof(data);
			assert_true(at == sizeof(data) || tls_wants_write(w.e.server));
			assert_false(tls_send_wants_read(w.e.server));
		} else {
			assert_in_range(n, 1, TLS_RECORD_MAX);
			at += (size_t)n;
		}
		n = tls_recv(w.e.client, got + have, turn % 3 ? 700 : 20000);
		have += n > 0 ? (size_t)n : 0;
	}
	assert_true(refused > 10);
	assert_memory_equal(got, data, sizeof(data));
	close_world(&w);
}

static void test_fewer_bytes_than_the_refused_call_had(void **state)
{
	static char data[20000];
	struct iovec all = {data, sizeof(data)}, less = {data, 10};
	struct world w;

	(void)state;
	open_world(&w, 2048);
	while (tls_send(w.e.server, &all, 1) > 0)
		;
	assert_int_equal(tls_send(w.e.server, &less, 1), -EINVAL);
	close_world(&w);
}

static void test_close_notify_is_an_end_and_its_lack_is_a_truncation(void **state)
{
	struct world w;
	char got[8];

	(void)state;
	open_world(&w, 0);
	tls_shutdown(w.e.client);
	assert_true(tls_peek_end(w.e.server));
	assert_int_equal(tls_recv(w.e.server, got, sizeof(got)), 0);
	assert_int_equal(tls_recv(w.e.server, got, sizeof(got)), 0);
	assert_int_equal(send_text(w.e.server, "still"), 5); /* the other direction is open */
	close_world(&w);

	open_world(&w, 0);
	assert_int_equal(send_text(w.e.client, "last"), 4);
	close(w.e.fds[1]);
	w.e.fds[1] = -1;
	assert_false(tls_peek_end(w.e.server)); /* data stands before it */
	assert_int_equal(tls_recv(w.e.server, got, sizeof(got)), 4);
	assert_true(tls_peek_end(w.e.server));
	assert_true(tls_recv(w.e.server, got, sizeof(got)) < 0);
	assert_string_equal(tls_why(w.e.server), "the connection ended without close_notify");
	tls_shutdown(w.e.server);
	close_world(&w);
}

static void test_pending(void **state)
{
	struct world w;
	char got[8];

	(void)state;
	open_world(&w, 0);
	assert_false(tls_pending(w.e.server));
	assert_false(tls_peek_end(w.e.server));
	assert_int_equal(send_text(w.e.client, "12345678"), 8);
	assert_int_equal(send_text(w.e.client, "abcd"), 4);
	assert_int_equal(tls_recv(w.e.server, got, 3), 3);
	assert_true(tls_pending(w.e.server)); /* the rest, and a record that was read ahead */
	assert_int_equal(tls_recv(w.e.server, got, 8), 5);
	assert_true(tls_pending(w.e.server));
	assert_int_equal(tls_recv(w.e.server, got, 8), 4);
	assert_false(tls_pending(w.e.server));
	close_world(&w);
}

static void test_what_is_no_tls(void **state)
{
	static const char request[] = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
	struct settings *s;
	struct tls *t = self_signed_tls(NULL, &s);
	struct tls_conn *c;
	int fds[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
	assert_int_equal(tls_accept(t, 0, fds[0], &c), 0);
	assert_int_equal(tls_handshake(c), -EAGAIN);
	assert_false(tls_wants_write(c));
	assert_int_equal(write(fds[1], request, sizeof(request) - 1), sizeof(request) - 1);
	assert_int_equal(tls_handshake(c), -EPROTO);
	assert_string_equal(tls_why(c), "http request");
	assert_int_equal(tls_handshake(c), -EPROTO);
	tls_conn_free(c);
	tls_conn_free(NULL);
	close(fds[0]);
	close(fds[1]);
	tls_free(t);
	settings_unref(s);
}

static void test_plaintext_listeners_and_upstreams_have_no_context(void **state)
{
	struct proxy_options o = {.listen = "127.0.0.1:0", .to = "http://127.0.0.1:1"};
	struct buf errors = {0};
	struct tls_material *m;
	struct settings *s;
	struct tls_conn *c;
	struct tls *t;

	(void)state;
	assert_int_equal(settings_from_options(&o, &s, &errors), 0);
	assert_int_equal(tls_material_load(s, &m, &errors, &errors), 0);
	assert_int_equal(tls_new(s, m, NULL, &t, &errors), 0);
	assert_int_equal(tls_accept(t, 0, 0, &c), -EINVAL);
	assert_int_equal(tls_accept(t, 7, 0, &c), -EINVAL);
	assert_int_equal(tls_connect(t, 0, "a", 0, &c), -EINVAL);
	tls_free(t);
	tls_free(NULL);
	tls_material_free(m);
	settings_unref(s);
}

/* A reload frees the contexts; a connection in the middle of its handshake, and one behind it, go on. */
static void test_connections_outlive_their_contexts(void **state)
{
	struct settings *s;
	struct tls *t = self_signed_tls(NULL, &s);
	struct ends early, late;
	char got[8];

	(void)state;
	ends_open(&early, t, 0, t, 0, NULL, 0);
	assert_int_equal(ends_shake(&early), 0);
	ends_open(&late, t, 0, t, 0, NULL, 0);
	assert_int_equal(tls_handshake(late.client), -EAGAIN);
	tls_free(t);
	settings_unref(s);
	assert_int_equal(ends_shake(&late), 0);
	assert_int_equal(send_text(early.server, "a"), 1);
	assert_int_equal(tls_recv(early.client, got, 8), 1);
	ends_close(&early);
	ends_close(&late);
}

/* ---- resumption */

static bool resumes(struct tls *server, struct tls *client)
{
	struct tls_info info;
	struct ends e;
	char got[8];

	ends_open(&e, server, 0, client, 0, NULL, 0);
	assert_int_equal(ends_shake(&e), 0);
	assert_int_equal(send_text(e.server, "x"), 1);
	assert_int_equal(tls_recv(e.client, got, 8), 1); /* the ticket came before it */
	tls_info(e.server, &info);
	ends_close(&e);
	return info.resumed;
}

static void test_tickets_are_taken_until_their_key_is_gone(void **state)
{
	struct settings *s, *other_settings;
	struct tls_tickets *tickets;
	struct tls *t, *other;

	(void)state;
	assert_int_equal(tls_tickets_new(&tickets), 0);
	t = self_signed_tls(tickets, &s);
	other = self_signed_tls(tickets, &other_settings); /* another worker, or behind a reload */
	assert_false(resumes(t, t));
	assert_true(resumes(t, t));
	assert_true(resumes(other, t));
	for (int i = 1; i < TLS_TICKET_KEYS; i++)
		assert_int_equal(tls_tickets_rotate(tickets), 0);
	assert_true(resumes(other, t)); /* and gets a ticket of the newest key */
	for (int i = 1; i < TLS_TICKET_KEYS; i++)
		assert_int_equal(tls_tickets_rotate(tickets), 0);
	assert_true(resumes(t, t));
	for (int i = 0; i < TLS_TICKET_KEYS; i++)
		assert_int_equal(tls_tickets_rotate(tickets), 0);
	assert_false(resumes(t, t));
	tls_free(t);
	tls_free(other);
	settings_unref(s);
	settings_unref(other_settings);
	tls_tickets_free(tickets);
	tls_tickets_free(NULL);
}

/* ---- memory */

#if !defined(__SANITIZE_ADDRESS__)

#define IDLE 500

static void run_clients(struct tls *t, int (*fds)[2], int done)
{
	struct tls_conn *c;
	char got[8];

	for (int i = 0; i < IDLE; i++) {
		struct iovec v = {"hello", 5};

		ssize_t n = 0;

		if (tls_connect(t, 0, NULL, fds[i][1], &c) || tls_handshake(c) || tls_send(c, &v, 1) != 5)
			_exit(1);
		while ((n = tls_recv(c, got, 8)) == -EAGAIN)
			; /* the ticket */
		if (n != 5)
			_exit(1);
	}
	_exit(read(done, got, 1) == 0 ? 0 : 1);
}

/* What one idle connection of a server holds in userspace: 13.9 KB with OpenSSL 3.0.22, most of it struct
 * ssl_st. A buffer of records that were not given back would be 16 KB more, a handshake's buffers 20. */
static void test_an_idle_connection_is_small(void **state)
{
	static struct tls_conn *conns[IDLE];
	static int fds[IDLE][2];
	struct tls_tickets *tickets;
	struct settings *s;
	struct tls *t;
	size_t before = 0, each;
	int done[2], status;
	char got[8];
	pid_t pid;

	(void)state;
	assert_int_equal(tls_tickets_new(&tickets), 0);
	t = self_signed_tls(tickets, &s);
	assert_int_equal(pipe(done), 0);
	for (int i = 0; i < IDLE; i++)
		assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds[i]), 0);
	pid = fork();
	if (!pid) {
		close(done[1]);
		run_clients(t, fds, done[0]);
	}
	for (int i = 0; i < IDLE; i++)
		close(fds[i][1]); /* a client that fails must not leave us waiting */
	for (int i = 0; i < IDLE; i++) {
		struct iovec v = {"world", 5};

		if (i == 1)
			before = mallinfo2().uordblks;
		assert_int_equal(tls_accept(t, 0, fds[i][0], &conns[i]), 0);
		assert_int_equal(tls_handshake(conns[i]), 0);
		assert_int_equal(tls_recv(conns[i], got, 8), 5);
		assert_int_equal(tls_send(conns[i], &v, 1), 5);
	}
	each = (mallinfo2().uordblks - before) / (IDLE - 1);
	print_message("%zu bytes an idle connection\n", each);
	close(done[0]);
	close(done[1]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	for (int i = 0; i < IDLE; i++) {
		tls_conn_free(conns[i]);
		close(fds[i][0]);
	}
	tls_free(t);
	settings_unref(s);
	tls_tickets_free(tickets);
	assert_in_range(each, 1, 15 * 1024);
}

#endif

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bytes_both_ways),
		cmocka_unit_test(test_a_call_is_a_record),
		cmocka_unit_test(test_partial_writes),
		cmocka_unit_test(test_fewer_bytes_than_the_refused_call_had),
		cmocka_unit_test(test_close_notify_is_an_end_and_its_lack_is_a_truncation),
		cmocka_unit_test(test_pending),
		cmocka_unit_test(test_what_is_no_tls),
		cmocka_unit_test(test_plaintext_listeners_and_upstreams_have_no_context),
		cmocka_unit_test(test_connections_outlive_their_contexts),
		cmocka_unit_test(test_tickets_are_taken_until_their_key_is_gone),
#if !defined(__SANITIZE_ADDRESS__)
		cmocka_unit_test(test_an_idle_connection_is_small),
#endif
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
