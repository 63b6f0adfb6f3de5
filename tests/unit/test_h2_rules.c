/* Heads that break a rule: refused by that rule, with RST_STREAM or its status, and nothing of them is told
 * to the relay. */
#include "h2_client.h"

static void expect_refusal(struct world *w, const struct h2_case *c, int32_t id)
{
	char status[32];

	assert_int_equal(w->requests, 0);
	assert_int_equal(w->refusals, 1);
	if (h1_rule_status(c->rule) == 400) {
		expect_rst(w, id, H2_PROTOCOL_ERROR);
		return;
	}
	snprintf(status, sizeof(status), ":status: %d\n", h1_rule_status(c->rule));
	assert_true(find_frame(w, F_HEADERS, id));
	assert_int_equal(w->f.flags, END_HEADERS | END_STREAM);
	assert_non_null(strstr(decoded(w), status));
	if (!c->end) /* the rest of the request is not wanted */
		expect_rst(w, id, H2_NO_ERROR);
}

static void read_case(const struct h2_case *c, size_t step)
{
	struct world *w = world_new();

	w->step = step;
	headers_list(w, 1, c->end ? END_STREAM : 0, c->list);
	assert_int_equal(feed(w), 0);
	if (w->last_rule != c->rule)
		fail_msg("%s: expected %s, got %s", c->name, h1_rule_label(c->rule),
			h1_rule_label(w->last_rule));
	if (c->rule)
		expect_refusal(w, c, 1);
	else
		assert_int_equal(w->requests, 1);
	assert_int_equal(h2_why(w->s), H2_REASON_NONE);
	/* the connection goes on, and its HPACK state is whole */
	headers(w, 3, END_STREAM, H2_GET "\2x\1after");
	assert_int_equal(feed(w), 0);
	assert_non_null(told_of(w, 3));
	assert_non_null(strstr(told_of(w, 3)->head, "x: after\n"));
	world_free(w);
}

static void test_case(void **state)
{
	read_case(*state, 0);
	read_case(*state, 1);
}

static size_t many(struct buf *b, const char *list, size_t times)
{
	for (size_t i = 0; i < times; i++)
		hpack_list(b, slice_of(list));
	return b->len;
}

/* HEADERS and as many CONTINUATIONs as it takes. */
static void big_head(struct world *w, int32_t id, unsigned flags, const struct buf *b)
{
	size_t at = MIN(b->len, 16384);

	frame(w, F_HEADERS, flags | (at == b->len ? END_HEADERS : 0), id, b->data, at);
	while (at < b->len) {
		size_t n = MIN(b->len - at, 16384);

		frame(w, F_CONT, at + n == b->len ? END_HEADERS : 0, id, b->data + at, n);
		at += n;
	}
}

static void too_big(const char *unit, size_t times, enum h1_rule rule, int status)
{
	struct world *w = world_new();
	_cleanup_buf_ struct buf b = {0};
	char text[32];

	hpack_list(&b, slice_of(H2_GET));
	many(&b, unit, times);
	big_head(w, 1, END_STREAM, &b);
	assert_int_equal(feed(w), 0);
	assert_int_equal(w->requests, 0);
	assert_string_equal(h1_rule_label(w->last_rule), h1_rule_label(rule));
	assert_true(find_frame(w, F_HEADERS, 1));
	snprintf(text, sizeof(text), ":status: %d\n", status);
	assert_non_null(strstr(decoded(w), text));
	assert_true(h2_stats(w->s)->memory_max < 256 * 1024);
	get(w, 3);
	assert_int_equal(feed(w), 0);
	assert_non_null(told_of(w, 3));
	world_free(w);
}

/* E4, E20 */
static void test_too_big(void **state)
{
	static char value[9000];

	(void)state;
	memset(value, 'v', sizeof(value) - 1);
	memcpy(value, "x\1", 2);
	too_big(value, 8, H1_RULE_HEAD_TOO_LARGE, 431);
	too_big("x\1", 101, H1_RULE_TOO_MANY_FIELDS, 431);
	too_big("x\1", 4000, H1_RULE_TOO_MANY_FIELDS, 431);
	too_big("cookie\1"
		"a=b",
		10000, H1_RULE_HEAD_TOO_LARGE, 431);
}

static void test_long_path(void **state)
{
	struct world *w = world_new();
	_cleanup_buf_ struct buf b = {0};
	static char path[H1_MAX_LINE + 1];

	(void)state;
	memset(path, 'p', sizeof(path));
	path[0] = '/';
	hpack_list(&b, SLICE(":method\1GET\2:scheme\1https\2:authority\1"
			     "a"));
	hpack(&b, SLICE(":path"), (struct slice){path, H1_MAX_LINE - 13}); /* "GET " and " HTTP/1.1" */
	big_head(w, 1, END_STREAM, &b);
	b.len = 0;
	hpack_list(&b, SLICE(":method\1GET\2:scheme\1https\2:authority\1"
			     "a"));
	hpack(&b, SLICE(":path"), (struct slice){path, H1_MAX_LINE - 12});
	big_head(w, 3, END_STREAM, &b);
	assert_int_equal(feed(w), 0);
	assert_int_equal(w->requests, 1);
	assert_int_equal(told_of(w, 1)->req.path.n, H1_MAX_LINE - 13);
	assert_int_equal(w->last_rule, H1_RULE_LINE_TOO_LONG);
	assert_true(find_frame(w, F_HEADERS, 3));
	assert_non_null(strstr(decoded(w), ":status: 414\n"));
	world_free(w);
}

/* RFC 9113 8.2.3; and a hundred crumbs are one field. */
static void test_cookies(void **state)
{
	struct world *w = world_new();
	_cleanup_buf_ struct buf b = {0};

	(void)state;
	headers(w, 1, END_STREAM,
		H2_GET "\2"
		       "cookie\1"
		       "a=1\2x\1y\2"
		       "cookie\1"
		       "b=2\2"
		       "cookie\1"
		       "c=3; d=4");
	hpack_list(&b, slice_of(H2_GET));
	many(&b,
		"cookie\1"
		"e=5",
		300);
	frame(w, F_HEADERS, END_STREAM | END_HEADERS, 3, b.data, b.len);
	assert_int_equal(feed(w), 0);
	assert_string_equal(
		told_of(w, 1)->head, "GET /\nhost: a.example\ncookie: a=1; b=2; c=3; d=4\nx: y\n");
	assert_int_equal(told_of(w, 3)->req.nfields, 1);
	assert_int_equal(told_of(w, 3)->req.fields[0].value.n, 300 * 3 + 299 * 2);
	world_free(w);
}

int main(void)
{
	static struct CMUnitTest tests[ARRAY_LEN(h2_cases) + 3];
	size_t n = 0;

	for (; n < ARRAY_LEN(h2_cases); n++)
		tests[n] = (struct CMUnitTest){h2_cases[n].name, test_case, NULL, NULL, (void *)&h2_cases[n]};
	tests[n++] = (struct CMUnitTest){"E4, E20 heads that are too big", test_too_big, NULL, NULL, NULL};
	tests[n++] = (struct CMUnitTest){"the longest path", test_long_path, NULL, NULL, NULL};
	tests[n++] = (struct CMUnitTest){"cookie crumbs", test_cookies, NULL, NULL, NULL};
	return _cmocka_run_group_tests("h2_rules", tests, n, NULL, NULL);
}
