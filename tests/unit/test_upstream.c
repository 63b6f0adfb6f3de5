/* Picking, leasing, limits and waiting. Nothing is dialled here. */
#include "alloc_fail.h"
#include "loop_world.h"
#include "upstream_world.h"

static void three_servers(enum balance balance)
{
	world_init();
	world_upstream.balance = balance;
	world_server("127.0.0.1:1001", "127.0.0.1", 1001);
	world_server("127.0.0.1:1002", "127.0.0.1", 1002);
	world_server("127.0.0.1:1003", "127.0.0.1", 1003);
}

static void give_back(struct request *r)
{
	upstreams_return(&r->lease, LEASE_CLOSED, -1);
}

static void test_lease_and_return(void **state)
{
	struct request r = {0};
	char text[ADDR_TEXT_MAX];

	(void)state;
	three_servers(BALANCE_ROUND_ROBIN);
	world_begin(NULL, 1);
	assert_int_equal(pick(&r), PICK_OK);
	assert_non_null(r.lease.server);
	assert_int_equal(r.lease.index, 0);
	assert_int_equal(r.lease.idle_fd, -1);
	assert_false(r.lease.reused);
	assert_string_equal(addr_format(&r.lease.addr, text), "127.0.0.1:1001");
	assert_string_equal(server_address(r.lease.server), "127.0.0.1:1001");
	assert_ptr_equal(server_upstream(r.lease.server), &world_upstream);
	assert_int_equal(view_of(0).connections, 1);
	assert_int_equal(view_of(0).picks, 1);
	assert_true(view_of(0).up && view_of(0).resolved);
	assert_string_equal(view_of(2).upstream, "app");
	assert_string_equal(view_of(2).address, "127.0.0.1:1003");
	give_back(&r);
	assert_null(r.lease.server);
	assert_int_equal(r.lease.idle_fd, -1);
	assert_int_equal(view_of(0).connections, 0);
	upstreams_return(&r.lease, LEASE_CLOSED, -1); /* an empty one: nothing happens */
	assert_int_equal(view_of(0).connections, 0);
	world_end();
	upstreams_free(NULL);
}

static void test_least_conn(void **state)
{
	struct request r[7] = {0};

	(void)state;
	three_servers(BALANCE_LEAST_CONN);
	world_servers[2].weight = 2;
	world_begin(NULL, 1);
	for (int i = 0; i < 4; i++)
		assert_int_equal(pick(&r[i]), PICK_OK);
	assert_int_equal(view_of(0).connections, 1);
	assert_int_equal(view_of(1).connections, 1);
	assert_int_equal(view_of(2).connections, 2);
	for (int i = 0; i < 4; i++)
		if (r[i].lease.index == 1)
			give_back(&r[i]);
	assert_int_equal(pick(&r[4]), PICK_OK);
	assert_int_equal(r[4].lease.index, 1);
	for (int i = 0; i < 5; i++)
		give_back(&r[i]);
	world_end();
}

static void test_round_robin(void **state)
{
	(void)state;
	three_servers(BALANCE_ROUND_ROBIN);
	world_begin(NULL, 1);
	for (unsigned i = 0; i < 9; i++) {
		struct request r = {0};

		assert_int_equal(pick(&r), PICK_OK);
		assert_int_equal(r.lease.index, i % 3);
		give_back(&r);
	}
	world_end();
}

