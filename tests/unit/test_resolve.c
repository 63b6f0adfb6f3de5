/* Names against a DNS server of the test's own, in the loop that resolves them. */
#include "upstream/resolve.h"
#include "alloc_fail.h"
#include "loop_world.h"
#include "dns_server.h"
#include "net/addr.h"

/* One watched name and what it was told. */
struct watch {
	struct name name;
	unsigned answers, failures;
	char text[RESOLVE_MAX_ADDRESSES + 1][ADDR_TEXT_MAX]; /* of the last good answer */
	size_t n;
	char why[128];
	uint64_t at_ms; /* of the last call */
};

static void on_answer(struct name *name, const struct sockaddr_any *list, size_t n, const char *why)
{
	struct watch *w = container_of(name, struct watch, name);

	w->at_ms = loop_now_ms(loop);
	if (!n) {
		w->failures++;
		snprintf(w->why, sizeof(w->why), "%s", why);
		return;
	}
	assert_null(why);
	w->answers++;
	w->n = n;
	for (size_t i = 0; i < n; i++)
		addr_format(&list[i], w->text[i]);
}

static void watch(struct resolver *r, struct watch *w, const char *host)
{
	memset(w, 0, sizeof(*w));
	w->name = (struct name){.host = host, .port = 8080, .on_answer = on_answer};
	resolver_watch(r, &w->name);
	assert_int_equal(w->answers + w->failures, 0); /* never from inside */
}

static bool has(const struct watch *w, const char *text)
{
	for (size_t i = 0; i < w->n; i++)
		if (strcmp(w->text[i], text) == 0)
			return true;
	return false;
}

static bool answered(void *arg)
{
	return ((struct watch *)arg)->answers > 0;
}

static bool answered_twice(void *arg)
{
	return ((struct watch *)arg)->answers > 1;
}

static bool failed(void *arg)
{
	return ((struct watch *)arg)->failures > 0;
}

static bool ended(void *arg)
{
	return answered(arg) || failed(arg);
}

static bool failed_twice(void *arg)
{
	return ((struct watch *)arg)->failures > 1;
}

static struct dns_server dns;
static struct resolver *resolver;
static struct watch one, two;

static void begin(struct dns_zone *zones, size_t n, unsigned timeout_ms)
{
	dns_start(&dns, zones, n);
	assert_int_equal(resolver_new(loop, dns.address, timeout_ms, &resolver), 0);
}

static void end(void)
{
	resolver_free(resolver);
	resolver = NULL;
	dns_stop(&dns);
}

static void test_both_families(void **state)
{
	struct dns_zone z = {
		.name = "app.test", .v4 = {"192.0.2.1", "192.0.2.2"}, .v6 = {"2001:db8::1"}, .ttl = 60};

	(void)state;
	begin(&z, 1, 1000);
	watch(resolver, &one, "app.test");
	assert_true(run_until(answered, &one, 3000));
	assert_int_equal(one.n, 3);
	assert_true(has(&one, "192.0.2.1:8080"));
	assert_true(has(&one, "192.0.2.2:8080"));
	assert_true(has(&one, "[2001:db8::1]:8080"));
	assert_int_equal(z.queries, 2);
	end();
}

/* TTL 0 counts as 1 s: asked again, and the change is seen. */
static void test_asked_again_when_the_ttl_is_over(void **state)
{
	struct dns_zone z = {.name = "app.test", .v4 = {"192.0.2.1"}, .ttl = 0};
	uint64_t first;

	(void)state;
	begin(&z, 1, 1000);
	watch(resolver, &one, "app.test");
	assert_true(run_until(answered, &one, 3000));
	assert_true(has(&one, "192.0.2.1:8080"));
	first = one.at_ms;
	z.v4[0] = "192.0.2.77";
	assert_true(run_until(answered_twice, &one, 3000));
	assert_true(one.at_ms - first >= 1000);
	assert_int_equal(one.n, 1);
	assert_true(has(&one, "192.0.2.77:8080"));
	end();
}

