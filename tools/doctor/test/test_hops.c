/* Recognising hops, and the tables of what is known about them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "doctor/judge.h"

static void head(struct observation *o, const char *field)
{
	observe_init(o);
	assert_int_equal(observe_head_line(o, 0, SLICE("HTTP/1.1 200 OK")), 0);
	assert_int_equal(observe_head_line(o, 0, slice_of(field)), 0);
	assert_int_equal(observe_head_line(o, 0, SLICE("")), 0);
}

static void known_periods_have_owners(void **state)
{
	(void)state;
	assert_non_null(strstr(timeout_owner(100100), "Cloudflare"));
	assert_non_null(strstr(timeout_owner(240050), "Azure Load Balancer"));
	assert_non_null(strstr(timeout_owner(230000), "App Service"));
	assert_null(timeout_owner(2000));
	assert_null(timeout_owner(80000));
}

static void hops_are_recognised(void **state)
{
	static const struct {
		const char *field;
		enum hop_id id;
	} rows[] = {
		{"Server: openresty", HOP_NGINX},
		{"Server: Caddy", HOP_CADDY},
		{"Via: 1.1 Caddy", HOP_CADDY},
		{"Server: Apache/2.4.65 (Debian)", HOP_APACHE},
		{"x-envoy-upstream-service-time: 3", HOP_ENVOY},
		{"CF-RAY: 8f1-FRA", HOP_CLOUDFLARE},
		{"x-azure-ref: 2026", HOP_AZURE},
		{"Server: Microsoft-Azure-Application-Gateway/v2", HOP_AZURE},
		{"Via: 1.1 sluice", HOP_SLUICE},
		{"x-amz-cf-id: a", HOP_CLOUDFRONT},
		{"Via: 1.1 proxy.example", HOP_OTHER},
		{"X-Cache: MISS", HOP_OTHER},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct observation o;
		struct hop_seen seen[HOP_COUNT];

		head(&o, rows[i].field);
		assert_int_equal(hops_see(&o, seen), 1);
		assert_int_equal(seen[0].id, rows[i].id);
		observe_done(&o);
	}
}

/* What the issue promises: a cure for each of the seven, for what they can do wrong. */
static void every_promised_hop_has_its_fixes(void **state)
{
	static const enum hop_id promised[] = {
		HOP_NGINX, HOP_HAPROXY, HOP_CADDY, HOP_APACHE, HOP_ENVOY, HOP_CLOUDFLARE, HOP_AZURE};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(promised); i++) {
		assert_non_null(fix_text(FIX_BUFFER, promised[i]));
		assert_non_null(fix_text(FIX_COMPRESS, promised[i]));
		assert_non_null(fix_text(FIX_IDLE, promised[i]));
	}
	for (int id = 0; id < FINDING_COUNT; id++) {
		enum fix_kind kind = finding_kinds[id].fix;
		bool any = kind == FIX_NONE;

		for (int hop = 0; hop <= HOP_COUNT; hop++)
			any |= fix_text(kind, (enum hop_id)hop) != NULL;
		assert_true(any);
	}
}

/* Any bytes of a stranger's head are safe to print. */
static void fields_are_printable(void **state)
{
	struct observation o;

	(void)state;
	head(&o, "X-Odd: a\033[2Jb\377c");
	assert_string_equal(observe_field(&o, "x-odd"), "a?[2Jb?c");
	observe_done(&o);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(known_periods_have_owners),
		cmocka_unit_test(hops_are_recognised),
		cmocka_unit_test(every_promised_hop_has_its_fixes),
		cmocka_unit_test(fields_are_printable),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
