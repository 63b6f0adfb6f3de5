/* Idle kept connections, against a real listener. */
#include "loop_world.h"
#include "upstream_world.h"

static struct origin origin;

static void begin(void)
{
	origin_start(&origin);
	world_init();
	world_origin(&origin);
}

static void end(void)
{
	world_end();
	origin_stop(&origin);
}

static bool none_idle(void *arg)
{
	(void)arg;
	return view_of(0).idle == 0;
}

static bool all_closed(void *arg)
{
	(void)arg;
	return origin.closed == origin.accepted;
}

static bool two_accepted(void *arg)
{
	(void)arg;
	return origin.nconns >= 2;
}

static bool one_accepted(void *arg)
{
	(void)arg;
	return origin.nconns >= 1;
}

static void test_kept_and_taken_again(void **state)
{
	struct request r = {0};
	int fd;

	(void)state;
	begin();
	world_begin(NULL, 1);
	keep_one(&r);
	assert_int_equal(view_of(0).idle, 1);
	assert_int_equal(view_of(0).connections, 0);
	assert_int_equal(pick(&r), PICK_OK);
	assert_true(r.lease.idle_fd >= 0);
	assert_true(r.lease.reused);
	assert_int_equal(view_of(0).idle, 0);
	assert_int_equal(view_of(0).connections, 1);
	fd = r.lease.idle_fd;
	assert_int_equal(send(fd, "x", 1, MSG_NOSIGNAL), 1);
	r.lease.idle_fd = -1; /* as stream/ does when it takes it over */
	close(fd);
	upstreams_return(&r.lease, LEASE_FAILED, -1);
	assert_int_equal(
		view_of(0).failures, 0); /* a kept one that turned out dead is not the server's failure */
	assert_true(view_of(0).up);
	run_for(20);
	assert_int_equal(origin.accepted, 1);
	end();
}

static void test_fresh_one_wanted(void **state)
{
	struct request r = {0};

	(void)state;
	begin();
	world_begin(NULL, 1);
	keep_one(&r);
	assert_int_equal(upstreams_pick(upstreams, 0, &r.key, false, &r.lease, &r.waiter), PICK_OK);
	assert_int_equal(r.lease.idle_fd, -1);
	assert_int_equal(view_of(0).idle, 1);
	upstreams_return(&r.lease, LEASE_CLOSED, -1);
	end();
}

/* The last one kept is the first one taken: the others may grow old and go. */
static void test_newest_first(void **state)
{
	struct request a = {0}, b = {0};
	int fd_a, fd_b;

	(void)state;
	begin();
	world_begin(NULL, 1);
	assert_int_equal(pick(&a), PICK_OK);
	fd_a = dial_lease(&a);
	assert_int_equal(pick(&b), PICK_OK);
	fd_b = dial_lease(&b);
	assert_true(run_until(two_accepted, NULL, 1000));
	upstreams_return(&a.lease, LEASE_REUSE, fd_a);
	upstreams_return(&b.lease, LEASE_REUSE, fd_b);
	assert_int_equal(view_of(0).idle, 2);
	assert_int_equal(pick(&a), PICK_OK);
	assert_int_equal(a.lease.idle_fd, fd_b);
	assert_int_equal(pick(&b), PICK_OK);
	assert_int_equal(b.lease.idle_fd, fd_a);
	upstreams_return(&a.lease, LEASE_REUSE, fd_b);
	upstreams_return(&b.lease, LEASE_REUSE, fd_a);
	end();
}

/* Bytes that nobody asked for could be taken for the answer to the next request. */
static void test_bytes_on_an_idle_one_close_it(void **state)
{
	struct request r = {0};

	(void)state;
	begin();
	world_begin(NULL, 1);
	keep_one(&r);
	assert_true(run_until(one_accepted, NULL, 1000));
	assert_int_equal(send(origin.conns[0].source.fd, "HTTP/1.1 200 OK\r\n", 17, MSG_NOSIGNAL), 17);
	assert_true(run_until(none_idle, NULL, 1000));
	assert_true(run_until(all_closed, NULL, 1000));
	end();
}

