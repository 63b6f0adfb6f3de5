/* The judge: streams written down as head, bytes and times; which findings they give, and where. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "doctor/judge.h"
#include <stdio.h>

#define GOOD                                                                                                 \
	"HTTP/1.1 200 OK\nContent-Type: text/event-stream\nTransfer-Encoding: chunked\n"                     \
	"Cache-Control: no-cache, no-transform\nX-Accel-Buffering: no\n"

static void head(struct observation *o, int64_t at, const char *text)
{
	observe_init(o);
	o->url = strdup("http://x/");
	o->sent_ms = 0;
	for (size_t n; *text; text += n + 1) {
		n = strcspn(text, "\n");
		assert_int_equal(observe_head_line(o, at, (struct slice){text, n}), 0);
	}
	assert_int_equal(observe_head_line(o, at, SLICE("")), 0);
}

static void body(struct observation *o, int64_t at, const char *text)
{
	assert_int_equal(observe_body(o, at, slice_of(text)), 0);
}

static void events(struct observation *o, int64_t at, int n)
{
	for (int i = 0; i < n; i++)
		body(o, at, "data: x\n\n");
}

static void end(struct observation *o, int64_t at, enum observe_end how)
{
	o->end_ms = at;
	o->end = how;
}

/* An event each 100 ms for 5 s. */
static void steady(struct observation *o, const char *text)
{
	head(o, 5, text);
	for (int t = 0; t < 50; t++)
		events(o, 50 + t * 100, 1);
	end(o, 5050, OBSERVE_OPEN);
}

static struct verdict verdict_of(
	struct observation *chain, struct observation *again, struct observation *direct)
{
	struct verdict v;
	struct looks l = {.chain = chain, .chain_again = again, .direct = direct, .looked_ms = 5000};

	judge(&l, &v);
	observe_done(chain);
	if (again)
		observe_done(again);
	if (direct)
		observe_done(direct);
	return v;
}

static const struct finding *find(const struct verdict *v, enum finding_id id)
{
	for (size_t i = 0; i < v->nfindings; i++)
		if (v->findings[i].id == id)
			return &v->findings[i];
	return NULL;
}

static void assert_only(const struct verdict *v, enum finding_id id)
{
	for (size_t i = 0; i < v->nfindings; i++)
		if (v->findings[i].id != id)
			fail_msg("found %s: %s", finding_kinds[v->findings[i].id].word,
				v->findings[i].evidence);
	assert_int_equal(v->nfindings, 1);
}

static void a_good_stream_has_no_finding(void **state)
{
	struct observation o;
	struct verdict v;

	(void)state;
	steady(&o, GOOD);
	v = verdict_of(&o, NULL, NULL);
	assert_true(v.healthy);
	assert_int_equal(v.nfindings, 0);
}

static void a_head_that_comes_with_the_body_was_held(void **state)
{
	struct observation chain, direct;
	struct verdict v;

	(void)state;
	head(&chain, 2000, GOOD);
	events(&chain, 2001, 20);
	end(&chain, 5000, OBSERVE_OPEN);
	steady(&direct, GOOD);
	v = verdict_of(&chain, NULL, &direct);
	assert_non_null(find(&v, FINDING_HEAD_HELD));
	assert_int_equal(find(&v, FINDING_HEAD_HELD)->where, WHERE_CHAIN);
	assert_non_null(strstr(find(&v, FINDING_HEAD_HELD)->evidence, "2.00 s"));
	assert_non_null(find(&v, FINDING_BATCHES));
	assert_true(v.origin_ok);
}

static void no_head_at_all_is_held_and_nothing_else(void **state)
{
	struct observation o;
	struct verdict v;

	(void)state;
	observe_init(&o);
	o.sent_ms = 0;
	end(&o, 5000, OBSERVE_OPEN);
	v = verdict_of(&o, NULL, NULL);
	assert_only(&v, FINDING_HEAD_HELD);
}

