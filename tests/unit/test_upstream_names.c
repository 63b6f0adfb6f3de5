/* Servers that are names: with a DNS server of the test's own. */
#include "loop_world.h"
#include "dns_server.h"
#include "upstream_world.h"

static struct dns_server dns;
static struct origin origin;
static size_t zero;

static struct {
	unsigned count;
	bool up;
	char why[192];
} notices;

static void on_notice(void *arg, const struct server *s, bool up, const char *why)
{
	(void)arg;
	(void)s;
	notices.count++;
	notices.up = up;
	snprintf(notices.why, sizeof(notices.why), "%s", why);
}

/* One server, `z->name`, at the origin's port. */
static void begin(struct dns_zone *z)
{
	static char address[64];

	dns_start(&dns, z, 1);
	origin_start(&origin);
	world_init();
	world_settings.resolver = dns.address;
	snprintf(address, sizeof(address), "%s:%u", z->name, port_of(origin.address));
	world_server(address, z->name, port_of(origin.address));
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
	dns_stop(&dns);
}

static bool is_resolved(void *arg)
{
	return view_of(*(size_t *)arg).resolved;
}

static bool was_told(void *arg)
{
	return ((struct request *)arg)->told > 0;
}

static bool noticed(void *arg)
{
	(void)arg;
	return notices.count > 0;
}

static void give_back(struct request *r)
{
	upstreams_return(&r->lease, LEASE_CLOSED, -1);
}

/* The address that a pick gives, without its port. */
static const char *picked(struct request *r)
{
	static char text[ADDR_TEXT_MAX];

	assert_int_equal(pick(r), PICK_OK);
	addr_format_ip(&r->lease.addr, text);
	return text;
}

static void test_request_waits_for_the_name(void **state)
{
	struct dns_zone z = {.name = "app.test", .v4 = {"127.0.0.1"}, .ttl = 60};
	struct request r = {0};
	int fd;

	(void)state;
	begin(&z);
	start();
	assert_false(view_of(0).resolved);
	assert_int_equal(pick(&r), PICK_WAIT);
	assert_true(run_until(is_ok, &r, 3000));
	assert_int_equal(r.told, 1);
	fd = dial_lease(&r);
	assert_true(run_until(fd_connected, &fd, 1000));
	close(fd);
	give_back(&r);
	end();
}

static void test_no_such_name(void **state)
{
	struct dns_zone z = {.name = "app.test", .mode = DNS_NXDOMAIN, .v4 = {"127.0.0.1"}, .ttl = 60};
	struct request r = {0};

	(void)state;
	begin(&z);
	start();
	assert_int_equal(pick(&r), PICK_WAIT);
	assert_true(run_until(was_told, &r, 3000));
	assert_int_equal(r.result, PICK_NONE);
	assert_string_equal(notices.why, "name lookup: Domain name not found; no address yet");
	assert_false(notices.up);
	assert_false(view_of(0).up);
	z.mode = DNS_ANSWER; /* found a second later, without being asked for */
	assert_true(run_until(is_resolved, &zero, 3000));
	assert_int_equal(notices.count, 2);
	assert_string_equal(notices.why, "the name lookup works again");
	assert_true(notices.up);
	assert_int_equal(pick(&r), PICK_OK);
	give_back(&r);
	end();
}

static void test_addresses_rotate(void **state)
{
	struct dns_zone z = {.name = "app.test", .v4 = {"127.0.0.1", "127.0.0.2"}, .v6 = {"::1"}, .ttl = 60};
	unsigned first = 0, second = 0, sixth = 0;

	(void)state;
	begin(&z);
	start();
	assert_true(run_until(is_resolved, &zero, 3000));
	for (int i = 0; i < 9; i++) {
		struct request r = {0};
		const char *ip = picked(&r);

		first += strcmp(ip, "127.0.0.1") == 0;
		second += strcmp(ip, "127.0.0.2") == 0;
		sixth += strcmp(ip, "::1") == 0;
		give_back(&r);
	}
	assert_int_equal(first, 3);
	assert_int_equal(second, 3);
	assert_int_equal(sixth, 3);
	end();
}

/* localhost is two addresses and the application listens on one: the same request goes on to the other, the
 * server has not failed, and later requests do not stumble again. */
static void test_one_address_refuses(void **state)
{
	struct dns_zone z = {.name = "app.test", .v4 = {"127.0.0.1"}, .v6 = {"::1"}, .ttl = 60};
	struct request r = {0};

	(void)state;
	begin(&z);
	start();
	assert_true(run_until(is_resolved, &zero, 3000));
	r.key.since_ms = loop_now_ms(loop);
	for (int i = 0; i < 2; i++) {
		if (strcmp(picked(&r), "::1") != 0) {
			upstreams_worked(&r.lease);
			give_back(&r);
			continue;
		}
		upstreams_return(&r.lease, LEASE_FAILED, -1);
		r.key.tried = 1;
		assert_string_equal(picked(&r), "127.0.0.1");
		upstreams_worked(&r.lease);
		give_back(&r);
		r.key.tried = 0;
		break;
	}
	assert_int_equal(view_of(0).failures, 1);
	assert_true(view_of(0).up);
	for (int i = 0; i < 10; i++) {
		assert_string_equal(picked(&r), "127.0.0.1");
		give_back(&r);
	}
	end();
}