static void test_not_asked_before_the_ttl_is_over(void **state)
{
	struct dns_zone z = {.name = "app.test", .v4 = {"192.0.2.1"}, .ttl = 3};

	(void)state;
	begin(&z, 1, 1000);
	watch(resolver, &one, "app.test");
	assert_true(run_until(answered, &one, 3000));
	run_for(1500);
	assert_int_equal(one.answers, 1);
	assert_int_equal(z.queries, 2);
	end();
}

/* The TTL of an alias counts as well as that of the address. */
static void test_alias_with_a_shorter_ttl(void **state)
{
	struct dns_zone z = {
		.name = "app.test", .v4 = {"192.0.2.1"}, .ttl = 300, .cname = "real.test", .cname_ttl = 1};

	(void)state;
	begin(&z, 1, 1000);
	watch(resolver, &one, "app.test");
	assert_true(run_until(answered_twice, &one, 3000));
	assert_true(has(&one, "192.0.2.1:8080"));
	end();
}

static void test_no_such_name_then_it_exists(void **state)
{
	struct dns_zone z = {.name = "app.test", .mode = DNS_NXDOMAIN, .v4 = {"192.0.2.1"}, .ttl = 60};
	uint64_t first;

	(void)state;
	begin(&z, 1, 1000);
	watch(resolver, &one, "app.test");
	assert_true(run_until(failed, &one, 3000));
	assert_string_equal(one.why, "Domain name not found");
	first = one.at_ms;
	z.mode = DNS_ANSWER;
	assert_true(run_until(answered, &one, 3000));
	assert_true(one.at_ms - first >= 800); /* backed off */
	end();
}

static void test_name_without_addresses(void **state)
{
	struct dns_zone z = {.name = "app.test", .ttl = 60};

	(void)state;
	begin(&z, 1, 1000);
	watch(resolver, &one, "app.test");
	assert_true(run_until(failed, &one, 3000));
	assert_int_equal(one.answers, 0);
	end();
}

static void test_server_failure(void **state)
{
	struct dns_zone z = {.name = "app.test", .mode = DNS_SERVFAIL, .ttl = 60};

	(void)state;
	begin(&z, 1, 50);
	watch(resolver, &one, "app.test");
	assert_true(run_until(failed_twice, &one, 5000));
	end();
}

static unsigned beats;

static void on_beat(struct timer *t)
{
	beats++;
	timer_in(loop, t, 4);
}

/* Nobody answers: the lookup gives up in time, and the loop is not held up by it. */
static void test_silent_server(void **state)
{
	struct dns_zone z = {.name = "app.test", .mode = DNS_SILENT};
	struct timer beat;
	uint64_t start = clock_mono_ns();

	(void)state;
	begin(&z, 1, 60);
	timer_init(&beat, on_beat);
	timer_in(loop, &beat, 4);
	beats = 0;
	watch(resolver, &one, "app.test");
	assert_true(run_until(failed, &one, 5000));
	assert_string_equal(one.why, "Timeout while contacting DNS servers");
	assert_true((clock_mono_ns() - start) / NS_PER_MS >= 60 * 3);
	assert_true(z.queries >= 4); /* A and AAAA, more than once each */
	assert_true(beats >= 20);
	timer_stop(&beat);
	end();
}

static void test_nobody_at_the_server_address(void **state)
{
	char address[32];

	(void)state;
	begin(NULL, 0, 50);
	snprintf(address, sizeof(address), "%s", dns.address);
	end();
	assert_int_equal(resolver_new(loop, address, 50, &resolver), 0);
	watch(resolver, &one, "app.test");
	assert_true(run_until(failed, &one, 5000));
	resolver_free(resolver);
}

