/* Parses C string heads in tests. The text must outlive what is parsed from it. */
#ifndef SLUICE_TESTS_H1_TEXT_H
#define SLUICE_TESTS_H1_TEXT_H

#include "proto/h1.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

#define assert_slice(s, text)                                                                                \
	do {                                                                                                 \
		struct slice got_ = (s);                                                                     \
		if (!slice_eq(got_, slice_of(text)))                                                         \
			fail_msg("expected \"%s\", got \"%.*s\"", text, SLICE_FMT(got_));                    \
	} while (0)

static inline enum h1_rule request_of(const char *text, struct h1_request *ret)
{
	struct h1_scan scan = {0};
	size_t n = 0;
	enum h1_rule rule = h1_scan(&scan, H1_REQUEST, text, strlen(text), &n);

	if (rule)
		return rule;
	assert_int_not_equal(n, 0);
	return h1_request_parse(text + scan.skip, n - scan.skip, ret);
}

static inline enum h1_rule response_of(const char *text, enum h1_method method, struct h1_response *ret)
{
	struct h1_scan scan = {0};
	size_t n = 0;
	enum h1_rule rule = h1_scan(&scan, H1_RESPONSE, text, strlen(text), &n);

	if (rule)
		return rule;
	assert_int_not_equal(n, 0);
	return h1_response_parse(text, n, method, ret);
}

#endif
