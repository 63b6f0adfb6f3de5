/* exporter/streams, kworker: sums by route, lane and reason; what was seen stays; the laggards; /proc's
 * lines. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "base/clock.h"
#include "exporter/kworker.h"
#include "exporter/streams.h"
#include <stdio.h>

static struct view_stream streams[3000];

static struct sluice_ctl *stream(size_t i, const char *route, enum sluice_lane lane)
{
	struct sluice_ctl *c = &streams[i].c;

	*c = (struct sluice_ctl){
		.id = i + 1, .lane = lane, .flags = SLUICE_CTL_EVENT_STREAM, .head_ns = NS_PER_S};
	snprintf(c->route_name, sizeof(c->route_name), "%s", route);
	return c;
}

static struct view_shot shot_of(size_t n)
{
	return (struct view_shot){.streams = streams, .n = n, .now_ns = 100 * NS_PER_S};
}

static bool has(struct text *t, const char *line)
{
	bool found;

	assert_int_equal(t->err, 0);
	assert_int_equal(buf_append(&t->out, "", 1), 0);
	t->out.len--;
	found = strstr(t->out.data, line) != NULL;
	if (!found)
		fprintf(stderr, "%s\nnot in:\n%s", line, t->out.data);
	return found;
}

static void sums_by_route_lane_and_reason(void **state)
{
	struct stream_sums s = {0};
	struct view_shot shot;
	struct text t = {0};

	(void)state;
	stream(0, "chat", SLUICE_LANE_SPLICE)->last_in_ns = 99 * NS_PER_S;
	stream(1, "chat", SLUICE_LANE_COPY)->reason = SLUICE_REASON_LAGGING;
	streams[1].c.pending = 700;
	streams[1].c.flags |= SLUICE_CTL_BLOCKED;
	streams[1].c.last_in_ns = 70 * NS_PER_S;
	streams[1].c.first_event_ns = 1;
	stream(2, "", SLUICE_LANE_NONE)->flags = 0;
	shot = shot_of(3);
	assert_int_equal(streams_sum(&s, &shot), 0);
	streams_write(&s, &t);
	assert_true(has(&t, "sluice_streams{route=\"chat\",lane=\"splice\",reason=\"none\"} 1\n"));
	assert_true(has(&t, "sluice_streams{route=\"chat\",lane=\"copy\",reason=\"client lags\"} 1\n"));
	assert_true(has(&t, "sluice_streams{route=\"unrouted\",lane=\"none\",reason=\"none\"} 1\n"));
	assert_true(has(&t, "sluice_event_streams{route=\"chat\"} 2\n"));
	assert_true(has(&t, "sluice_event_streams{route=\"unrouted\"} 0\n"));
	assert_true(has(&t, "sluice_blocked_streams{route=\"chat\"} 1\n"));
	assert_true(has(&t, "sluice_pending_bytes{route=\"chat\"} 700\n"));
	assert_true(has(&t, "sluice_event_streams_without_event{route=\"chat\"} 1\n"));
	assert_true(has(&t, "sluice_silent_event_streams{route=\"chat\"} 0\n"));
	assert_true(has(&t, "sluice_event_stream_silence_max_seconds{route=\"chat\"} 30\n"));
	buf_reset(&t.out);
	/* Silent for exactly a minute; and what has gone is 0, not away. */
	stream(0, "feed", SLUICE_LANE_COPY)->last_in_ns = 40 * NS_PER_S;
	shot = shot_of(1);
	assert_int_equal(streams_sum(&s, &shot), 0);
	streams_write(&s, &t);
	assert_true(has(&t, "sluice_streams{route=\"chat\",lane=\"splice\",reason=\"none\"} 0\n"));
	assert_true(has(&t, "sluice_silent_event_streams{route=\"feed\"} 1\n"));
	assert_true(has(&t, "sluice_pending_bytes{route=\"chat\"} 0\n"));
	buf_reset(&t.out);
	streams_reset(&s);
}