static void a_head_without_a_body_is_late_not_held(void **state)
{
	struct observation o;
	struct verdict v;

	(void)state;
	head(&o, 1500, GOOD);
	for (int t = 0; t < 10; t++)
		events(&o, 2000 + t * 100, 1);
	end(&o, 5000, OBSERVE_OPEN);
	v = verdict_of(&o, NULL, NULL);
	assert_only(&v, FINDING_HEAD_LATE);
}

/* `n` events each `gap` ms. */
static void batches(struct observation *o, int64_t gap, int n, int count)
{
	head(o, 5, GOOD);
	for (int i = 1; i <= count; i++)
		events(o, i * gap, n);
	end(o, (count + 1) * gap, OBSERVE_OPEN);
}

static void batches_are_found_with_period_and_size(void **state)
{
	struct observation o;
	struct verdict v;

	(void)state;
	batches(&o, 1000, 10, 5);
	v = verdict_of(&o, NULL, NULL);
	assert_only(&v, FINDING_BATCHES);
	assert_non_null(strstr(v.findings[0].evidence, "50 of 50 events came in 5 batches: every 1.00 s"));
	assert_non_null(strstr(v.findings[0].evidence, "10 events, 90 bytes"));
	assert_non_null(strstr(v.findings[0].cause, "timer"));
}

static void batches_of_a_buffers_size_name_the_buffer(void **state)
{
	struct observation o;
	struct verdict v;

	(void)state;
	batches(&o, 700, 455, 4);
	v = verdict_of(&o, NULL, NULL);
	assert_non_null(strstr(find(&v, FINDING_BATCHES)->cause, "4 KiB"));
}

static void batches_of_the_origin_are_the_origins(void **state)
{
	struct observation chain, direct;
	struct verdict v;

	(void)state;
	batches(&chain, 1000, 10, 5);
	batches(&direct, 1000, 10, 5);
	v = verdict_of(&chain, NULL, &direct);
	assert_int_equal(find(&v, FINDING_BATCHES)->where, WHERE_ORIGIN);
	assert_false(v.origin_ok);
}

static void a_replay_and_a_fast_stream_are_no_batches(void **state)
{
	struct observation o;
	struct verdict v;

	(void)state;
	head(&o, 5, GOOD);
	events(&o, 10, 40);
	for (int t = 0; t < 20; t++)
		events(&o, 100 + t * 200, 1);
	end(&o, 5000, OBSERVE_OPEN);
	v = verdict_of(&o, NULL, NULL);
	assert_int_equal(v.nfindings, 0);

	head(&o, 5, GOOD);
	for (int t = 0; t < 500; t++)
		events(&o, 10 + t * 10, 1);
	end(&o, 5100, OBSERVE_OPEN);
	v = verdict_of(&o, NULL, NULL);
	assert_int_equal(v.nfindings, 0);
}

/* Three events, then silence until the end. */
static void dropped(struct observation *o, int64_t silence, enum observe_end how)
{
	head(o, 5, GOOD);
	for (int t = 0; t < 3; t++)
		events(o, 100 + t * 100, 1);
	end(o, 300 + silence, how);
}

static void the_same_silence_twice_is_a_timeout(void **state)
{
	struct observation a, b;
	struct verdict v;

	(void)state;
	dropped(&a, 60020, OBSERVE_CUT);
	dropped(&b, 60090, OBSERVE_CUT);
	v = verdict_of(&a, &b, NULL);
	assert_non_null(find(&v, FINDING_DROP_SILENCE));
	assert_non_null(strstr(find(&v, FINDING_DROP_SILENCE)->cause, "proxy_read_timeout"));
	assert_non_null(find(&v, FINDING_NO_HEARTBEAT));
	assert_null(find(&v, FINDING_CUT));
}

static void another_silence_is_no_timer(void **state)
{
	struct observation a, b;
	struct verdict v;

	(void)state;
	dropped(&a, 3000, OBSERVE_CUT);
	dropped(&b, 7000, OBSERVE_CUT);
	v = verdict_of(&a, &b, NULL);
	assert_only(&v, FINDING_CUT);
}

