/* tools/ctl/command: the command line as a struct. */
#include "cmocka_first.h"
#include "../ctl.h"

#define ARGV(...) ((char *[]){(char *)"sluicectl", __VA_ARGS__, NULL})

static char why[256];

static int parse(struct ctl *c, char **argv)
{
	*c = (struct ctl){0};
	why[0] = '\0';
	return command_parse(c, argv, why, sizeof(why));
}

static void flags_stand_anywhere(void **state)
{
	char **argv = ARGV((char *)"--instance", (char *)"a", (char *)"streams", (char *)"lag>1s",
		(char *)"--sort=age", (char *)"--json", (char *)"--limit", (char *)"5", (char *)"--",
		(char *)"--x");
	struct ctl c;

	(void)state;
	assert_int_equal(parse(&c, argv), 0);
	assert_string_equal(c.verb->name, "streams");
	assert_string_equal(c.where.instance, "a");
	assert_true(c.json);
	assert_string_equal(ctl_flag(&c, "sort"), "age");
	assert_string_equal(ctl_flag(&c, "limit"), "5");
	assert_null(ctl_flag(&c, "columns"));
	assert_string_equal(argv[0], "lag>1s");
	assert_string_equal(argv[1], "--x");
	assert_null(argv[2]);
}

static void mistakes(void **state)
{
	static const struct {
		char *argv[6];
		const char *said;
	} bad[] = {
		{{(char *)"s", (char *)"nope"}, "there is no verb 'nope'"},
		{{(char *)"s", (char *)"--sort", (char *)"streams"},
			"there is no flag --sort in front of the verb"},
		{{(char *)"s", (char *)"streams", (char *)"--wrong"}, "there is no flag --wrong of streams"},
		{{(char *)"s", (char *)"streams", (char *)"--sort"}, "--sort takes a value: COLUMN"},
		{{(char *)"s", (char *)"streams", (char *)"--sort="}, "--sort takes a value"},
		{{(char *)"s", (char *)"streams", (char *)"--json=1"}, "--json takes no value"},
		{{(char *)"s", (char *)"kill"}, "kill takes ID"},
		{{(char *)"s", (char *)"kill", (char *)"1", (char *)"2"}, "kill takes ID and no more"},
		{{(char *)"s", (char *)"drain", (char *)"now"}, "drain takes nothing behind it"},
		{{(char *)"s", (char *)"--instance"}, "--instance takes a value: NAME"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		char *argv[6];
		struct ctl c;

		memcpy(argv, bad[i].argv, sizeof(argv));
		assert_int_equal(parse(&c, argv), -EINVAL);
		if (!strstr(why, bad[i].said))
			fail_msg("said: %s, not: %s", why, bad[i].said);
	}
}

static void help_needs_no_words(void **state)
{
	struct ctl c;

	(void)state;
	assert_int_equal(parse(&c, ARGV((char *)"kill", (char *)"--help")), 0);
	assert_true(c.help);
	assert_int_equal(parse(&c, ARGV((char *)"-h")), 0);
	assert_true(c.help && !c.verb);
	assert_int_equal(parse(&c, (char *[]){(char *)"sluicectl", NULL}), 0);
	assert_null(c.verb);
	assert_int_equal(parse(&c, (char *[]){NULL}), 0);
}

static void the_table_is_sound(void **state)
{
	(void)state;
	for (size_t i = 0; i < nverbs; i++) {
		const struct verb *v = &verbs[i];

		assert_non_null(v->run);
		assert_true(v->min <= v->max || v->max < 0);
		assert_true((v->max != 0) == (*v->words != '\0'));
		assert_null(v->flags[CTL_MAX_FLAGS - 1].name);
		for (size_t k = 0; k < i; k++)
			assert_string_not_equal(v->name, verbs[k].name);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(flags_stand_anywhere),
		cmocka_unit_test(mistakes),
		cmocka_unit_test(help_needs_no_words),
		cmocka_unit_test(the_table_is_sound),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