/* Every address failed earlier and the application has come back on one: a request tries them all before it
 * gives up. */
static void test_each_address_once_per_request(void **state)
{
	struct dns_zone z = {.name = "app.test", .v4 = {"127.0.0.1", "127.0.0.2", "127.0.0.3"}, .ttl = 60};
	unsigned seen = 0, tries = 0;
	struct request r = {0};

	(void)state;
	begin(&z);
	start();
	assert_true(run_until(is_resolved, &zero, 3000));
	for (int i = 0; i < 3; i++)
		fail_once(0);
	run_for(20);
	r.key.since_ms = loop_now_ms(loop);
	for (; pick(&r) == PICK_OK; tries++) {
		char text[ADDR_TEXT_MAX];

		assert_in_range(tries, 0, 2);
		seen |= 1u << (addr_format_ip(&r.lease.addr, text)[8] - '1');
		upstreams_return(&r.lease, LEASE_FAILED, -1);
		r.key.tried = 1;
	}
	assert_int_equal(r.result, PICK_NONE);
	assert_int_equal(tries, 3);
	assert_int_equal(seen, 7);
	end();
}

/* A failure of the address `ip`, as a stream that dialled it would report. */
static void fail_address(const char *ip)
{
	struct request r = {0};
	char text[ADDR_TEXT_MAX];

	assert_int_equal(pick(&r), PICK_OK);
	snprintf(text, sizeof(text), "%s:%u", ip, port_of(origin.address));
	assert_int_equal(addr_parse(text, &r.lease.addr), 0);
	upstreams_return(&r.lease, LEASE_FAILED, -1);
}

/* The second try of a request goes to the address that it has not had, though its own failed one is next in
 * turn. */
static void test_second_try_is_another_address(void **state)
{
	struct dns_zone z = {.name = "app.test", .v4 = {"127.0.0.1", "127.0.0.2"}, .ttl = 60};

	(void)state;
	begin(&z);
	start();
	assert_true(run_until(is_resolved, &zero, 3000));
	for (int i = 0; i < 4; i++) { /* both parities of the rotation */
		struct request r = {0}, other = {0};
		char first[ADDR_TEXT_MAX];

		fail_address("127.0.0.1");
		fail_address("127.0.0.2");
		run_for(20);
		r.key.since_ms = loop_now_ms(loop);
		snprintf(first, sizeof(first), "%s", picked(&r));
		upstreams_return(&r.lease, LEASE_FAILED, -1);
		r.key.tried = 1;
		assert_string_not_equal(picked(&other), first); /* somebody else moves the rotation on */
		give_back(&other);
		assert_string_not_equal(picked(&r), first);
		give_back(&r);
		assert_int_equal(pick(&other), PICK_OK);
		give_back(&other);
	}
	end();
}

/* What a health check found working is in the rotation again, without a request that has to try it. */
static void test_health_check_clears_an_address(void **state)
{
	struct dns_zone z = {.name = "app.test", .v4 = {"127.0.0.1", "127.0.0.2"}, .ttl = 60};
	unsigned dials = 0;

	(void)state;
	begin(&z);
	origin_stop(&origin);
	origin_listen(&origin, "0.0.0.0:0"); /* both addresses */
	world_servers[0].port = port_of(origin.address);
	origin.reply = "HTTP/1.1 200 OK\r\n\r\n";
	world_upstream.health.on = true;
	start();
	assert_true(run_until(is_resolved, &zero, 3000));
	fail_address("127.0.0.2");
	run_for(1500);
	for (int i = 0; i < 6; i++) {
		struct request r = {0};

		dials += strcmp(picked(&r), "127.0.0.2") == 0;
		give_back(&r);
	}
	assert_int_equal(dials, 3);
	end();
}

static void test_new_address_after_the_ttl(void **state)
{
	struct dns_zone z = {.name = "app.test", .v4 = {"127.0.0.1"}, .ttl = 1};
	struct request r = {0};
	unsigned queries;

	(void)state;
	begin(&z);
	start();
	assert_int_equal(pick(&r), PICK_WAIT);
	assert_true(run_until(is_ok, &r, 3000));
	give_back(&r);
	keep_one(&r);
	assert_int_equal(view_of(0).idle, 1);
	z.v4[0] = "127.0.0.5";
	queries = z.queries;
	run_for(1400);
	assert_true(z.queries > queries);
	assert_string_equal(picked(&r), "127.0.0.5");
	assert_int_equal(r.lease.idle_fd, -1); /* the one to the old address is gone */
	assert_int_equal(view_of(0).idle, 0);
	give_back(&r);
	end();
}

