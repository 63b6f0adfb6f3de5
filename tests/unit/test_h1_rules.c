#include "h1_cases.h"
#include "h2_cases.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

/* Rules that a head or its chunks cannot break: stream/ enforces them. */
static const enum h1_rule enforced_elsewhere[] = {
	H1_RULE_BODY_TOO_LARGE,	  /* depends on the route */
	H1_RULE_UNASKED_101,	  /* depends on the request */
	H1_RULE_TOO_MANY_INTERIM, /* depends on the responses before */
	H1_RULE_H2_TRAILERS,	  /* depends on the head before: test_h2_session.c */
};

static void read_case(const struct h1_case *c, enum h1_kind kind)
{
	struct slice bytes = h1_case_bytes(c);
	struct h1_outcome out = h1_case_read(kind, bytes);

	if (out.rule != c->rule)
		fail_msg("%s: expected %s, got %s", c->name, h1_rule_label(c->rule), h1_rule_label(out.rule));
	if (!c->rule)
		assert_true(out.used > 0);
	free((char *)bytes.p);
}

static void test_request_case(void **state)
{
	read_case(*state, H1_REQUEST);
}

static void test_response_case(void **state)
{
	read_case(*state, H1_RESPONSE);
}

/* However the bytes are cut, the verdict on a head is the same. */
static void scan_in_pieces(const struct h1_case *c, enum h1_kind kind, size_t piece)
{
	struct slice bytes = h1_case_bytes(c);
	struct h1_scan whole = {0}, scan = {0};
	size_t whole_len, len = 0;
	enum h1_rule expected = h1_scan(&whole, kind, bytes.p, bytes.n, &whole_len), rule = H1_OK;

	for (size_t n = MIN(piece, bytes.n);; n = MIN(n + piece, bytes.n)) {
		char *part = malloc(n ? n : 1);

		assert_non_null(part);
		memcpy(part, bytes.p, n);
		rule = h1_scan(&scan, kind, part, n, &len);
		free(part);
		if (rule || len || n == bytes.n)
			break;
	}
	if (rule != expected || len != whole_len || scan.skip != whole.skip)
		fail_msg("%s in pieces of %zu: %s, %zu", c->name, piece, h1_rule_label(rule), len);
	free((char *)bytes.p);
}

static void test_pieces(void **state)
{
	static const size_t pieces[] = {1, 2, 3, 7, 64};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(h1_request_cases); i++)
		for (size_t k = 0; k < ARRAY_LEN(pieces); k++)
			if (!h1_request_cases[i].repeat || pieces[k] > 3)
				scan_in_pieces(&h1_request_cases[i], H1_REQUEST,
					MAX(pieces[k], h1_request_cases[i].repeat));
	for (size_t i = 0; i < ARRAY_LEN(h1_response_cases); i++)
		for (size_t k = 0; k < ARRAY_LEN(pieces); k++)
			if (!h1_response_cases[i].repeat || pieces[k] > 3)
				scan_in_pieces(&h1_response_cases[i], H1_RESPONSE,
					MAX(pieces[k], h1_response_cases[i].repeat));
}

static void test_every_rule_has_a_case(void **state)
{
	bool hit[H1_RULE_COUNT] = {false};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(h1_request_cases); i++)
		hit[h1_request_cases[i].rule] = true;
	for (size_t i = 0; i < ARRAY_LEN(h1_response_cases); i++)
		hit[h1_response_cases[i].rule] = true;
	for (size_t i = 0; i < ARRAY_LEN(h2_cases); i++)
		hit[h2_cases[i].rule] = true;
	for (size_t i = 0; i < ARRAY_LEN(enforced_elsewhere); i++) {
		assert_false(hit[enforced_elsewhere[i]]);
		hit[enforced_elsewhere[i]] = true;
	}
	for (int r = 0; r < H1_RULE_COUNT; r++)
		if (!hit[r])
			fail_msg("no case breaks the rule %s", h1_rule_label((enum h1_rule)r));
}

static void test_rules_are_told_apart(void **state)
{
	(void)state;
	for (int r = 1; r < H1_RULE_COUNT; r++) {
		const char *label = h1_rule_label((enum h1_rule)r);

		assert_true(strlen(label) <= 24 &&
			    strspn(label, "abcdefghijklmnopqrstuvwxyz0123456789_") == strlen(label));
		assert_true(strlen(h1_rule_text((enum h1_rule)r)) > 10);
		for (int other = r + 1; other < H1_RULE_COUNT; other++)
			assert_string_not_equal(label, h1_rule_label((enum h1_rule)other));
	}
	assert_int_equal(h1_rule_status(H1_RULE_CL_AND_TE), 400);
	assert_int_equal(h1_rule_status(H1_RULE_TRACE), 405);
	assert_int_equal(h1_rule_status(H1_RULE_CONNECT), 405);
	assert_int_equal(h1_rule_status(H1_RULE_BODY_TOO_LARGE), 413);
	assert_int_equal(h1_rule_status(H1_RULE_LINE_TOO_LONG), 414);
	assert_int_equal(h1_rule_status(H1_RULE_EXPECT), 417);
	assert_int_equal(h1_rule_status(H1_RULE_HEAD_TOO_LARGE), 431);
	assert_int_equal(h1_rule_status(H1_RULE_TOO_MANY_FIELDS), 431);
	assert_int_equal(h1_rule_status(H1_RULE_TE_UNKNOWN), 501);
	assert_int_equal(h1_rule_status(H1_RULE_VERSION), 505);
	assert_string_equal(h1_rule_label(H1_RULE_COUNT), "unknown");
}

int main(void)
{
	static struct CMUnitTest tests[ARRAY_LEN(h1_request_cases) + ARRAY_LEN(h1_response_cases)];
	const struct CMUnitTest whole[] = {
		cmocka_unit_test(test_every_rule_has_a_case),
		cmocka_unit_test(test_rules_are_told_apart),
		cmocka_unit_test(test_pieces),
	};
	size_t n = 0;

	for (size_t i = 0; i < ARRAY_LEN(h1_request_cases); i++)
		tests[n++] = (struct CMUnitTest){h1_request_cases[i].name, test_request_case, NULL, NULL,
			(void *)&h1_request_cases[i]};
	for (size_t i = 0; i < ARRAY_LEN(h1_response_cases); i++)
		tests[n++] = (struct CMUnitTest){h1_response_cases[i].name, test_response_case, NULL, NULL,
			(void *)&h1_response_cases[i]};
	return cmocka_run_group_tests(tests, NULL, NULL) + cmocka_run_group_tests(whole, NULL, NULL);
}
