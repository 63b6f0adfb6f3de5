/* Allocation n fails, for every n: -ENOMEM, nothing returned, nothing leaked. libyaml's and libcyaml's
 * allocations are among them. */
#include "conf/settings.h"
#include "alloc_fail.h"
#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <yaml.h>
#include <cmocka.h>

static const char good[] = "instance: a\n"
			   "log: {access: /tmp/x}\n"
			   "trusted_proxies: 10.0.0.0/8\n"
			   "listeners: [127.0.0.1:8080, {listen: unix:/x}]\n"
			   "upstreams:\n"
			   "- name: web\n"
			   "  servers: [\"a:1\", {address: unix:/y, weight: 3}]\n"
			   "  path_prefix: /p\n"
			   "  health: {host: h}\n"
			   "routes:\n"
			   "- path: /a\n"
			   "  timeouts: &t {idle: 1s}\n"
			   "  request_headers: [{set: \"A: b\"}, {remove: C}]\n"
			   "- {name: b, methods: GET, timeouts: *t, response_headers: [{add: \"A: b\"}]}\n";

static const char bad[] = "instance: a b\n"
			  "colour: red\n"
			  "listeners: [127.0.0.1:8080]\n"
			  "upstreams: [{name: web, servers: \"a:1\", balance: hash}]\n"
			  "routes: [{upstream: x, heartbeat: 5, request_headers: [{}]}]\n";

static const char broken[] = "a: [1\n";

#ifdef __SANITIZE_ADDRESS__
/* What libyaml itself loses (in_use()); that nothing of ours is lost is counted in the plain build. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
	return "leak:yaml_parser_load\n";
}
#endif

struct attempt {
	const char *text; /* NULL: the flags */
	int expected;	  /* without a failure */
};

static int parse(const struct attempt *a, struct settings **ret, struct buf *errors)
{
	static const struct proxy_options options = {
		.listen = "127.0.0.1:0", .to = "http://a/b", .heartbeat = "3", .access_log = "stderr"};

	if (!a->text)
		return settings_from_options(&options, ret, errors);
	/* A longer name than the others: with t.yaml a message would be 100 bytes long, and there glibc's
	 * vasprintf writes one byte behind its buffer when realloc fails (as ASan sees). */
	return settings_parse("test.yaml", slice_of(a->text), ret, errors);
}

static char told[4096]; /* by the last attempt */

/* Bytes in use once the call is over and its results are given back. */
static size_t in_use(const struct attempt *a, long nth, int *ret_err, bool *ret_hit)
{
	struct settings *s = NULL;
	struct buf errors = {0};

	alloc_fail_at(nth);
	*ret_err = parse(a, &s, &errors);
	*ret_hit = alloc_fail_hit();
	alloc_fail_at(0);
	assert_int_equal(s != NULL, *ret_err == 0);
	assert_true(errors.len < sizeof(told));
	memcpy(told, errors.len ? errors.data : "", errors.len);
	told[errors.len] = 0;
	settings_unref(s);
	buf_reset(&errors);
	return mallinfo2().uordblks;
}

/* What libyaml 0.2.5 itself loses when the nth allocation fails in it: settings_parse begins with just these
 * calls. */
static size_t lost_by_libyaml(const char *text, long nth)
{
	yaml_parser_t parser;
	yaml_document_t first, second;
	size_t before = mallinfo2().uordblks;

	alloc_fail_at(nth);
	if (yaml_parser_initialize(&parser)) {
		yaml_parser_set_input_string(&parser, (const unsigned char *)text, strlen(text));
		if (yaml_parser_load(&parser, &first)) {
			if (yaml_parser_load(&parser, &second))
				yaml_document_delete(&second);
			yaml_document_delete(&first);
		}
		yaml_parser_delete(&parser);
	}
	alloc_fail_at(0);
	return mallinfo2().uordblks - before;
}

static void every_failure(const struct attempt *a)
{
	char wanted[sizeof(told)];
	size_t before, after, lost;
	bool hit = true;
	int err;
	long nth;

	in_use(a, 0, &err, &hit); /* what is made once and kept */
	assert_int_equal(err, a->expected);
	before = in_use(a, 0, &err, &hit);
	memcpy(wanted, told, sizeof(wanted));
	for (nth = 1;; nth++) {
		after = in_use(a, nth, &err, &hit);
		if (!hit)
			break;
		/* glibc does without some, such as the one that makes a string's room smaller. */
		if (err != -ENOMEM && (err != a->expected || strcmp(told, wanted) != 0))
			fail_msg("allocation %ld fails: %d %s", nth, err, told);
		lost = a->text ? lost_by_libyaml(a->text, nth) : 0;
		if (after != before + lost)
			fail_msg("allocation %ld fails: %zd bytes left behind", nth,
				(ssize_t)(after - before - lost));
		before = after + lost; /* lost twice by now */
	}
	assert_true(nth > 3);
	assert_int_equal(err, a->expected);
}

static void test_good(void **state)
{
	(void)state;
	alloc_fail_needed();
	every_failure(&(struct attempt){good, 0});
}

static void test_bad(void **state)
{
	(void)state;
	alloc_fail_needed();
	every_failure(&(struct attempt){bad, -EINVAL});
	every_failure(&(struct attempt){broken, -EINVAL});
}

static void test_flags(void **state)
{
	(void)state;
	alloc_fail_needed();
	every_failure(&(struct attempt){NULL, 0});
}

/* The same without the hook, for valgrind: a ceiling on the caller's buffer is the one failure that can be
 * made there. */
static void test_no_room_for_messages(void **state)
{
	(void)state;
	for (size_t max = 1; max < 200; max += 7) {
		struct settings *s = NULL;
		struct buf errors = {.max = max};

		assert_int_equal(settings_parse("t.yaml", SLICE(bad), &s, &errors), -ENOBUFS);
		assert_null(s);
		buf_reset(&errors);
	}
}

int main(int argc, char **argv)
{
	static const char tunables[] = "glibc.malloc.tcache_count=0";
	const char *now = getenv("GLIBC_TUNABLES");
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_bad),
		cmocka_unit_test(test_flags),
		cmocka_unit_test(test_no_room_for_messages),
	};

	(void)argc;
	/* mallinfo2 takes what lies in the thread's cache for used; the cache can only be switched off at the
	 * start. */
	if (!now || strcmp(now, tunables) != 0) {
		if (setenv("GLIBC_TUNABLES", tunables, 1) == 0)
			execv("/proc/self/exe", argv);
		return 1;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