/* The same when they were there before it came back, or come before the loop could tell. */
static void test_bytes_the_loop_has_not_seen(void **state)
{
	struct request r = {0};
	int fd;

	(void)state;
	begin();
	world_begin(NULL, 1);
	assert_int_equal(pick(&r), PICK_OK);
	fd = dial_lease(&r);
	assert_true(run_until(one_accepted, NULL, 1000));
	assert_int_equal(send(origin.conns[0].source.fd, "x", 1, MSG_NOSIGNAL), 1);
	upstreams_return(&r.lease, LEASE_REUSE, fd);
	assert_int_equal(view_of(0).idle, 0);
	run_for(20);
	keep_one(&r);
	assert_true(run_until(two_accepted, NULL, 1000));
	assert_int_equal(view_of(0).idle, 1);
	assert_int_equal(send(origin.conns[1].source.fd, "x", 1, MSG_NOSIGNAL), 1);
	assert_int_equal(pick(&r), PICK_OK); /* in the same turn */
	assert_int_equal(r.lease.idle_fd, -1);
	upstreams_return(&r.lease, LEASE_CLOSED, -1);
	end();
}

static void test_origin_closes_an_idle_one(void **state)
{
	struct request r = {0};

	(void)state;
	begin();
	world_begin(NULL, 1);
	keep_one(&r);
	assert_true(run_until(one_accepted, NULL, 1000));
	origin_conn_close(&origin.conns[0]);
	assert_int_equal(pick(&r), PICK_OK); /* before the loop could tell */
	assert_int_equal(r.lease.idle_fd, -1);
	upstreams_return(&r.lease, LEASE_CLOSED, -1);
	keep_one(&r);
	assert_true(run_until(two_accepted, NULL, 1000));
	origin_conn_close(&origin.conns[1]);
	assert_true(run_until(none_idle, NULL, 1000));
	end();
}

static void test_grows_old(void **state)
{
	struct request r = {0};
	uint64_t start;

	(void)state;
	begin();
	world_upstream.keepalive_ms = 100;
	world_begin(NULL, 1);
	keep_one(&r);
	start = clock_mono_ns();
	run_for(50);
	assert_int_equal(view_of(0).idle, 1);
	assert_true(run_until(none_idle, NULL, 1000));
	assert_true(clock_mono_ns() - start >= 90 * NS_PER_MS);
	assert_true(run_until(all_closed, NULL, 1000));
	end();
}

static void test_no_more_than_allowed(void **state)
{
	struct request r[6] = {0};
	int fds[6];

	(void)state;
	begin();
	world_begin(NULL, 1); /* keepalive 4 */
	for (int i = 0; i < 6; i++) {
		assert_int_equal(pick(&r[i]), PICK_OK);
		fds[i] = dial_lease(&r[i]);
	}
	run_for(50);
	for (int i = 0; i < 6; i++)
		upstreams_return(&r[i].lease, LEASE_REUSE, fds[i]);
	assert_int_equal(view_of(0).idle, 4);
	run_for(50);
	assert_int_equal(origin.closed, 2);
	end();
}

static void test_keepalive_off(void **state)
{
	struct request r = {0};

	(void)state;
	begin();
	world_upstream.keepalive = 0;
	world_begin(NULL, 1);
	keep_one(&r);
	assert_int_equal(view_of(0).idle, 0);
	assert_true(run_until(all_closed, NULL, 1000));
	end();
}

