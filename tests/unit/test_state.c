/* observe/state: sections, sealing, a reader's descriptor that cannot write. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "observe/state.h"
#include <sys/mman.h>

static const struct sluice_about about = {.abi = SLUICE_ABI_VERSION, .slots = 7, .instance = "here"};

static void sections_are_where_the_head_says(void **state)
{
	struct state s = {.fd = -1};
	void *a = NULL, *b = NULL;
	struct state_part parts[] = {{"first", 3, 40, &a}, {"second", 7, 64, &b}};
	const struct sluice_state *r;

	(void)state;
	assert_int_equal(state_new(&s, &about, false, parts, 2), 0);
	r = mmap(NULL, s.head->bytes, PROT_READ, MAP_SHARED, s.fd, 0);
	assert_ptr_not_equal(r, MAP_FAILED);
	assert_int_equal(r->magic, SLUICE_STATE_MAGIC);
	assert_int_equal(r->about.slots, 7);
	assert_string_equal(r->about.instance, "here");
	assert_string_equal(r->sections[1].name, "second");
	assert_int_equal(r->sections[1].count, 7);
	assert_int_equal(r->sections[0].offset % 64, 0);
	assert_true(r->sections[1].offset >= r->sections[0].offset + 3 * 40);
	memset(a, 'a', 3 * 40);
	((char *)b)[7 * 64 - 1] = 'z';
	assert_int_equal(((const char *)r)[r->sections[0].offset + 119], 'a');
	assert_int_equal(((const char *)r)[r->sections[1].offset + 7 * 64 - 1], 'z');
	munmap((void *)r, s.head->bytes);
	state_done(&s);
	assert_int_equal(s.fd, -1);
}

static void a_reader_cannot_write_or_cut(void **state)
{
	struct state s = {.fd = -1};
	void *a = NULL;
	struct state_part parts[] = {{"first", 1, 64, &a}};

	(void)state;
	assert_int_equal(state_new(&s, &about, true, parts, 1), 0);
	assert_int_equal(s.head->spliced, 1);
	assert_ptr_equal(mmap(NULL, 64, PROT_READ | PROT_WRITE, MAP_SHARED, s.fd, 0), MAP_FAILED);
	assert_int_equal(ftruncate(s.fd, 0), -1);
	assert_int_equal(write(s.fd, "x", 1), -1);
	state_done(&s);
}

static void too_many_sections_are_refused(void **state)
{
	struct state_part parts[SLUICE_STATE_SECTIONS + 1] = {0};
	struct state s = {.fd = -1};

	(void)state;
	assert_int_equal(state_new(&s, &about, false, parts, SLUICE_STATE_SECTIONS + 1), -E2BIG);
	assert_null(s.head);
	state_done(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sections_are_where_the_head_says),
		cmocka_unit_test(a_reader_cannot_write_or_cut),
		cmocka_unit_test(too_many_sections_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
