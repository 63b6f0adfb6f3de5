/* tools/ctl/top_state: keys in, state out. */
#include "cmocka_first.h"
#include "../top.h"

static struct top t;

static int fresh(void **state)
{
	(void)state;
	top_init(&t);
	return 0;
}

static enum top_todo key(int k)
{
	return top_on_key(&t, k, 100, 10);
}

static void type(const char *text)
{
	for (; *text; text++)
		key(*text);
}

static void orders(void **state)
{
	(void)state;
	assert_string_equal(t.order.by->name, "lag");
	assert_int_equal(key('p'), TOP_ARRANGE);
	assert_string_equal(t.order.by->name, "pending");
	key('R');
	assert_true(t.order.reverse);
	key('a');
	assert_false(t.order.reverse);
	for (int i = 0; i < 100; i++) {
		key('>');
		assert_non_null(t.order.by);
	}
	for (int i = 0; i < 100; i++)
		key('<');
	assert_string_equal(t.order.by->name, "age");
}

static void scrolling_stays_inside(void **state)
{
	(void)state;
	key(TOP_KEY_UP);
	assert_int_equal(t.first, 0);
	key(TOP_KEY_PAGE_DOWN);
	assert_int_equal(t.first, 9);
	key(TOP_KEY_END);
	assert_int_equal(t.first, 90);
	key(TOP_KEY_DOWN);
	assert_int_equal(t.first, 90);
	top_scroll_fit(&t, 5, 10);
	assert_int_equal(t.first, 0);
	top_on_key(&t, TOP_KEY_PAGE_DOWN, 0, 1);
	assert_int_equal(t.first, 0);
}

static void choosing(void **state)
{
	(void)state;
	key('/');
	assert_int_equal(t.mode, TOP_FILTER);
	type("lag>1s route=chat");
	assert_int_equal(key('\n'), TOP_ARRANGE);
	assert_int_equal(t.mode, TOP_ROWS);
	assert_int_equal(t.filters.n, 2);
	assert_string_equal(t.filter_text, "lag>1s route=chat");
	assert_string_equal(t.filters.list[1].text, "chat");
	/* a mistake changes nothing, and can be mended */
	key('/');
	type("x");
	key(TOP_KEY_BACK);
	type(" q");
	assert_int_equal(key('\n'), TOP_PAINT);
	assert_non_null(strstr(t.message, "'q' is no expression"));
	assert_int_equal(t.mode, TOP_FILTER);
	assert_int_equal(t.filters.n, 2);
	key(27);
	assert_int_equal(t.mode, TOP_ROWS);
	assert_string_equal(t.filter_text, "lag>1s route=chat");
	/* emptied: all */
	key('/');
	for (int i = 0; i < 200; i++)
		key(TOP_KEY_BACK);
	key('\n');
	assert_int_equal(t.filters.n, 0);
	/* no more than there is room for */
	key('/');
	for (int i = 0; i < 500; i++)
		key('a');
	assert_int_equal(strlen(t.input), TOP_INPUT_MAX - 1);
}

static void pace_and_pause(void **state)
{
	(void)state;
	for (int i = 0; i < 20; i++)
		key('+');
	assert_int_equal(t.interval_ms, TOP_FASTEST_MS);
	for (int i = 0; i < 20; i++)
		key('-');
	assert_int_equal(t.interval_ms, TOP_SLOWEST_MS);
	assert_int_equal(key(' '), TOP_PAINT);
	assert_true(t.paused);
	assert_int_equal(key(' '), TOP_LOOK);
	key('h');
	assert_int_equal(t.mode, TOP_HELP);
	key('x');
	assert_int_equal(t.mode, TOP_ROWS);
	assert_int_equal(key('q'), TOP_QUIT);
}

static void what_is_shown_exists(void **state)
{
	(void)state;
	for (size_t i = 0; top_columns[i]; i++)
		assert_non_null(column_find(top_columns[i], strlen(top_columns[i])));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(orders, fresh),
		cmocka_unit_test_setup(scrolling_stays_inside, fresh),
		cmocka_unit_test_setup(choosing, fresh),
		cmocka_unit_test_setup(pace_and_pause, fresh),
		cmocka_unit_test_setup(what_is_shown_exists, fresh),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
