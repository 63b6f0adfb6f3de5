/* Active health checks, against a real listener that answers what it is told. */
#include "loop_world.h"
#include "upstream_world.h"

#define OK_HEAD "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"

static struct origin origin;
static size_t zero;

static struct {
	unsigned up, down;
	char why[192];
} notices;

static void on_notice(void *arg, const struct server *s, bool up, const char *why)
{
	(void)arg;
	(void)s;
	notices.up += up;
	notices.down += !up;
	snprintf(notices.why, sizeof(notices.why), "%s", why);
}

static void begin(const char *reply)
{
	origin_start(&origin);
	origin.reply = reply;
	world_init();
	world_origin(&origin);
	world_upstream.health.on = true;
	memset(&notices, 0, sizeof(notices));
}

static void start(void)
{
	world_begin(NULL, 1);
	upstreams_set_notice(upstreams, on_notice, NULL);
}

static void end(void)
{
	world_end();
	origin_stop(&origin);
}

static bool four_checks(void *arg)
{
	(void)arg;
	return view_of(0).checks >= 4 && origin.closed >= 3;
}

/* What the server answers keeps it up. */
static void stays_up(const char *reply)
{
	begin(reply);
	start();
	assert_true(run_until(four_checks, NULL, 5000));
	assert_true(view_of(0).up);
	assert_int_equal(notices.down, 0);
	end();
}

/* It puts the server down after two checks, and `why` says so. */
static void goes_down(const char *reply, const char *why)
{
	begin(reply);
	start();
	assert_true(run_until(is_down, &zero, 5000));
	assert_int_equal(notices.down, 1);
	assert_string_equal(notices.why, why);
	assert_int_equal(view_of(0).checks, 2);
	end();
}

static void test_endless_stream_passes(void **state)
{
	(void)state;
	stays_up(OK_HEAD "data: 1\n\n");
	assert_non_null(strstr(origin.request, "GET /healthz HTTP/1.1\r\n"));
	assert_non_null(strstr(origin.request, "\r\nConnection: close\r\n"));
}

static void test_redirect_passes(void **state)
{
	(void)state;
	stays_up("HTTP/1.1 302 Found\r\nLocation: /login\r\nContent-Length: 0\r\n\r\n");
}

static void test_interim_heads_are_passed_over(void **state)
{
	(void)state;
	stays_up("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n" OK_HEAD);
}

static void test_status_outside_the_range(void **state)
{
	(void)state;
	goes_down("HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n",
		"health check failed 2 times in a row: status 503");
	goes_down("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n",
		"health check failed 2 times in a row: status 404");
	goes_down("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n",
		"health check failed 2 times in a row: status 101");
}

static void test_malformed_head(void **state)
{
	(void)state;
	begin("I am no HTTP server\r\n\r\n");
	start();
	assert_true(run_until(is_down, &zero, 5000));
	assert_non_null(strstr(notices.why, "malformed response head ("));
	end();
}

static void test_closed_before_the_head(void **state)
{
	(void)state;
	begin(NULL);
	origin.hang_up = true;
	start();
	assert_true(run_until(is_down, &zero, 5000));
	/* A reset where the request was already there unread. */
	assert_true(strstr(notices.why, "closed before a response head") ||
		    strstr(notices.why, "Connection reset by peer"));
	end();
}

static void test_silent_server(void **state)
{
	uint64_t start_ns = clock_mono_ns();

	(void)state;
	goes_down(NULL, "health check failed 2 times in a row: no response head in time");
	assert_true(clock_mono_ns() - start_ns >= 600 * NS_PER_MS);
}

/* The head must come whole, not only begin. */
static void test_unfinished_head(void **state)
{
	(void)state;
	goes_down("HTTP/1.1 200 OK\r\nContent-Ty",
		"health check failed 2 times in a row: no response head in time");
}

static void test_head_in_two_pieces(void **state)
{
	(void)state;
	begin("HTTP/1.1 200 OK\r\nX: 1\r");
	origin.reply_more = "\n\r\ndata: x\n\n";
	start();
	assert_true(run_until(four_checks, NULL, 5000));
	assert_true(view_of(0).up);
	end();
}

static void test_endless_head(void **state)
{
	static char flood[80 * 1024];

	(void)state;
	memset(flood, 'x', sizeof(flood) - 1);
	memcpy(flood, "HTTP/1.1 200 OK\r\nX: ", 20);
	begin(flood);
	start();
	assert_true(run_until(is_down, &zero, 5000));
	assert_non_null(strstr(notices.why, "malformed response head ("));
	end();
}

