/* main/acceptors: all sockets are listened on, or none is and those of before stay. */
#include "loop_world.h"
#include "main/acceptors.h"
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>

static int listening(void)
{
	struct sockaddr_in any = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&any, sizeof(any)), 0);
	assert_int_equal(listen(fd, 8), 0);
	return fd;
}

static bool is_open(int fd)
{
	return fcntl(fd, F_GETFD) >= 0;
}

static void one_that_fails_leaves_the_old_ones(void **state)
{
	struct listener_settings listeners[3] = {{.listen = "a"}, {.listen = "b"}, {.listen = "c"}};
	const struct settings settings = {.listeners = listeners, .nlisteners = 3};
	struct acceptors old = {0}, next = {0};
	struct env env = {0};
	int first = listening(), fds[3];

	(void)state;
	assert_int_equal(loop_new(&loop), 0);
	env.loop = loop;
	assert_int_equal(acceptors_open(&old, &env, &settings, &first, 1), 0);
	fds[0] = fcntl(first, F_DUPFD_CLOEXEC, 0);
	fds[1] = open("/proc/self/exe", O_RDONLY | O_CLOEXEC); /* epoll refuses a file: EPERM */
	fds[2] = listening();
	assert_int_equal(acceptors_open(&next, &env, &settings, fds, 3), -EPERM);
	assert_int_equal(next.count, 0);
	for (int i = 0; i < 3; i++)
		assert_false(is_open(fds[i]));
	assert_int_equal(old.count, 1);
	assert_true(is_open(first) && old.list[0].source.armed);

	/* And one that works takes over the same address. */
	fds[0] = fcntl(first, F_DUPFD_CLOEXEC, 0);
	fds[1] = listening();
	assert_int_equal(acceptors_open(&next, &env, &settings, fds, 2), 0);
	acceptors_close(&old);
	assert_false(is_open(first));
	assert_int_equal(next.count, 2);
	assert_true(is_open(fds[0]) && is_open(fds[1]));
	acceptors_close(&next);
	assert_false(is_open(fds[0]) || is_open(fds[1]));
	loop_free(loop);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_that_fails_leaves_the_old_ones),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
