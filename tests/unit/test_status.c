/* The status page's snapshots over records of the test's own, and whom its server answers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/clock.h"
#include "status/status.h"
#include <jansson.h>
#include <stdio.h>

#define SLOTS 100
#define NOW   (1000 * NS_PER_S)

static struct sluice_ctl records[SLOTS];
static struct sluice_flow flows[SLOTS];
static struct sluice_counters counters[3];
static struct snapshot snapshot;

static int begin(void **state)
{
	struct snapshot_source from = {.instance = "test",
		.records = records,
		.flows = flows,
		.slots = SLOTS,
		.counters = counters,
		.workers = 2,
		.start_ns = NOW - 60 * NS_PER_S};

	(void)state;
	memset(records, 0, sizeof(records));
	for (size_t i = 0; i < SLOTS; i++)
		records[i].turn = 2; /* was in use once */
	memset(flows, 0, sizeof(flows));
	memset(counters, 0, sizeof(counters));
	return snapshot_init(&snapshot, &from);
}

static int end(void **state)
{
	(void)state;
	snapshot_done(&snapshot);
	return 0;
}

static struct sluice_ctl *stream(uint32_t slot, const char *route, unsigned lane)
{
	struct sluice_ctl *c = &records[slot];

	*c = (struct sluice_ctl){.id = slot + 1,
		.turn = 2,
		.lane = (uint8_t)lane,
		.start_ns = NOW - 10 * NS_PER_S,
		.last_in_ns = NOW - NS_PER_S / 2};
	snprintf(c->route_name, sizeof(c->route_name), "%s", route);
	return c;
}

static json_t *take(uint64_t now_ns)
{
	struct buf out = {0};
	json_t *json;

	assert_int_equal(snapshot_take(&snapshot, now_ns, &out), 0);
	assert_null(memchr(out.data, '\n', out.len));
	json = json_loadb(out.data, out.len, 0, NULL);
	assert_non_null(json);
	buf_reset(&out);
	return json;
}

static json_int_t at(json_t *json, const char *key)
{
	assert_true(json_is_integer(json_object_get(json, key)));
	return json_integer_value(json_object_get(json, key));
}

/* How many streams the distribution has at this bound; -1: above all. */
static json_int_t bucket(json_t *json, const char *key, json_int_t bound)
{
	size_t i;
	json_t *pair;

	json_array_foreach(json_object_get(json, key), i, pair)
	{
		json_t *b = json_array_get(pair, 0);

		if (bound < 0 ? json_is_null(b) : json_is_integer(b) && json_integer_value(b) == bound)
			return json_integer_value(json_array_get(pair, 1));
	}
	fail_msg("%s has no bound %lld", key, (long long)bound);
	return 0;
}

static void nothing_is_all_zero(void **state)
{
	json_t *json = take(NOW);

	(void)state;
	assert_int_equal(at(json, "streams"), 0);
	assert_int_equal(at(json, "uptime_ms"), 60000);
	assert_true(json_is_null(json_object_get(json, "events_s")));
	assert_int_equal(json_array_size(json_object_get(json, "slowest")), 0);
	json_decref(json);
}

static void both_halves_of_a_stream_are_counted_once(void **state)
{
	struct sluice_ctl *c = stream(3, "a", SLUICE_LANE_SPLICE);
	json_t *json;

	(void)state;
	c->cookie = flows[3].cookie = 77;
	c->events = 10;
	counters[0].events = 10;
	flows[3].events = 5;
	flows[3].redirected = 1000;
	json = take(NOW);
	assert_int_equal(at(json_object_get(json, "totals"), "events"), 15);
	assert_int_equal(at(json_object_get(json, "lanes"), "splice"), 1);
	json_decref(json);
	/* The kernel's part becomes the stream's: nothing is counted twice or lost. */
	c->cookie = 0;
	c->events = counters[0].events = 15;
	json = take(NOW + NS_PER_S);
	assert_int_equal(at(json_object_get(json, "totals"), "events"), 15);
	assert_true(json_real_value(json_object_get(json, "events_s")) == 0);
	json_decref(json);
}

static void rates_are_differences(void **state)
{
	struct sluice_ctl *a = stream(0, "a", SLUICE_LANE_COPY), *b = stream(1, "b", SLUICE_LANE_COPY);
	json_t *json, *routes;

	(void)state;
	json_decref(take(NOW));
	a->events = 10;
	a->bytes_out = 4000;
	b->events = 30;
	json = take(NOW + 2 * NS_PER_S);
	assert_true(json_real_value(json_object_get(json, "events_s")) == 20);
	assert_true(json_real_value(json_object_get(json, "bytes_s")) == 2000);
	routes = json_object_get(json, "routes");
	assert_int_equal(json_array_size(routes), 2);
	assert_true(json_real_value(json_object_get(json_array_get(routes, 1), "events_s")) == 15);
	json_decref(json);
	/* Another stream in the slot begins at nothing. */
	b->id = 500;
	b->events = 4;
	json = take(NOW + 3 * NS_PER_S);
	assert_true(json_real_value(json_object_get(json, "events_s")) == 4);
	json_decref(json);
	snapshot_forget(&snapshot);
	json = take(NOW + 900 * NS_PER_S);
	assert_true(json_is_null(json_object_get(json, "events_s")));
	json_decref(json);
}