static void test_forged_and_junk_replies(void **state)
{
	struct dns_zone z = {.name = "app.test",
		.mode = DNS_FORGED,
		.v4 = {"192.0.2.1"},
		.v6 = {"2001:db8::1"},
		.ttl = 60};

	(void)state;
	begin(&z, 1, 1000);
	watch(resolver, &one, "app.test");
	assert_true(run_until(answered, &one, 3000));
	assert_int_equal(one.n, 2);
	assert_true(has(&one, "192.0.2.1:8080"));
	assert_true(has(&one, "[2001:db8::1]:8080"));
	end();
}

/* A resolver that drops AAAA questions: the IPv4 addresses are used all the same. */
static void test_one_family_unanswered(void **state)
{
	struct dns_zone z = {.name = "app.test", .mode = DNS_ONLY_A, .v4 = {"192.0.2.1"}, .ttl = 60};

	(void)state;
	begin(&z, 1, 60);
	watch(resolver, &one, "app.test");
	assert_true(run_until(answered, &one, 5000));
	assert_int_equal(one.n, 1);
	assert_true(has(&one, "192.0.2.1:8080"));
	end();
}

/* Too large for UDP: over TCP, and no more than RESOLVE_MAX_ADDRESSES are kept. */
static void test_very_many_addresses(void **state)
{
	struct dns_zone z = {.name = "big.test", .many = 400, .ttl = 60};

	(void)state;
	begin(&z, 1, 1000);
	watch(resolver, &one, "big.test");
	assert_true(run_until(answered, &one, 3000));
	assert_int_equal(one.n, RESOLVE_MAX_ADDRESSES);
	assert_true(dns.over_tcp > 0);
	end();
}

/* No DNS server is asked for it, none need be there. */
static void test_localhost_needs_no_server(void **state)
{
	(void)state;
	begin(NULL, 0, 1000);
	watch(resolver, &one, "localhost");
	assert_true(run_until(answered, &one, 1000));
	assert_true(has(&one, "127.0.0.1:8080") || has(&one, "[::1]:8080"));
	assert_int_equal(dns.queries, 0);
	run_for(1200); /* nor is the hosts file read every second */
	assert_int_equal(one.answers, 1);
	end();
}

static void test_two_names_apart(void **state)
{
	struct dns_zone z[] = {{.name = "good.test", .v4 = {"192.0.2.1"}, .ttl = 60},
		{.name = "bad.test", .mode = DNS_NXDOMAIN}};

	(void)state;
	begin(z, 2, 1000);
	watch(resolver, &one, "good.test");
	watch(resolver, &two, "bad.test");
	assert_true(run_until(answered, &one, 3000));
	assert_true(run_until(failed, &two, 3000));
	assert_int_equal(one.failures, 0);
	assert_int_equal(two.answers, 0);
	end();
}

static void test_freed_while_asking(void **state)
{
	struct dns_zone z = {.name = "app.test", .mode = DNS_SILENT};

	(void)state;
	begin(&z, 1, 1000);
	watch(resolver, &one, "app.test");
	watch(resolver, &two, "other.test");
	run_for(30);
	assert_int_equal(z.queries, 2);
	end();
	assert_int_equal(one.answers + one.failures, 0);
	run_for(30); /* nothing of it is left in the loop */
	resolver_free(NULL);
}

static void test_settled(void **state)
{
	struct dns_zone z = {.name = "app.test", .v4 = {"192.0.2.1"}, .ttl = 0};

	(void)state;
	begin(&z, 1, 1000);
	watch(resolver, &one, "app.test");
	watch(resolver, &two, "bad.test");
	resolver_settle(resolver); /* before the first answer, which still comes */
	assert_true(run_until(answered, &one, 3000));
	assert_true(run_until(failed, &two, 3000));
	run_for(1500);
	assert_int_equal(one.answers, 1);
	assert_int_equal(two.failures, 1);
	end();
	begin(&z, 1, 1000);
	watch(resolver, &one, "app.test");
	assert_true(run_until(answered, &one, 3000));
	resolver_settle(resolver); /* after it */
	run_for(1500);
	assert_int_equal(one.answers, 1);
	end();
}