/* Two of three agree: the other one was late for a reason of its own. */
static void one_late_try_does_not_hide_a_timer(void **state)
{
	struct observation a, b, c;
	struct looks l = {.chain = &a, .chain_again = &b, .chain_third = &c};
	struct verdict v;

	(void)state;
	dropped(&a, 3000, OBSERVE_CUT);
	dropped(&b, 2000, OBSERVE_CUT);
	dropped(&c, 2010, OBSERVE_CUT);
	assert_true(judge_disagree(&a, &b));
	assert_false(judge_disagree(&b, &c));
	judge(&l, &v);
	assert_only(&v, FINDING_DROP_SILENCE);
	assert_non_null(strstr(
		v.findings[0].evidence, "2.00 s after the last byte, and again after 2.01 s (3 tries)"));
	observe_done(&a);
	observe_done(&b);
	observe_done(&c);
}

static void the_same_age_twice_is_a_limit(void **state)
{
	struct observation a, b;
	struct verdict v;

	(void)state;
	steady(&a, GOOD);
	end(&a, 5060, OBSERVE_CUT);
	steady(&b, GOOD);
	end(&b, 5080, OBSERVE_CUT);
	v = verdict_of(&a, &b, NULL);
	assert_only(&v, FINDING_DROP_AGE);
}

static void an_answer_that_ends_by_itself_is_healthy(void **state)
{
	struct observation a, b;
	struct verdict v;

	(void)state;
	steady(&a, GOOD);
	end(&a, 5060, OBSERVE_CLEAN);
	steady(&b, GOOD);
	end(&b, 5080, OBSERVE_CLEAN);
	v = verdict_of(&a, &b, NULL);
	assert_int_equal(v.nfindings, 0);
}

static void a_clean_end_in_an_event_is_found(void **state)
{
	struct observation o;
	struct verdict v;

	(void)state;
	steady(&o, GOOD);
	body(&o, 5060, "data: hal");
	end(&o, 5070, OBSERVE_CLEAN);
	v = verdict_of(&o, NULL, NULL);
	assert_only(&v, FINDING_MID_EVENT);
}

static void heartbeats_break_silence(void **state)
{
	struct observation o;
	struct verdict v;

	(void)state;
	head(&o, 5, GOOD);
	for (int t = 1; t < 5; t++)
		body(&o, t * 15000, ": heartbeat\n\n");
	end(&o, 70000, OBSERVE_OPEN);
	assert_int_equal(o.comments, 4);
	assert_int_equal(o.events, 0);
	v = verdict_of(&o, NULL, NULL);
	assert_int_equal(v.nfindings, 0);

	head(&o, 5, GOOD);
	end(&o, 25000, OBSERVE_OPEN);
	v = verdict_of(&o, NULL, NULL);
	assert_only(&v, FINDING_NO_HEARTBEAT);
}