static void test_hash(void **state)
{
	unsigned used[3] = {0};

	(void)state;
	three_servers(BALANCE_HASH);
	world_begin(NULL, 1);
	for (int key = 0; key < 60; key++) {
		char text[32];
		struct request a = {0}, b = {0}, c = {0};

		snprintf(text, sizeof(text), "user-%d", key);
		a.key.hash = b.key.hash = c.key.hash = slice_of(text);
		assert_int_equal(pick(&a), PICK_OK);
		assert_int_equal(pick(&b), PICK_OK);
		assert_int_equal(a.lease.index, b.lease.index);
		used[a.lease.index]++;
		/* A server that failed for it: another one, the same for all its requests. */
		c.key.tried = 1ULL << a.lease.index;
		upstreams_return(&a.lease, LEASE_FAILED, -1);
		assert_int_equal(pick(&c), PICK_OK);
		assert_int_not_equal(c.lease.index, b.lease.index);
		upstreams_worked(&b.lease);
		give_back(&b);
		give_back(&c);
	}
	assert_true(used[0] && used[1] && used[2]);
	{
		struct request none = {0}; /* no such header in the request */

		assert_int_equal(pick(&none), PICK_OK);
		give_back(&none);
	}
	world_end();
}

static void test_tried_servers(void **state)
{
	struct request r = {0};

	(void)state;
	three_servers(BALANCE_LEAST_CONN);
	world_begin(NULL, 1);
	r.key.since_ms = loop_now_ms(loop);
	for (int i = 0; i < 3; i++) {
		unsigned index;

		assert_int_equal(pick(&r), PICK_OK);
		index = r.lease.index;
		assert_false(r.key.tried >> index & 1);
		upstreams_return(&r.lease, LEASE_FAILED, -1);
		r.key.tried |= 1ULL << index;
	}
	assert_int_equal(pick(&r), PICK_NONE);
	assert_int_equal(view_of(0).failures + view_of(1).failures + view_of(2).failures, 3);
	/* Another request is not bound by that. */
	r.key = (struct pick_key){0};
	assert_int_equal(pick(&r), PICK_OK);
	give_back(&r);
	world_end();
}

static void test_limit_makes_wait(void **state)
{
	struct request a = {0}, b = {0}, c = {0}, d = {0};

	(void)state;
	world_init();
	world_server("127.0.0.1:1001", "127.0.0.1", 1001)->max_connections = 5;
	world_begin(NULL, 2); /* two workers: two each */
	assert_int_equal(pick(&a), PICK_OK);
	assert_int_equal(pick(&b), PICK_OK);
	assert_int_equal(pick(&c), PICK_WAIT);
	assert_int_equal(pick(&d), PICK_WAIT);
	run_for(20);
	assert_int_equal(c.told, 0);
	give_back(&a);
	assert_int_equal(c.told, 0); /* not from inside */
	assert_true(run_until(is_ok, &c, 1000));
	assert_int_equal(d.result, PICK_WAIT); /* one freed, one served: the one that waited longer */
	upstreams_wait_cancel(&d.waiter);
	upstreams_wait_cancel(&d.waiter);
	give_back(&b);
	give_back(&c);
	run_for(20);
	assert_int_equal(d.result, PICK_WAIT); /* gone from the queue */
	world_end();
}

/* A request that comes in the very turn in which a connection became free does not overtake those that wait.
 */
static void test_nobody_overtakes(void **state)
{
	struct request first = {0}, waiting = {0}, late = {0};

	(void)state;
	world_init();
	world_server("127.0.0.1:1001", "127.0.0.1", 1001)->max_connections = 1;
	world_begin(NULL, 1);
	assert_int_equal(pick(&first), PICK_OK);
	assert_int_equal(pick(&waiting), PICK_WAIT);
	give_back(&first);
	assert_int_equal(pick(&late), PICK_WAIT);
	assert_true(run_until(is_ok, &waiting, 1000));
	assert_int_equal(late.result, PICK_WAIT);
	give_back(&waiting);
	assert_true(run_until(is_ok, &late, 1000));
	give_back(&late);
	world_end();
}

static void test_limit_smaller_than_the_workers(void **state)
{
	struct request a = {0}, b = {0};

	(void)state;
	world_init();
	world_server("127.0.0.1:1001", "127.0.0.1", 1001)->max_connections = 3;
	world_begin(NULL, 8);
	assert_int_equal(pick(&a), PICK_OK); /* one each at least, or the worker could serve nobody */
	assert_int_equal(pick(&b), PICK_WAIT);
	upstreams_wait_cancel(&b.waiter);
	give_back(&a);
	world_end();
}