static void test_resolver_address_is_checked(void **state)
{
	(void)state;
	assert_int_equal(resolver_new(loop, "not an address", 1000, &resolver), -EINVAL);
	assert_null(resolver);
}

static void test_intervals(void **state)
{
	(void)state;
	assert_int_equal(resolve_ttl_ms(0, 0), 1000);
	assert_int_equal(resolve_ttl_ms(-5, 0), 1000);
	assert_int_equal(resolve_ttl_ms(1, 0), 1000);
	assert_int_equal(resolve_ttl_ms(60, 0), 60000);
	assert_int_equal(resolve_ttl_ms(86400, 0), 300000);
	assert_int_equal(resolve_ttl_ms(INT32_MAX, 0), 300000);
	/* Jitter only adds, an eighth at most. */
	for (uint64_t r = 0; r < 100000; r += 17)
		assert_in_range(resolve_ttl_ms(60, r), 60000, 67500);
	assert_int_not_equal(resolve_ttl_ms(60, 1), resolve_ttl_ms(60, 2));
	for (unsigned failures = 0; failures < 40; failures++) {
		static const uint64_t want[] = {1000, 1000, 2000, 4000, 8000, 16000};
		uint64_t ms = failures < ARRAY_LEN(want) ? want[failures] : 30000;

		for (uint64_t r = 0; r < 100000; r += 977)
			assert_in_range(resolve_backoff_ms(failures, r), ms * 7 / 8, ms * 9 / 8);
	}
}

/* Without memory for the n-th allocation a lookup fails or works, and nothing else happens. */
static void test_no_memory(void **state)
{
	struct dns_zone z = {.name = "app.test", .v4 = {"192.0.2.1"}, .ttl = 60};
	long n;

	(void)state;
	alloc_fail_needed();
	dns_start(&dns, &z, 1);
	for (n = 1; n < 1000; n++) {
		int err;

		alloc_fail_at(n);
		err = resolver_new(loop, dns.address, 20, &resolver);
		alloc_fail_at(0);
		if (!err)
			break;
		assert_in_range(-err, 1, 200);
	}
	assert_in_range(n, 2, 999);
	resolver_free(resolver);
	for (n = 1; n < 1000; n++) {
		bool hit;

		assert_int_equal(resolver_new(loop, dns.address, 20, &resolver), 0);
		watch(resolver, &one, "app.test");
		alloc_fail_at(n);
		assert_true(run_until(ended, &one, 8000));
		hit = alloc_fail_hit();
		assert_true(hit || one.answers == 1);
		alloc_fail_at(0);
		resolver_free(resolver);
		if (!hit)
			break;
	}
	assert_in_range(n, 10, 999);
	resolver = NULL;
	dns_stop(&dns);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		LOOP_TEST(test_both_families),
		LOOP_TEST(test_asked_again_when_the_ttl_is_over),
		LOOP_TEST(test_not_asked_before_the_ttl_is_over),
		LOOP_TEST(test_alias_with_a_shorter_ttl),
		LOOP_TEST(test_no_such_name_then_it_exists),
		LOOP_TEST(test_name_without_addresses),
		LOOP_TEST(test_server_failure),
		LOOP_TEST(test_silent_server),
		LOOP_TEST(test_nobody_at_the_server_address),
		LOOP_TEST(test_forged_and_junk_replies),
		LOOP_TEST(test_one_family_unanswered),
		LOOP_TEST(test_very_many_addresses),
		LOOP_TEST(test_localhost_needs_no_server),
		LOOP_TEST(test_two_names_apart),
		LOOP_TEST(test_freed_while_asking),
		LOOP_TEST(test_settled),
		LOOP_TEST(test_resolver_address_is_checked),
		LOOP_TEST(test_intervals),
		LOOP_TEST(test_no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