/* One odd head each, and what it gives. */
static void heads(void **state)
{
	static const struct {
		const char *head;
		enum finding_id id;
	} rows[] = {
		{"HTTP/1.1 503 Service Unavailable\n", FINDING_STATUS},
		{"HTTP/1.1 204 No Content\n", FINDING_STATUS},
		{"HTTP/1.1 200 OK\nContent-Type: text/html\n", FINDING_TYPE},
		{"HTTP/1.1 200 OK\n", FINDING_TYPE},
		{"HTTP/1.1 200 OK\nContent-Type: text/event-streams\n", FINDING_TYPE},
		{GOOD "Content-Encoding: gzip\n", FINDING_COMPRESSED},
		{GOOD "Age: 30\n", FINDING_CACHED},
		{GOOD "X-Cache: MISS, HIT\n", FINDING_CACHED},
		{GOOD "Via: 1.0 squid\n", FINDING_HTTP10},
		{GOOD "Via: 1.1 a, 1.0 b\n", FINDING_HTTP10},
		{"HTTP/1.0 200 OK\nContent-Type: text/event-stream\nCache-Control: no-cache, no-transform\n"
		 "X-Accel-Buffering: no\n",
			FINDING_HTTP10},
		{"HTTP/1.1 200 OK\nContent-Type: text/event-stream\nConnection: close\n"
		 "Cache-Control: no-store, no-transform\nX-Accel-Buffering: no\n",
			FINDING_HTTP10},
		{"HTTP/1.1 200 OK\nContent-Type: text/event-stream\nContent-Length: 99\n"
		 "Cache-Control: no-cache, no-transform\nX-Accel-Buffering: no\n",
			FINDING_LENGTH},
		{"HTTP/2 200\nContent-Type: text/event-stream\nX-Accel-Buffering: no\nCache-Control: "
		 "no-cache\n",
			FINDING_NO_CACHE},
		{"HTTP/2 200\nContent-Type: text/event-stream\nCache-Control: no-cache, no-transform\n",
			FINDING_NO_ACCEL},
		{"HTTP/1.1 302 Found\nLocation: /there\n\n" GOOD, FINDING_REDIRECT},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct observation o;
		struct verdict v;

		steady(&o, rows[i].head);
		v = verdict_of(&o, NULL, NULL);
		if (v.nfindings != 1 || v.findings[0].id != rows[i].id)
			fail_msg("row %zu: %zu findings, the first %s", i, v.nfindings,
				v.nfindings ? finding_kinds[v.findings[0].id].word : "-");
	}
}

static void nginx_keeps_its_field_to_itself(void **state)
{
	struct observation o;
	struct verdict v;

	(void)state;
	steady(&o, "HTTP/2 200\nContent-Type: text/event-stream\nCache-Control: no-cache, no-transform\n"
		   "Server: nginx/1.22.1\n");
	v = verdict_of(&o, NULL, NULL);
	assert_int_equal(v.nfindings, 0);
	assert_int_equal(v.nhops, 1);
	assert_int_equal(v.hops[0].id, HOP_NGINX);
}

static void cors_is_judged_when_an_origin_was_sent(void **state)
{
	struct observation o;
	struct verdict v;
	struct looks l = {.chain = &o, .request_origin = "https://a.example"};

	(void)state;
	steady(&o, GOOD "Access-Control-Allow-Origin: https://b.example\n");
	judge(&l, &v);
	assert_only(&v, FINDING_CORS);
	observe_done(&o);
	steady(&o, GOOD "Access-Control-Allow-Origin: https://a.example\n");
	judge(&l, &v);
	assert_int_equal(v.nfindings, 0);
	observe_done(&o);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_good_stream_has_no_finding),
		cmocka_unit_test(a_head_that_comes_with_the_body_was_held),
		cmocka_unit_test(no_head_at_all_is_held_and_nothing_else),
		cmocka_unit_test(a_head_without_a_body_is_late_not_held),
		cmocka_unit_test(batches_are_found_with_period_and_size),
		cmocka_unit_test(batches_of_a_buffers_size_name_the_buffer),
		cmocka_unit_test(batches_of_the_origin_are_the_origins),
		cmocka_unit_test(a_replay_and_a_fast_stream_are_no_batches),
		cmocka_unit_test(the_same_silence_twice_is_a_timeout),
		cmocka_unit_test(another_silence_is_no_timer),
		cmocka_unit_test(one_late_try_does_not_hide_a_timer),
		cmocka_unit_test(the_same_age_twice_is_a_limit),
		cmocka_unit_test(an_answer_that_ends_by_itself_is_healthy),
		cmocka_unit_test(a_clean_end_in_an_event_is_found),
		cmocka_unit_test(heartbeats_break_silence),
		cmocka_unit_test(heads),
		cmocka_unit_test(nginx_keeps_its_field_to_itself),
		cmocka_unit_test(cors_is_judged_when_an_origin_was_sent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
