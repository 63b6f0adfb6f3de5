/* Shared by the tests of the config: parse a text, compare what is said. */
#ifndef SLUICE_TESTS_CONF_TEXT_H
#define SLUICE_TESTS_CONF_TEXT_H

#include "conf/settings.h"

/* What a test needs around its own lines. */
#define LISTEN	 "listeners: 127.0.0.1:8080\n"
#define UPSTREAM "upstreams: [{name: web, servers: \"127.0.0.1:4000\"}]\n"

/* Parses; anything but success is a failed test that shows the messages. */
static inline struct settings *settings_of(const char *text)
{
	struct settings *s = NULL;
	struct buf errors = {0};
	int err = settings_parse("t.yaml", slice_of(text), &s, &errors);

	if (err)
		fail_msg("%d:\n%.*s", err, (int)errors.len, errors.data);
	assert_int_equal(errors.len, 0);
	buf_reset(&errors);
	return s;
}

/* Every mistake of the text, and nothing else, is told. `told` ends each line with \n. */
static inline void expect_errors(struct slice text, const char *told)
{
	struct settings *s = NULL;
	struct buf errors = {0};
	int err = settings_parse("t.yaml", text, &s, &errors);

	if (!slice_eq(buf_slice(&errors), slice_of(told)))
		fail_msg("%.*s\nis told:\n%.*sand not:\n%s", (int)text.n, text.p, (int)errors.len,
			errors.data, told);
	assert_int_equal(err, -EINVAL);
	assert_null(s);
	buf_reset(&errors);
}

#endif
