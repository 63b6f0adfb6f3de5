#include "upstream/sticky.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>
#include <sys/wait.h>

#define APP SLICE("app")
#define ONE SLICE("10.0.0.1:80")
#define TWO SLICE("10.0.0.2:80")

static struct slice session(unsigned n, char text[32])
{
	snprintf(text, 32, "session-%u", n);
	return slice_of(text);
}

static void test_known_and_unknown(void **state)
{
	struct sticky *s;

	(void)state;
	assert_int_equal(sticky_new(1000, &s), 0);
	assert_false(sticky_is(s, APP, SLICE("x"), ONE, 1));
	sticky_put(s, APP, SLICE("x"), ONE, 1);
	assert_true(sticky_is(s, APP, SLICE("x"), ONE, 2));
	assert_false(sticky_is(s, APP, SLICE("x"), TWO, 2));
	assert_false(sticky_is(s, APP, SLICE("y"), ONE, 2));
	assert_false(sticky_is(s, SLICE("other"), SLICE("x"), ONE, 2));
	/* The parts do not run into each other. */
	assert_false(sticky_is(s, SLICE("ap"), SLICE("px"), ONE, 2));
	sticky_free(s);
	sticky_free(NULL);
}

static void test_moves_to_another_server(void **state)
{
	struct sticky *s;

	(void)state;
	assert_int_equal(sticky_new(1000, &s), 0);
	sticky_put(s, APP, SLICE("x"), ONE, 1);
	sticky_put(s, APP, SLICE("x"), TWO, 2);
	assert_true(sticky_is(s, APP, SLICE("x"), TWO, 3));
	assert_false(sticky_is(s, APP, SLICE("x"), ONE, 3));
	sticky_free(s);
}

static void test_time_zero_and_empty_values(void **state)
{
	struct sticky *s;

	(void)state;
	assert_int_equal(sticky_new(1, &s), 0);
	sticky_put(s, APP, SLICE(""), ONE, 0);
	assert_true(sticky_is(s, APP, SLICE(""), ONE, 0));
	sticky_free(s);
	assert_int_equal(sticky_new(SIZE_MAX, &s), -EINVAL);
}

static unsigned count_known(struct sticky *s, unsigned from, unsigned to, uint64_t now_ms)
{
	unsigned known = 0;
	char text[32];

	for (unsigned i = from; i < to; i++)
		known += sticky_is(s, APP, session(i, text), ONE, now_ms);
	return known;
}

static void test_holds_what_it_was_made_for(void **state)
{
	struct sticky *s;
	char text[32];

	(void)state;
	assert_int_equal(sticky_new(16384, &s), 0);
	for (unsigned i = 0; i < 8000; i++)
		sticky_put(s, APP, session(i, text), ONE, 1 + i);
	/* Half full: hardly a bucket of 8 overflows. */
	assert_true(count_known(s, 0, 8000, 9000) >= 7900);
	sticky_free(s);
}

static void test_the_oldest_gives_way(void **state)
{
	struct sticky *s;
	char text[32];

	(void)state;
	assert_int_equal(sticky_new(8, &s), 0); /* one bucket */
	for (unsigned i = 0; i < 8; i++)
		sticky_put(s, APP, session(i, text), ONE, 10000 + i);
	assert_int_equal(count_known(s, 0, 8, 10008), 8);
	assert_true(sticky_is(s, APP, session(0, text), ONE, 90000)); /* used: now the newest */
	sticky_put(s, APP, SLICE("ninth"), ONE, 90001);
	assert_true(sticky_is(s, APP, SLICE("ninth"), ONE, 90002));
	assert_true(sticky_is(s, APP, session(0, text), ONE, 90002));
	assert_false(sticky_is(s, APP, session(1, text), ONE, 90002));
	assert_int_equal(count_known(s, 2, 8, 90002), 6);
	sticky_free(s);
}

/* Every process finds what any other wrote. */
static void test_shared_by_forked_workers(void **state)
{
	enum { WORKERS = 4, EACH = 2000 };
	struct sticky *s;
	pid_t pids[WORKERS];
	unsigned known;

	(void)state;
	assert_int_equal(sticky_new(WORKERS * EACH * 4, &s), 0);
	for (unsigned w = 0; w < WORKERS; w++) {
		pids[w] = fork();
		assert_true(pids[w] >= 0);
		if (pids[w] == 0) {
			char text[32];

			for (unsigned i = 0; i < EACH; i++)
				sticky_put(s, APP, session(w * EACH + i, text), ONE, 1 + i);
			_exit(0);
		}
	}
	for (unsigned w = 0; w < WORKERS; w++) {
		int status;

		assert_int_equal(waitpid(pids[w], &status, 0), pids[w]);
		assert_int_equal(status, 0);
	}
	known = count_known(s, 0, WORKERS * EACH, 5000);
	assert_true(known >= WORKERS * EACH * 999 / 1000);
	sticky_free(s);
}

/* Writers and readers tear at one bucket: a session may get lost, but never found at a server that did not
 * issue it. */
static void test_never_a_wrong_server(void **state)
{
	enum { WORKERS = 4, ROUNDS = 40000 };
	struct sticky *s;
	pid_t pids[WORKERS];

	(void)state;
	assert_int_equal(sticky_new(8, &s), 0);
	for (unsigned w = 0; w < WORKERS; w++) {
		pids[w] = fork();
		assert_true(pids[w] >= 0);
		if (pids[w] == 0) {
			/* Even sessions belong to ONE, odd ones to TWO; 32 of them share 8 entries. */
			for (unsigned i = 0; i < ROUNDS; i++) {
				unsigned n = (i * 7 + w * 3) % 32;
				char text[32];
				struct slice id = session(n, text);

				if (i % 2)
					sticky_put(s, APP, id, n % 2 ? TWO : ONE, 1 + i);
				else if (sticky_is(s, APP, id, n % 2 ? ONE : TWO, 1 + i))
					_exit(1);
			}
			_exit(0);
		}
	}
	for (unsigned w = 0; w < WORKERS; w++) {
		int status;

		assert_int_equal(waitpid(pids[w], &status, 0), pids[w]);
		assert_int_equal(status, 0);
	}
	sticky_free(s);
}

/* Two tables draw different keys: nobody can prepare session ids that crowd one bucket. */
static void test_keyed(void **state)
{
	struct sticky *a, *b;
	char text[32];
	unsigned same = 0;

	(void)state;
	assert_int_equal(sticky_new(256, &a), 0);
	assert_int_equal(sticky_new(256, &b), 0);
	for (unsigned i = 0; i < 1024; i++) {
		sticky_put(a, APP, session(i, text), ONE, 1 + i);
		sticky_put(b, APP, session(i, text), ONE, 1 + i);
	}
	/* Each bucket keeps its 8 newest; which sessions share a bucket differs. */
	for (unsigned i = 0; i < 1024; i++)
		same += sticky_is(a, APP, session(i, text), ONE, 1100) ==
			sticky_is(b, APP, session(i, text), ONE, 1100);
	assert_true(same < 1024);
	sticky_free(a);
	sticky_free(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_known_and_unknown),
		cmocka_unit_test(test_moves_to_another_server),
		cmocka_unit_test(test_time_zero_and_empty_values),
		cmocka_unit_test(test_holds_what_it_was_made_for),
		cmocka_unit_test(test_the_oldest_gives_way),
		cmocka_unit_test(test_shared_by_forked_workers),
		cmocka_unit_test(test_never_a_wrong_server),
		cmocka_unit_test(test_keyed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