static void lag_and_silence_are_distributed(void **state)
{
	json_t *json;

	(void)state;
	stream(0, "a", SLUICE_LANE_COPY);
	stream(1, "a", SLUICE_LANE_COPY)->pending = 1;
	stream(2, "a", SLUICE_LANE_COPY)->pending = 1024;
	stream(3, "a", SLUICE_LANE_COPY)->pending = 1025;
	stream(4, "a", SLUICE_LANE_COPY)->pending = 1 << 20;
	records[4].last_in_ns = NOW - 400 * NS_PER_S;
	records[3].last_in_ns = NOW - 6 * NS_PER_S;
	json = take(NOW);
	assert_int_equal(bucket(json, "pending", 0), 1);
	assert_int_equal(bucket(json, "pending", 1024), 2);
	assert_int_equal(bucket(json, "pending", 4096), 1);
	assert_int_equal(bucket(json, "pending", -1), 1);
	assert_int_equal(bucket(json, "quiet", 1000), 3);
	assert_int_equal(bucket(json, "quiet", 15000), 1);
	assert_int_equal(bucket(json, "quiet", -1), 1);
	assert_int_equal(at(json, "pending_bytes"), 1 + 1024 + 1025 + (1 << 20));
	json_decref(json);
}

static void the_slowest_come_first_and_are_ten(void **state)
{
	json_t *json, *list;

	(void)state;
	for (uint32_t i = 0; i < SLOTS; i++)
		stream(i, "a", SLUICE_LANE_COPY)->pending = i * 37 % SLOTS;
	records[5].pending = 0; /* blocked, with nothing waiting in the relay: behind those with bytes */
	records[5].blocked_since_ns = NOW - 9 * NS_PER_S;
	json = take(NOW);
	list = json_object_get(json, "slowest");
	assert_int_equal(json_array_size(list), SNAPSHOT_SLOWEST);
	for (size_t i = 0; i < SNAPSHOT_SLOWEST; i++)
		assert_int_equal(at(json_array_get(list, i), "pending"), SLOTS - 1 - (json_int_t)i);
	assert_int_equal(at(json, "blocked"), 1);
	json_decref(json);
	for (uint32_t i = 0; i < SLOTS; i++)
		records[i].pending = 0;
	json = take(NOW);
	assert_int_equal(at(json_array_get(json_object_get(json, "slowest"), 0), "id"), 6);
	json_decref(json);
}

static void too_many_routes_are_others(void **state)
{
	json_t *json, *routes;
	json_int_t n = 0;
	size_t i;
	json_t *r;

	(void)state;
	for (uint32_t s = 0; s < SLOTS; s++) {
		char name[16];

		snprintf(name, sizeof(name), "r%u", s);
		stream(s, name, SLUICE_LANE_COPY);
	}
	json = take(NOW);
	routes = json_object_get(json, "routes");
	assert_int_equal(json_array_size(routes), SNAPSHOT_ROUTES + 1);
	json_array_foreach(routes, i, r) n += at(r, "streams");
	assert_int_equal(n, SLOTS);
	json_decref(json);
}

/* Two workers of fifty slots each; behind a slot that never was in use nothing is looked at. */
static void unused_slots_are_not_looked_at(void **state)
{
	json_t *json;

	(void)state;
	for (uint32_t i = 0; i < SLOTS; i++)
		stream(i, "a", SLUICE_LANE_COPY);
	records[10] = (struct sluice_ctl){0};
	records[60] = (struct sluice_ctl){.turn = 2};
	json = take(NOW);
	assert_int_equal(at(json, "streams"), 10 + 49);
	json_decref(json);
}

static void odd_bytes_do_not_break_it(void **state)
{
	json_t *json;

	(void)state;
	strcpy(stream(0, "a", SLUICE_LANE_COPY)->path, "/\xff\"<script>");
	json = take(NOW);
	assert_int_equal(at(json, "streams"), 1);
	json_decref(json);
}

static void hosts(void **state)
{
	static const char *const safe[] = {"127.0.0.1", "127.0.0.1:9180", "localhost", "LOCALHOST:80",
		"[::1]", "[::1]:9180", "192.0.2.7:1"};
	static const char *const unsafe[] = {"", "a.example", "a.example:80", "127.0.0.1.example",
		"localhost.example", "127.0.0.1:", "127.0.0.1:80a", "127.0.0.1:123456", "::1", "[::1",
		"[::1]x", "[127.0.0.1]", "1", ":80"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(safe); i++)
		if (!status_host_is_safe(slice_of(safe[i])))
			fail_msg("%s is refused", safe[i]);
	for (size_t i = 0; i < ARRAY_LEN(unsafe); i++)
		if (status_host_is_safe(slice_of(unsafe[i])))
			fail_msg("'%s' is taken", unsafe[i]);
}

static void the_page_takes_its_nonce(void **state)
{
	struct buf page = {0};

	(void)state;
	assert_int_equal(page_make("abc", &page), 0);
	assert_int_equal(buf_append(&page, "", 1), 0);
	assert_non_null(strstr(page.data, "<script nonce=\"abc\">"));
	assert_non_null(strstr(page.data, "<style nonce=\"abc\">"));
	assert_null(strstr(page.data, "@NONCE@"));
	assert_non_null(strstr(page.data, "</html>"));
	buf_reset(&page);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(nothing_is_all_zero, begin, end),
		cmocka_unit_test_setup_teardown(both_halves_of_a_stream_are_counted_once, begin, end),
		cmocka_unit_test_setup_teardown(rates_are_differences, begin, end),
		cmocka_unit_test_setup_teardown(lag_and_silence_are_distributed, begin, end),
		cmocka_unit_test_setup_teardown(the_slowest_come_first_and_are_ten, begin, end),
		cmocka_unit_test_setup_teardown(too_many_routes_are_others, begin, end),
		cmocka_unit_test_setup_teardown(unused_slots_are_not_looked_at, begin, end),
		cmocka_unit_test_setup_teardown(odd_bytes_do_not_break_it, begin, end),
		cmocka_unit_test(hosts),
		cmocka_unit_test(the_page_takes_its_nonce),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