static void test_full_server_is_passed_over(void **state)
{
	struct request r[6] = {0};

	(void)state;
	three_servers(BALANCE_LEAST_CONN);
	world_servers[0].max_connections = 1;
	world_begin(NULL, 1);
	for (int i = 0; i < 6; i++)
		assert_int_equal(pick(&r[i]), PICK_OK);
	assert_int_equal(view_of(0).connections, 1);
	for (int i = 0; i < 6; i++)
		give_back(&r[i]);
	world_end();
}

static void test_sticky(void **state)
{
	struct request r = {0};
	struct sticky *sticky;

	(void)state;
	assert_int_equal(sticky_new(1000, &sticky), 0);
	three_servers(BALANCE_STICKY);
	world_begin(sticky, 1);
	assert_int_equal(pick(&r), PICK_OK); /* the request that begins the session */
	{
		unsigned home = r.lease.index;

		upstreams_stick(&r.lease, SLICE("session-1"));
		r.key.hash = SLICE("session-1");
		give_back(&r);
		for (int i = 0; i < 30; i++) {
			assert_int_equal(pick(&r), PICK_OK);
			assert_int_equal(r.lease.index, home);
			give_back(&r);
		}
		/* Failed for this request: better another server than none. */
		r.key.tried = 1ULL << home;
		r.key.since_ms = 0;
		fail_once(home);
		assert_int_equal(pick(&r), PICK_OK);
		assert_int_not_equal(r.lease.index, home);
		give_back(&r);
	}
	world_end();
	sticky_free(sticky);
}

/* The session lives there: a full server is waited for, others would not know it. */
static void test_sticky_waits_for_its_server(void **state)
{
	struct request a = {0}, b = {0};
	struct sticky *sticky;

	(void)state;
	assert_int_equal(sticky_new(1000, &sticky), 0);
	three_servers(BALANCE_STICKY);
	for (int i = 0; i < 3; i++)
		world_servers[i].max_connections = 1;
	world_begin(sticky, 1);
	assert_int_equal(pick(&a), PICK_OK);
	upstreams_stick(&a.lease, SLICE("s"));
	b.key.hash = SLICE("s");
	assert_int_equal(pick(&b), PICK_WAIT);
	give_back(&a);
	assert_true(run_until(is_ok, &b, 1000));
	give_back(&b);
	world_end();
	sticky_free(sticky);
}

/* A reload, or another worker, makes other `upstreams` of the same names: the session still finds its server.
 */
static void test_sticky_survives_a_reload(void **state)
{
	struct request r = {0};
	struct sticky *sticky;

	(void)state;
	assert_int_equal(sticky_new(1000, &sticky), 0);
	three_servers(BALANCE_STICKY);
	world_begin(sticky, 1);
	assert_int_equal(pick(&r), PICK_OK);
	upstreams_stick(&r.lease, SLICE("s"));
	{
		struct server_settings home = world_servers[r.lease.index];

		give_back(&r);
		world_end();
		world_servers[2] = home; /* in another place of the list */
		world_servers[0].address = (char *)"127.0.0.1:2001";
		world_servers[1].address = (char *)"127.0.0.1:2002";
	}
	world_begin(sticky, 1);
	r.key.hash = SLICE("s");
	for (int i = 0; i < 20; i++) {
		assert_int_equal(pick(&r), PICK_OK);
		assert_int_equal(r.lease.index, 2);
		give_back(&r);
	}
	world_end();
	sticky_free(sticky);
}

static void test_sticky_without_a_table(void **state)
{
	struct request r = {.key.hash = SLICE("s")};

	(void)state;
	three_servers(BALANCE_STICKY);
	world_begin(NULL, 1);
	assert_int_equal(pick(&r), PICK_OK);
	upstreams_stick(&r.lease, SLICE("s"));
	give_back(&r);
	world_end();
}

