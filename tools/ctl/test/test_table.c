/* tools/ctl/table: what is cut, what goes, and how wide a line is. */
#include "cmocka_first.h"
#include "../table.h"

static char *text;
static size_t size;

static FILE *to_text(void)
{
	free(text);
	return open_memstream(&text, &size);
}

static void row(struct table *t, const char *a, const char *b, const char *c)
{
	table_cell(t, MOOD_PLAIN, a);
	table_cell(t, MOOD_BAD, b);
	table_cell(t, MOOD_PLAIN, c);
}

static struct table three(void)
{
	struct table t = {0};

	table_column(&t, "ID", true, 0, 0);
	table_column(&t, "NAME", false, 4, 50);
	table_column(&t, "N", true, 0, 10);
	return t;
}

static const char *print(struct table *t, int width, bool colour)
{
	struct term term = {.width = width, .colour = colour};
	FILE *f = to_text();

	assert_int_equal(table_print(t, &term, f), 0);
	fclose(f);
	return text;
}

static void as_wide_as_it_takes(void **state)
{
	struct table t = three();

	(void)state;
	row(&t, "1", "short", "7");
	row(&t, "100", "a longer name", "12345");
	assert_string_equal(print(&t, 0, false), " ID  NAME               N\n"
						 "  1  short              7\n"
						 "100  a longer name  12345\n");
	table_done(&t);
}

static void text_shrinks_and_light_columns_go(void **state)
{
	struct table t = three();

	(void)state;
	row(&t, "100", "a longer name", "12345");
	assert_string_equal(print(&t, 20, false), " ID  NAME          N\n100  a longe…  12345\n");
	assert_string_equal(print(&t, 12, false), " ID  NAME\n100  a long…\n");
	assert_string_equal(print(&t, 4, false), " ID\n100\n");
	assert_string_equal(print(&t, 1, false), " ID\n100\n");
	table_done(&t);
}

static void no_line_is_wider_than_asked(void **state)
{
	struct table t = three();

	(void)state;
	row(&t, "1", "a very long name indeed, with more behind it", "123456789");
	row(&t, "123", "ünïcödé ünïcödé ünïcödé", "1");
	for (int width = 3; width < 70; width++) {
		char *line = (char *)print(&t, width, false);

		for (char *next; *line; line = next + 1) {
			next = strchr(line, '\n');
			*next = '\0';
			assert_true(table_width(line) <= width);
		}
	}
	table_done(&t);
}

static void colours_do_not_count(void **state)
{
	struct table t = three();

	(void)state;
	row(&t, "1", "red", "7");
	assert_string_equal(print(&t, 0, true), "\033[1mID\033[0m  \033[1mNAME\033[0m  \033[1mN\033[0m\n"
						" 1  \033[31mred\033[0m   7\n");
	table_done(&t);
}

static void control_characters_are_shown(void **state)
{
	struct table t = three();

	(void)state;
	row(&t, "1", "a\033[31mb\n\x7f", "");
	assert_non_null(strstr(print(&t, 0, false), "a?[31mb??"));
	table_done(&t);
}

static void no_rows(void **state)
{
	struct table t = three();

	(void)state;
	assert_string_equal(print(&t, 0, false), "ID  NAME  N\n");
	table_done(&t);
	free(text);
	text = NULL;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(as_wide_as_it_takes),
		cmocka_unit_test(text_shrinks_and_light_columns_go),
		cmocka_unit_test(no_line_is_wider_than_asked),
		cmocka_unit_test(colours_do_not_count),
		cmocka_unit_test(control_characters_are_shown),
		cmocka_unit_test(no_rows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
