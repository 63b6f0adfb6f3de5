/* Allocation n fails, for every n of making contexts, of a handshake and of a record each way: an error or
 * none, never a crash, and the next connection works. OpenSSL's allocations are among them. */
#include "tls_world.h"
#include "alloc_fail.h"

struct made {
	struct settings *settings;
	struct tls *tls;
};

static int talk(struct made *w, long nth, bool *ret_hit)
{
	struct tls_conn *ends[2] = {NULL, NULL};
	int fds[2], err, round;
	char got[8];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
	alloc_fail_at(nth);
	err = tls_accept(w->tls, 0, fds[0], &ends[0]);
	err = err ? err : tls_connect(w->tls, 0, "localhost", fds[1], &ends[1]);
	for (round = 0; !err && round < 20; round++) {
		int a = tls_handshake(ends[1]), b = tls_handshake(ends[0]);

		if (!a && !b)
			break;
		err = a && a != -EAGAIN ? a : b && b != -EAGAIN ? b : 0;
	}
	if (!err && round == 20)
		err = -EAGAIN;
	err = err ? err : send_text(ends[0], "hello") == 5 ? 0 : -EIO;
	err = err ? err : tls_recv(ends[1], got, sizeof(got)) == 5 ? 0 : -EIO;
	*ret_hit = alloc_fail_hit();
	alloc_fail_at(0);
	tls_conn_free(ends[0]);
	tls_conn_free(ends[1]);
	close(fds[0]);
	close(fds[1]);
	return err;
}

static void test_connections(void **state)
{
	struct made w;
	long n, failed = 0;
	bool hit;

	(void)state;
	alloc_fail_needed();
	w.tls = self_signed_tls(NULL, &w.settings);
	assert_int_equal(talk(&w, 0, &hit), 0);
	for (n = 1;; n += 1 + n / 100) {
		int err = talk(&w, n, &hit);

		failed += err != 0;
		if (!hit && !err)
			break;
		assert_true(n < 100000);
	}
	print_message(
		"%ld allocations looked at one by one, then fewer; %ld of the attempts failed\n", n, failed);
	assert_int_equal(talk(&w, 0, &hit), 0);
	tls_free(w.tls);
	settings_unref(w.settings);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_connections),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
