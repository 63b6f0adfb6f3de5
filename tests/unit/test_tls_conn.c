/* tls/conn.c, over a socketpair. */
#include "tls_world.h"

struct world {
	struct settings *settings;
	struct tls *tls;
	struct ends e;
};

static void open_world(struct world *w, int buffer)
{
	w->tls = self_signed_tls(NULL, &w->settings);
	ends_open(&w->e, w->tls, 0, w->tls, 0, NULL, buffer);
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
	assert_int_equal(ends_shake(&w.e), 0);
	assert_int_equal(send_text(w.e.client, "ping"), 4);
	assert_int_equal(tls_recv(w.e.server, got, sizeof(got)), 4);
	assert_memory_equal(got, "ping", 4);
	assert_int_equal(tls_recv(w.e.server, got, sizeof(got)), -EAGAIN);
	assert_int_equal(send_text(w.e.server, "pong!"), 5);
	assert_int_equal(tls_recv(w.e.client, got, sizeof(got)), 5);
	tls_info(w.e.server, &info);
	assert_string_equal(info.version, "TLSv1.3");
	assert_false(info.resumed);
	close_world(&w);
}

static void test_close_notify_is_an_end_and_its_lack_is_a_truncation(void **state)
{
	struct world w;
	char got[8];

	(void)state;
	open_world(&w, 0);
	assert_int_equal(ends_shake(&w.e), 0);
	tls_shutdown(w.e.client);
	assert_true(tls_peek_end(w.e.server));
	assert_int_equal(tls_recv(w.e.server, got, sizeof(got)), 0);
	close_world(&w);

	open_world(&w, 0);
	assert_int_equal(ends_shake(&w.e), 0);
	close(w.e.fds[1]);
	w.e.fds[1] = -1;
	assert_int_equal(tls_recv(w.e.server, got, sizeof(got)), -ECONNRESET);
	assert_string_equal(tls_why(w.e.server), "the connection ended without close_notify");
	close_world(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bytes_both_ways),
		cmocka_unit_test(test_close_notify_is_an_end_and_its_lack_is_a_truncation),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
