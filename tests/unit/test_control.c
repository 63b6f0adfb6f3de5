/* main/control: messages and fds between master and worker. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "main/control.h"
#include <fcntl.h>
#include <sys/stat.h>

static struct control_message m, got;

static void words_and_fds_arrive(void **state)
{
	int ends[2], file[2];
	struct stat sent, received;

	(void)state;
	assert_int_equal(control_pair(ends), 0);
	assert_int_equal(control_receive(ends[1], &got), 0);
	assert_int_equal(control_say(ends[0], CONTROL_DRAIN, 1234), 0);
	assert_int_equal(control_receive(ends[1], &got), 1);
	assert_int_equal(got.kind, CONTROL_DRAIN);
	assert_int_equal(got.arg, 1234);
	assert_int_equal(got.nfds, 0);

	assert_int_equal(pipe(file), 0);
	m = (struct control_message){.kind = CONTROL_RELOAD, .nfds = 2, .fds = {file[0], file[1]}};
	assert_int_equal(control_send(ends[0], &m), 0);
	assert_int_equal(control_receive(ends[1], &got), 1);
	assert_int_equal(got.nfds, 2);
	assert_int_not_equal(got.fds[0], file[0]);
	assert_int_equal(fstat(file[0], &sent), 0);
	assert_int_equal(fstat(got.fds[0], &received), 0);
	assert_int_equal(sent.st_ino, received.st_ino);
	assert_true(fcntl(got.fds[1], F_GETFD) & FD_CLOEXEC);
	for (int i = 0; i < 2; i++) {
		close(file[i]);
		close(got.fds[i]);
	}
	close(ends[0]);
	assert_int_equal(control_receive(ends[1], &got), -EPIPE);
	close(ends[1]);
}

static void as_many_fds_as_promised(void **state)
{
	int ends[2];

	(void)state;
	assert_int_equal(control_pair(ends), 0);
	m = (struct control_message){.kind = CONTROL_RELOAD, .nfds = CONTROL_MAX_FDS};
	for (int i = 0; i < CONTROL_MAX_FDS; i++)
		m.fds[i] = ends[0];
	assert_int_equal(control_send(ends[0], &m), 0);
	assert_int_equal(control_receive(ends[1], &got), 1);
	assert_int_equal(got.nfds, CONTROL_MAX_FDS);
	for (int i = 0; i < CONTROL_MAX_FDS; i++)
		close(got.fds[i]);
	m.nfds++;
	assert_int_equal(control_send(ends[0], &m), -E2BIG);
	close(ends[0]);
	close(ends[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(words_and_fds_arrive),
		cmocka_unit_test(as_many_fds_as_promised),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