static void test_retired(void **state)
{
	struct request r = {0}, w = {0};

	(void)state;
	world_init();
	world_server("127.0.0.1:1001", "127.0.0.1", 1001)->max_connections = 1;
	world_begin(NULL, 1);
	assert_int_equal(pick(&r), PICK_OK);
	assert_int_equal(pick(&w), PICK_WAIT);
	upstreams_retire(upstreams);
	give_back(&r); /* requests that began before the reload go on */
	assert_true(run_until(is_ok, &w, 1000));
	give_back(&w);
	world_end();
}

static void test_too_many_servers(void **state)
{
	static struct server_settings many[65];

	(void)state;
	world_init();
	for (size_t i = 0; i < ARRAY_LEN(many); i++)
		many[i] = (struct server_settings){.address = (char *)"127.0.0.1:1",
			.host = (char *)"127.0.0.1",
			.port = 1,
			.weight = 1};
	world_upstream.servers = many;
	world_upstream.nservers = 65;
	assert_int_equal(upstreams_new(loop, &world_settings, NULL, 1, &upstreams), -E2BIG);
	assert_null(upstreams);
	world_upstream.nservers = 64;
	world_begin(NULL, 1);
	{
		struct request r = {.key.tried = ~(1ULL << 63)};

		assert_int_equal(pick(&r), PICK_OK);
		assert_int_equal(r.lease.index, 63);
		give_back(&r);
	}
	world_end();
}

static void test_no_memory(void **state)
{
	long n;

	(void)state;
	alloc_fail_needed();
	three_servers(BALANCE_LEAST_CONN);
	world_server("app.test:80", "app.test", 80); /* a name: the resolver too */
	world_upstream.health.on = true;
	world_settings.resolver = (char *)"127.0.0.1:1";
	for (n = 1; n < 1000; n++) {
		int err;

		alloc_fail_at(n);
		err = upstreams_new(loop, &world_settings, NULL, 1, &upstreams);
		if (!err && !alloc_fail_hit())
			break;
		alloc_fail_at(0);
		if (!err)
			world_end(); /* c-ares did without */
		assert_int_equal(world_settings.refs, 1);
	}
	alloc_fail_at(0);
	assert_in_range(n, 10, 999);
	world_end();
}

/* A pick allocates nothing. */
static void test_pick_takes_no_memory(void **state)
{
	(void)state;
	alloc_fail_needed();
	three_servers(BALANCE_LEAST_CONN);
	world_begin(NULL, 1);
	alloc_fail_at(1);
	for (int i = 0; i < 100; i++) {
		struct request r = {0};

		assert_int_equal(pick(&r), PICK_OK);
		upstreams_worked(&r.lease);
		upstreams_return(&r.lease, i % 5 ? LEASE_CLOSED : LEASE_FAILED, -1);
	}
	assert_false(alloc_fail_hit());
	alloc_fail_at(0);
	world_end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		LOOP_TEST(test_lease_and_return),
		LOOP_TEST(test_least_conn),
		LOOP_TEST(test_round_robin),
		LOOP_TEST(test_hash),
		LOOP_TEST(test_tried_servers),
		LOOP_TEST(test_limit_makes_wait),
		LOOP_TEST(test_nobody_overtakes),
		LOOP_TEST(test_limit_smaller_than_the_workers),
		LOOP_TEST(test_full_server_is_passed_over),
		LOOP_TEST(test_sticky),
		LOOP_TEST(test_sticky_waits_for_its_server),
		LOOP_TEST(test_sticky_survives_a_reload),
		LOOP_TEST(test_sticky_without_a_table),
		LOOP_TEST(test_retired),
		LOOP_TEST(test_too_many_servers),
		LOOP_TEST(test_no_memory),
		LOOP_TEST(test_pick_takes_no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