/* Idle ones count against max_connections, and make room for a request that wants a fresh one. */
static void test_idle_makes_room(void **state)
{
	struct request r = {0};

	(void)state;
	begin();
	world_servers[0].max_connections = 1;
	world_begin(NULL, 1);
	keep_one(&r);
	assert_int_equal(upstreams_pick(upstreams, 0, &r.key, false, &r.lease, &r.waiter), PICK_OK);
	assert_int_equal(r.lease.idle_fd, -1);
	assert_int_equal(view_of(0).idle, 0);
	upstreams_return(&r.lease, LEASE_CLOSED, -1);
	end();
}

static void test_server_goes_down(void **state)
{
	struct request a = {0}, b = {0};
	int fd;

	(void)state;
	begin();
	world_begin(NULL, 1);
	assert_int_equal(pick(&b), PICK_OK);
	fd = dial_lease(&b);
	keep_one(&a);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(upstreams_pick(upstreams, 0, &a.key, false, &a.lease, &a.waiter), PICK_OK);
		upstreams_return(&a.lease, LEASE_FAILED, -1);
	}
	assert_false(view_of(0).up);
	assert_int_equal(view_of(0).idle, 0);
	upstreams_return(&b.lease, LEASE_REUSE, fd); /* nor does one come back while it is down */
	assert_int_equal(view_of(0).idle, 0);
	assert_true(run_until(all_closed, NULL, 1000));
	end();
}

static void test_retired(void **state)
{
	struct request a = {0}, b = {0};
	int fd;

	(void)state;
	begin();
	world_begin(NULL, 1);
	assert_int_equal(pick(&b), PICK_OK);
	fd = dial_lease(&b);
	keep_one(&a);
	upstreams_retire(upstreams);
	assert_int_equal(view_of(0).idle, 0);
	upstreams_return(&b.lease, LEASE_REUSE, fd);
	assert_int_equal(view_of(0).idle, 0);
	assert_true(run_until(all_closed, NULL, 1000));
	end();
}

static void test_freed_with_idle_ones(void **state)
{
	struct request r = {0};

	(void)state;
	begin();
	world_begin(NULL, 1);
	keep_one(&r);
	world_end();
	assert_true(run_until(one_accepted, NULL, 1000));
	run_for(20);
	assert_int_equal(origin.closed, 1);
	origin_stop(&origin);
}

static void test_unix_socket(void **state)
{
	char folder[] = "/tmp/sluice-pool-XXXXXX", text[ADDR_TEXT_MAX];
	struct request r = {0};

	(void)state;
	assert_non_null(mkdtemp(folder));
	snprintf(text, sizeof(text), "unix:%s/app.sock", folder);
	memset(&origin, 0, sizeof(origin));
	origin_listen(&origin, text);
	world_init();
	assert_int_equal(addr_parse(text, &world_server(text, NULL, 0)->unix_addr), 0);
	world_begin(NULL, 1);
	assert_true(view_of(0).resolved);
	keep_one(&r);
	assert_int_equal(view_of(0).idle, 1);
	assert_int_equal(pick(&r), PICK_OK);
	assert_true(r.lease.reused);
	upstreams_return(&r.lease, LEASE_REUSE, r.lease.idle_fd);
	end();
	assert_int_equal(unlink(text + 5), 0);
	assert_int_equal(rmdir(folder), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		LOOP_TEST(test_kept_and_taken_again),
		LOOP_TEST(test_fresh_one_wanted),
		LOOP_TEST(test_newest_first),
		LOOP_TEST(test_bytes_on_an_idle_one_close_it),
		LOOP_TEST(test_bytes_the_loop_has_not_seen),
		LOOP_TEST(test_origin_closes_an_idle_one),
		LOOP_TEST(test_grows_old),
		LOOP_TEST(test_no_more_than_allowed),
		LOOP_TEST(test_keepalive_off),
		LOOP_TEST(test_idle_makes_room),
		LOOP_TEST(test_server_goes_down),
		LOOP_TEST(test_retired),
		LOOP_TEST(test_freed_with_idle_ones),
		LOOP_TEST(test_unix_socket),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