/* The DNS server loses the name, or dies: what was known last goes on being used. */
static void test_last_good_addresses_are_kept(void **state)
{
	struct dns_zone z = {.name = "app.test", .v4 = {"127.0.0.1"}, .ttl = 1};
	struct request r = {0};

	(void)state;
	begin(&z);
	start();
	assert_true(run_until(is_resolved, &zero, 3000));
	keep_one(&r);
	z.mode = DNS_NXDOMAIN;
	assert_true(run_until(noticed, NULL, 4000));
	assert_string_equal(
		notices.why, "name lookup: Domain name not found; the last good addresses are kept");
	assert_true(notices.up);
	assert_true(view_of(0).resolved);
	assert_int_equal(view_of(0).idle, 1);
	assert_string_equal(picked(&r), "127.0.0.1");
	upstreams_return(&r.lease, LEASE_REUSE, r.lease.idle_fd);
	run_for(1400);
	assert_int_equal(notices.count, 1); /* the next failure is no news */
	end();
}

static bool three_checks(void *arg)
{
	(void)arg;
	return view_of(0).checks >= 3;
}

/* A check fails only when no address of the name works. */
static void test_health_over_several_addresses(void **state)
{
	struct dns_zone z = {.name = "app.test", .v4 = {"127.0.0.9", "127.0.0.1", "127.0.0.8"}, .ttl = 60};

	(void)state;
	begin(&z);
	origin.reply = "HTTP/1.1 200 OK\r\n\r\n";
	world_upstream.health.on = true;
	world_upstream.health.fall = 1;
	start();
	assert_true(run_until(three_checks, NULL, 5000));
	run_for(50);
	assert_true(view_of(0).up);
	/* The checks found out which address works, so no request has to. */
	for (int i = 0; i < 5; i++) {
		struct request r = {0};

		assert_string_equal(picked(&r), "127.0.0.1");
		give_back(&r);
	}
	origin_stop(&origin);
	assert_true(run_until(is_down, &zero, 5000));
	end();
}

static void test_other_servers_do_not_wait(void **state)
{
	struct dns_zone z = {.name = "app.test", .mode = DNS_SILENT};
	struct request r = {0};

	(void)state;
	begin(&z);
	world_server("127.0.0.1:1001", "127.0.0.1", 1001);
	start();
	for (int i = 0; i < 5; i++) {
		assert_int_equal(pick(&r), PICK_OK);
		assert_int_equal(r.lease.index, 1);
		give_back(&r);
	}
	end();
}

static void test_freed_and_retired_while_resolving(void **state)
{
	struct dns_zone z = {.name = "app.test", .mode = DNS_SILENT};
	struct request r = {0};

	(void)state;
	begin(&z);
	start();
	assert_int_equal(pick(&r), PICK_WAIT);
	run_for(30);
	upstreams_wait_cancel(&r.waiter);
	end();
	run_for(30);
	assert_int_equal(r.told, 0);
	z = (struct dns_zone){.name = "app.test", .v4 = {"127.0.0.1"}, .ttl = 60};
	begin(&z);
	start();
	memset(&r, 0, sizeof(r));
	assert_int_equal(pick(&r), PICK_WAIT);
	upstreams_retire(upstreams); /* a reload: the request still gets its answer */
	assert_true(run_until(is_ok, &r, 3000));
	give_back(&r);
	end();
}

static void test_ipv6_literal(void **state)
{
	struct request r = {0};
	char text[ADDR_TEXT_MAX];

	(void)state;
	world_init();
	world_server("[::1]:8080", "::1", 8080);
	start();
	assert_int_equal(pick(&r), PICK_OK);
	assert_string_equal(addr_format(&r.lease.addr, text), "[::1]:8080");
	give_back(&r);
	world_end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		LOOP_TEST(test_request_waits_for_the_name),
		LOOP_TEST(test_no_such_name),
		LOOP_TEST(test_addresses_rotate),
		LOOP_TEST(test_one_address_refuses),
		LOOP_TEST(test_each_address_once_per_request),
		LOOP_TEST(test_second_try_is_another_address),
		LOOP_TEST(test_health_check_clears_an_address),
		LOOP_TEST(test_new_address_after_the_ttl),
		LOOP_TEST(test_last_good_addresses_are_kept),
		LOOP_TEST(test_health_over_several_addresses),
		LOOP_TEST(test_other_servers_do_not_wait),
		LOOP_TEST(test_freed_and_retired_while_resolving),
		LOOP_TEST(test_ipv6_literal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