/* Nobody listens, then somebody does: `fall` and `rise` count. */
static void test_down_and_up_again(void **state)
{
	char address[ADDR_TEXT_MAX];
	struct request r = {0};

	(void)state;
	begin(OK_HEAD);
	snprintf(address, sizeof(address), "%s", origin.address);
	origin_stop(&origin);
	start();
	assert_int_equal(pick(&r), PICK_OK); /* up until shown otherwise */
	upstreams_return(&r.lease, LEASE_CLOSED, -1);
	assert_true(run_until(is_down, &zero, 5000));
	assert_int_equal(view_of(0).checks, 2);
	assert_string_equal(notices.why, "health check failed 2 times in a row: connect: Connection refused");
	assert_int_equal(pick(&r), PICK_NONE); /* said by a check: no last resort */
	origin_listen(&origin, address);
	assert_true(run_until(is_up, &zero, 5000));
	assert_int_equal(notices.up, 1);
	assert_string_equal(notices.why, "health check passed 2 times in a row: 200");
	assert_int_equal(pick(&r), PICK_OK);
	upstreams_return(&r.lease, LEASE_CLOSED, -1);
	end();
}

static bool eight_checks(void *arg)
{
	(void)arg;
	return view_of(0).checks >= 8;
}

/* `fall` and `rise` mean in a row: a server that fails every other check stays what it was. */
static void test_every_other_check(void **state)
{
	(void)state;
	begin(OK_HEAD);
	origin.reply_odd = "HTTP/1.1 500 Oops\r\n\r\n";
	start();
	assert_true(run_until(eight_checks, NULL, 5000));
	assert_int_equal(notices.down, 0);
	origin.reply = origin.reply_odd;
	assert_true(run_until(is_down, &zero, 5000));
	origin.reply = OK_HEAD;
	run_for(800);
	assert_int_equal(notices.up, 0);
	end();
}

/* A waiter of a server that goes down is told, instead of waiting for a connection that will not come free.
 */
static void test_waiter_of_a_server_that_goes_down(void **state)
{
	struct request a = {0}, b = {0};

	(void)state;
	begin("HTTP/1.1 500 Oops\r\n\r\n");
	world_servers[0].max_connections = 1;
	start();
	assert_int_equal(pick(&a), PICK_OK);
	assert_int_equal(pick(&b), PICK_WAIT);
	assert_true(run_until(is_down, &zero, 5000));
	run_for(20);
	assert_int_equal(b.told, 1);
	assert_int_equal(b.result, PICK_NONE);
	upstreams_return(&a.lease, LEASE_CLOSED, -1);
	end();
}

/* Checks that pass take back what requests met before. */
static void test_checks_end_a_rest(void **state)
{
	(void)state;
	begin(OK_HEAD);
	start();
	for (int i = 0; i < 3; i++)
		fail_once(0);
	assert_false(view_of(0).up);
	assert_true(run_until(is_up, &zero, 700)); /* the rest alone is a second, less an eighth */
	assert_string_equal(notices.why, "health checks pass");
	end();
}

static void test_status_range_and_host(void **state)
{
	(void)state;
	begin("HTTP/1.1 418 Teapot\r\nContent-Length: 0\r\n\r\n");
	world_upstream.health.status_min = world_upstream.health.status_max = 418;
	world_upstream.health.host = (char *)"app.example";
	start();
	assert_true(run_until(four_checks, NULL, 5000));
	assert_true(view_of(0).up);
	assert_non_null(strstr(origin.request, "\r\nHost: app.example\r\n"));
	end();
}

static void test_checks_stop(void **state)
{
	uint64_t checks;

	(void)state;
	begin(NULL);
	start();
	run_for(1150); /* the first check is under way, or between */
	upstreams_retire(upstreams);
	checks = view_of(0).checks;
	assert_true(checks > 0);
	run_for(500);
	assert_int_equal(view_of(0).checks, checks);
	assert_int_equal(origin.closed, origin.accepted);
	end();
	begin(NULL);
	world_upstream.health.on = false;
	start();
	run_for(1200);
	assert_int_equal(view_of(0).checks, 0);
	assert_int_equal(origin.accepted, 0);
	end();
}

static void test_freed_in_a_check(void **state)
{
	(void)state;
	begin(NULL);
	world_upstream.health.timeout_ms = 10000;
	start();
	run_for(1100);
	assert_int_equal(origin.accepted, 1);
	world_end();
	run_for(30);
	assert_int_equal(origin.closed, 1);
	origin_stop(&origin);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		LOOP_TEST(test_endless_stream_passes),
		LOOP_TEST(test_redirect_passes),
		LOOP_TEST(test_interim_heads_are_passed_over),
		LOOP_TEST(test_status_outside_the_range),
		LOOP_TEST(test_malformed_head),
		LOOP_TEST(test_closed_before_the_head),
		LOOP_TEST(test_silent_server),
		LOOP_TEST(test_unfinished_head),
		LOOP_TEST(test_head_in_two_pieces),
		LOOP_TEST(test_endless_head),
		LOOP_TEST(test_down_and_up_again),
		LOOP_TEST(test_every_other_check),
		LOOP_TEST(test_waiter_of_a_server_that_goes_down),
		LOOP_TEST(test_checks_end_a_rest),
		LOOP_TEST(test_status_range_and_host),
		LOOP_TEST(test_checks_stop),
		LOOP_TEST(test_freed_in_a_check),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