static void routes_are_bounded(void **state)
{
	struct stream_sums s = {0};
	struct view_shot shot = shot_of(ARRAY_LEN(streams));
	struct text t = {0};
	char name[32], line[64];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(streams); i++) {
		snprintf(name, sizeof(name), "r%zu", i);
		stream(i, name, SLUICE_LANE_COPY);
	}
	assert_int_equal(streams_sum(&s, &shot), 0);
	assert_int_equal(s.count, STREAMS_ROUTES + 1);
	streams_write(&s, &t);
	snprintf(line, sizeof(line), "sluice_event_streams{route=\"other\"} %zu\n",
		ARRAY_LEN(streams) - STREAMS_ROUTES);
	assert_true(has(&t, line));
	buf_reset(&t.out);
	streams_reset(&s);
}

static void odd_numbers_find_a_place(void **state)
{
	struct stream_sums s = {0};
	struct view_shot shot = shot_of(1);

	(void)state;
	stream(0, "x", (enum sluice_lane)200)->reason = 255;
	assert_int_equal(streams_sum(&s, &shot), 0);
	assert_int_equal(s.routes[0].streams[STREAMS_LANES - 1][STREAMS_REASONS - 1], 1);
	streams_reset(&s);
}

static void the_laggards_come_first(void **state)
{
	struct view_shot shot = shot_of(4);
	struct text t = {0};
	const char *first, *second;

	(void)state;
	for (size_t i = 0; i < 4; i++)
		stream(i, "r", SLUICE_LANE_COPY)->pending = (uint32_t[]){5, 0, 900, 40}[i];
	streams[2].c.blocked_since_ns = 90 * NS_PER_S;
	streams[2].c.last_out_ns = 80 * NS_PER_S;
	streams_write_top(&shot, 2, &t);
	assert_true(has(&t, "id=\"3\""));
	first = strstr(t.out.data, "id=\"3\"");
	second = strstr(t.out.data, "id=\"4\"");
	assert_true(first && second && first < second);
	assert_null(strstr(t.out.data, "id=\"1\""));
	assert_null(strstr(t.out.data, "id=\"2\""));
	assert_true(has(&t, "sluice_top_stream_blocked_seconds{id=\"3\"} 10\n"));
	assert_true(has(&t, "sluice_top_stream_blocked_seconds{id=\"4\"} 0\n"));
	buf_reset(&t.out);
}

static void kworkers_are_told_by_their_name(void **state)
{
	uint64_t ticks, start;

	(void)state;
	assert_true(kworker_parse(
		"17 (kworker/1:0-events) I 2 0 0 0 -1 69238880 0 0 0 0 3 40 0 0 20 0 1 0 12345 0 0", &ticks,
		&start));
	assert_int_equal(ticks, 43);
	assert_int_equal(start, 12345);
	assert_true(kworker_parse(
		"17 (kworker/u4:1) odd) name) I 2 0 0 0 -1 6 0 0 0 0 1 2 0 0 20 0 1 0 9 0", &ticks, &start));
	assert_int_equal(ticks, 3);
	assert_false(kworker_parse(
		"1 (systemd) S 0 1 1 0 -1 4194560 1 1 1 1 3 40 0 0 20 0 1 0 1 0 0", &ticks, &start));
	assert_false(kworker_parse("17 (kworker/1:0) I 2", &ticks, &start));
	assert_false(kworker_parse("", &ticks, &start));
}

static void kworker_time_never_falls(void **state)
{
	struct kworker k = {0};
	double before = kworker_seconds(&k);

	(void)state;
	assert_true(before == 0);
	for (int i = 0; i < 3; i++) {
		double now = kworker_seconds(&k);

		assert_true(now >= before);
		before = now;
	}
	kworker_done(&k);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sums_by_route_lane_and_reason),
		cmocka_unit_test(routes_are_bounded),
		cmocka_unit_test(odd_numbers_find_a_place),
		cmocka_unit_test(the_laggards_come_first),
		cmocka_unit_test(kworkers_are_told_by_their_name),
		cmocka_unit_test(kworker_time_never_falls),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
