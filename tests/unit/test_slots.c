/* observe/slots: ranges, reuse, ids over a restart, torn reads. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "observe/slots.h"
#include <pthread.h>
#include <sys/mman.h>

static int slot_table_new(struct slot_table *t, uint32_t count)
{
	*t = (struct slot_table){.records = calloc(count, sizeof(struct sluice_ctl)), .count = count};
	return t->records ? 0 : -ENOMEM;
}

static void slot_table_done(struct slot_table *t)
{
	free(t->records);
}

static void ranges_do_not_overlap(void **state)
{
	struct slot_table t;
	struct slots a, b, c;

	(void)state;
	assert_int_equal(slot_table_new(&t, 10), 0);
	assert_int_equal(slots_init(&a, &t, 0, 3), 0);
	assert_int_equal(slots_init(&b, &t, 1, 3), 0);
	assert_int_equal(slots_init(&c, &t, 2, 3), 0);
	assert_int_equal(a.count + b.count + c.count, 10);
	assert_int_equal(a.first + a.count, b.first);
	assert_int_equal(b.first + b.count, c.first);
	slots_done(&a);
	slots_done(&b);
	slots_done(&c);
	slot_table_done(&t);
}

static void full_then_reused(void **state)
{
	struct slot_table t;
	struct slots s;
	struct sluice_ctl *got[4];

	(void)state;
	assert_int_equal(slot_table_new(&t, 4), 0);
	assert_int_equal(slots_init(&s, &t, 0, 1), 0);
	for (int i = 0; i < 4; i++) {
		got[i] = slots_take(&s);
		assert_non_null(got[i]);
		assert_int_equal(slots_number(&s, got[i]), i);
	}
	assert_null(slots_take(&s));
	got[2]->events = 7;
	uint64_t old_id = got[2]->id;
	slots_give(&s, got[2]);
	assert_int_equal(got[2]->id, 0);
	struct sluice_ctl *again = slots_take(&s);
	assert_ptr_equal(again, got[2]);
	assert_int_equal(again->events, 0);
	assert_int_not_equal(again->id, old_id);
	slots_done(&s);
	slot_table_done(&t);
}

static void a_restarted_worker_wipes_and_goes_on_counting(void **state)
{
	struct slot_table t;
	struct slots s;

	(void)state;
	assert_int_equal(slot_table_new(&t, 4), 0);
	assert_int_equal(slots_init(&s, &t, 1, 2), 0);
	uint64_t last = 0;
	for (int i = 0; i < 2; i++)
		last = slots_take(&s)->id;
	assert_int_equal(last >> 48, 1);
	slots_done(&s); /* the worker died with streams open */
	assert_int_equal(slots_init(&s, &t, 1, 2), 0);
	for (uint32_t i = 0; i < t.count; i++)
		assert_int_equal(t.records[i].id, 0);
	assert_true(slots_take(&s)->id > last);
	slots_done(&s);
	slot_table_done(&t);
}

/* Three workers in a row, the first two of which die with streams open. */
static void every_slot_that_was_used_is_wiped(void **state)
{
	struct slot_table t;
	struct slots s;
	struct sluice_ctl *got[6];
	uint64_t last = 0;

	(void)state;
	assert_int_equal(slot_table_new(&t, 8), 0);
	assert_int_equal(slots_init(&s, &t, 0, 1), 0);
	for (int i = 0; i < 6; i++)
		got[i] = slots_take(&s);
	slots_give(&s, got[0]);
	slots_give(&s, got[2]);
	last = got[5]->id;
	ctl_begin(got[4]); /* killed in the middle of a change */
	slots_done(&s);
	assert_int_equal(slots_init(&s, &t, 0, 1), 0);
	got[0] = slots_take(&s);
	assert_true(got[0]->id > last);
	assert_int_equal(slots_number(&s, got[0]), 0);
	slots_done(&s);
	t.records[5].id = 99; /* as if it had been in use again */
	assert_int_equal(slots_init(&s, &t, 0, 1), 0);
	for (int i = 0; i < 8; i++) {
		assert_int_equal(t.records[i].id, 0);
		assert_int_equal(t.records[i].turn % 2, 0);
	}
	slots_done(&s);
	slot_table_done(&t);
}

/* Without the splice lane the table is shared memory, 512 bytes for each stream that could be. */
static void unused_slots_take_no_memory(void **state)
{
	static unsigned char there[256];
	size_t size = sizeof(there) * 4096, pages = 0;
	struct slot_table t = {.count = (uint32_t)(size / sizeof(struct sluice_ctl))};
	struct slots a, b;

	(void)state;
	t.records = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(t.records, MAP_FAILED);
	assert_int_equal(slots_init(&a, &t, 0, 2), 0);
	assert_int_equal(slots_init(&b, &t, 1, 2), 0);
	for (int i = 0; i < 8; i++)
		assert_non_null(slots_take(&a));
	assert_int_equal(mincore(t.records, size, there), 0);
	for (size_t i = 0; i < sizeof(there); i++)
		pages += there[i] & 1;
	assert_true(pages >= 1 && pages <= 4);
	slots_done(&a);
	slots_done(&b);
	munmap(t.records, size);
}

struct writer {
	struct sluice_ctl *c;
	volatile bool stop;
};

static void *write_pairs(void *arg)
{
	struct writer *w = arg;

	for (uint32_t i = 1; !w->stop; i++) {
		ctl_begin(w->c);
		w->c->status = (uint16_t)i;
		w->c->head_ns = (uint16_t)i;
		w->c->first_event_ns = (uint16_t)i;
		ctl_end(w->c);
		/* Long enough for a reader to get a copy in between, as real writers leave it. */
		for (volatile int pause = 0; pause < 300; pause++)
			;
	}
	return NULL;
}

static void a_reader_never_sees_half_a_change(void **state)
{
	struct slot_table t;
	struct slots s;
	struct sluice_ctl copy;
	pthread_t thread;
	int seen = 0;

	(void)state;
	assert_int_equal(slot_table_new(&t, 1), 0);
	assert_int_equal(slots_init(&s, &t, 0, 1), 0);
	struct writer w = {.c = slots_take(&s)};
	assert_int_equal(pthread_create(&thread, NULL, write_pairs, &w), 0);
	for (int i = 0; i < 200000; i++) {
		if (!ctl_read(w.c, &copy))
			continue;
		seen++;
		assert_int_equal(copy.status, copy.head_ns);
		assert_int_equal(copy.status, copy.first_event_ns);
	}
	w.stop = true;
	pthread_join(thread, NULL);
	assert_true(seen > 0);
	slots_give(&s, w.c);
	assert_false(ctl_read(w.c, &copy));
	slots_done(&s);
	slot_table_done(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ranges_do_not_overlap),
		cmocka_unit_test(full_then_reused),
		cmocka_unit_test(a_restarted_worker_wipes_and_goes_on_counting),
		cmocka_unit_test(every_slot_that_was_used_is_wiped),
		cmocka_unit_test(unused_slots_take_no_memory),
		cmocka_unit_test(a_reader_never_sees_half_a_change),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
