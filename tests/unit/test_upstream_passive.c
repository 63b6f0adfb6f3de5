/* What requests' failures do to a server, without health checks. Nothing is dialled here. */
#include "loop_world.h"
#include "upstream_world.h"

static void give_back(struct request *r)
{
	upstreams_return(&r->lease, LEASE_CLOSED, -1);
}

static void three_servers(void)
{
	world_init();
	world_upstream.balance = BALANCE_ROUND_ROBIN;
	world_server("127.0.0.1:1001", "127.0.0.1", 1001);
	world_server("127.0.0.1:1002", "127.0.0.1", 1002);
	world_server("127.0.0.1:1003", "127.0.0.1", 1003);
}

static struct {
	unsigned up, down;
	char why[192];
} notices;

static void on_notice(void *arg, const struct server *s, bool up, const char *why)
{
	assert_ptr_equal(arg, &notices);
	assert_non_null(server_address(s));
	notices.up += up;
	notices.down += !up;
	snprintf(notices.why, sizeof(notices.why), "%s", why);
}

static void test_three_failures_put_it_down(void **state)
{
	size_t first = 0;
	uint64_t down_ns;

	(void)state;
	three_servers();
	world_begin(NULL, 1);
	memset(&notices, 0, sizeof(notices));
	upstreams_set_notice(upstreams, on_notice, &notices);
	fail_once(0);
	fail_once(0);
	assert_true(view_of(0).up);
	fail_once(0);
	down_ns = clock_mono_ns();
	assert_false(view_of(0).up);
	assert_int_equal(view_of(0).failures, 3);
	assert_int_equal(notices.down, 1);
	assert_string_equal(notices.why, "3 requests in a row failed to connect or got no response head");
	for (int i = 0; i < 10; i++) {
		struct request r = {0};

		assert_int_equal(pick(&r), PICK_OK);
		assert_int_not_equal(r.lease.index, 0);
		give_back(&r);
	}
	/* After about a second it is tried again, and one failure is enough now, for about two. */
	assert_true(run_until(is_up, &first, 3000));
	assert_true(clock_mono_ns() - down_ns >= 800 * NS_PER_MS);
	fail_once(0);
	assert_false(view_of(0).up);
	assert_int_equal(notices.down, 1); /* no news */
	run_for(1300);
	assert_false(view_of(0).up);
	assert_true(run_until(is_up, &first, 3000));
	{
		struct request r = {.key.tried = ~1ULL};

		assert_int_equal(pick(&r), PICK_OK);
		upstreams_worked(&r.lease);
		give_back(&r);
	}
	assert_int_equal(notices.up, 1);
	fail_once(0); /* forgiven: a single failure is nothing again */
	assert_true(view_of(0).up);
	world_end();
}

/* Requests that were under way together fail together: that is one bad moment, not a long record. */
static void test_failures_at_once(void **state)
{
	struct request r[20] = {0};
	size_t first = 0;

	(void)state;
	three_servers();
	world_begin(NULL, 1);
	for (size_t i = 0; i < ARRAY_LEN(r); i++) {
		r[i].key.tried = ~1ULL;
		assert_int_equal(pick(&r[i]), PICK_OK);
	}
	for (size_t i = 0; i < ARRAY_LEN(r); i++)
		upstreams_return(&r[i].lease, LEASE_FAILED, -1);
	assert_int_equal(view_of(0).failures, ARRAY_LEN(r));
	assert_true(run_until(is_up, &first, 1300));
	fail_once(0);
	assert_false(view_of(0).up);
	assert_true(run_until(is_up, &first, 2500)); /* the second rest, not the last */
	world_end();
}

static void test_success_between_failures(void **state)
{
	(void)state;
	three_servers();
	world_begin(NULL, 1);
	for (int i = 0; i < 5; i++) {
		struct request r = {.key.tried = ~1ULL};

		fail_once(0);
		fail_once(0);
		assert_int_equal(pick(&r), PICK_OK);
		upstreams_worked(&r.lease);
		give_back(&r);
	}
	assert_true(view_of(0).up);
	assert_int_equal(view_of(0).failures, 10);
	world_end();
}

/* Only a request knows whether the last server works again: it is asked rather than refused. */
static void test_all_resting_is_a_last_resort(void **state)
{
	struct request r = {0};

	(void)state;
	world_init();
	world_server("127.0.0.1:1001", "127.0.0.1", 1001);
	world_begin(NULL, 1);
	for (int i = 0; i < 3; i++)
		fail_once(0);
	assert_false(view_of(0).up);
	assert_int_equal(pick(&r), PICK_OK);
	upstreams_return(&r.lease, LEASE_FAILED, -1);
	r.key = (struct pick_key){.tried = 1, .since_ms = loop_now_ms(loop)};
	assert_int_equal(pick(&r), PICK_NONE); /* once per request */
	world_end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		LOOP_TEST(test_three_failures_put_it_down),
		LOOP_TEST(test_failures_at_once),
		LOOP_TEST(test_success_between_failures),
		LOOP_TEST(test_all_resting_is_a_last_resort),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
