/* Listening, dialling and the socket options, on real sockets of the loopback. */
#include "net/addr.h"
#include "net/dial.h"
#include "net/listen.h"
#include "net/tuning.h"
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>

static const struct settings plain = {
	.user_timeout_ms = 60000, .tcp_keepalive_ms = 15000, .notsent_lowat = 16384};
static char why[256];
static char folder[] = "/tmp/sluice-listen-XXXXXX";

static int option(int fd, int level, int name)
{
	int value = -1;
	socklen_t len = sizeof(value);

	assert_int_equal(getsockopt(fd, level, name, &value, &len), 0);
	return value;
}

static struct listener_settings listener(const char *text)
{
	struct listener_settings l = {.listen = (char *)text, .backlog = 64, .unix_mode = 0660};

	assert_int_equal(addr_parse(text, &l.addr), 0);
	return l;
}

static int open_ok(const struct listener_settings *l, struct sockaddr_any *ret_bound)
{
	int fd = -1, err = listen_open(l, &fd, why, sizeof(why));

	if (err)
		fail_msg("%s", why);
	assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	assert_int_equal(listen_address(fd, ret_bound), 0);
	return fd;
}

static bool no_ipv6(void)
{
	struct sockaddr_any a;
	int fd = socket(AF_INET6, SOCK_STREAM, IPPROTO_TCP);
	bool none;

	assert_int_equal(addr_parse("[::1]:0", &a), 0);
	none = fd < 0 || bind(fd, &a.sa, a.len);
	if (none)
		print_message("skipped: this machine has no IPv6 loopback: %s\n", strerror(errno));
	if (fd >= 0)
		close(fd);
	return none;
}

static int wait_writable(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLOUT};

	return poll(&p, 1, 2000);
}

static int dial_ok(const struct sockaddr_any *to)
{
	int fd = -1;

	assert_int_equal(dial_start(to, &plain, &fd), 0);
	assert_int_equal(wait_writable(fd), 1);
	assert_int_equal(dial_result(fd), 0);
	return fd;
}

static int accept_one(int listening)
{
	struct pollfd p = {.fd = listening, .events = POLLIN};
	int fd;

	assert_int_equal(poll(&p, 1, 2000), 1);
	fd = accept4(listening, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	assert_true(fd >= 0);
	return fd;
}

static struct listener_settings unix_listener(char *text, size_t size, const char *name)
{
	snprintf(text, size, "unix:%s/%s", folder, name);
	return listener(text);
}

static void listens_and_is_dialled(const char *text)
{
	struct listener_settings l = listener(text);
	struct sockaddr_any bound;
	int fd = open_ok(&l, &bound), client, server;

	assert_int_not_equal(bound.in4.sin_port, 0); /* same place in both families */
	assert_int_equal(option(fd, SOL_SOCKET, SO_PROTOCOL), IPPROTO_TCP);
	assert_int_equal(option(fd, SOL_SOCKET, SO_REUSEPORT), 1);
	assert_int_equal(option(fd, SOL_SOCKET, SO_REUSEADDR), 1);
	assert_int_equal(option(fd, IPPROTO_TCP, TCP_DEFER_ACCEPT), 0);
	client = dial_ok(&bound);
	assert_int_equal(option(client, SOL_SOCKET, SO_PROTOCOL), IPPROTO_TCP);
	assert_true(fcntl(client, F_GETFL) & O_NONBLOCK);
	assert_true(fcntl(client, F_GETFD) & FD_CLOEXEC);
	server = accept_one(fd);
	close(server);
	close(client);
	close(fd);
}

static void test_ipv4(void **state)
{
	(void)state;
	listens_and_is_dialled("127.0.0.1:0");
}

static void test_ipv6(void **state)
{
	(void)state;
	if (no_ipv6())
		skip();
	listens_and_is_dialled("[::1]:0");
}

/* One listener per worker on one address; each gets its share. */
static void test_two_workers_share_a_port(void **state)
{
	struct listener_settings l = listener("127.0.0.1:0");
	struct sockaddr_any bound;
	int a = open_ok(&l, &bound), b, clients[64];
	unsigned to_a = 0, to_b = 0;

	(void)state;
	l.addr = bound;
	b = open_ok(&l, &bound);
	for (size_t i = 0; i < ARRAY_LEN(clients); i++)
		clients[i] = dial_ok(&bound);
	for (int fd; (fd = accept4(a, NULL, NULL, 0)) >= 0; to_a++)
		close(fd);
	for (int fd; (fd = accept4(b, NULL, NULL, 0)) >= 0; to_b++)
		close(fd);
	assert_int_equal(to_a + to_b, ARRAY_LEN(clients));
	assert_true(to_a > 0 && to_b > 0);
	for (size_t i = 0; i < ARRAY_LEN(clients); i++)
		close(clients[i]);
	close(a);
	close(b);
}

/* "[::]" takes IPv4 too, whatever the sysctl says. */
static void test_any_address_is_dual_stack(void **state)
{
	struct listener_settings l = listener("[::]:0");
	struct sockaddr_any bound, v4;
	int fd, client;

	(void)state;
	if (no_ipv6())
		skip();
	fd = open_ok(&l, &bound);
	assert_int_equal(option(fd, IPPROTO_IPV6, IPV6_V6ONLY), 0);
	assert_int_equal(addr_parse("127.0.0.1:1", &v4), 0);
	v4.in4.sin_port = bound.in6.sin6_port;
	client = dial_ok(&v4);
	close(accept_one(fd));
	close(client);
	close(fd);
}

static void test_port_in_use(void **state)
{
	struct listener_settings l = listener("127.0.0.1:0");
	int plain_fd = socket(AF_INET, SOCK_STREAM, 0), fd = 77;

	(void)state;
	/* Another program's: without SO_REUSEPORT. */
	assert_int_equal(bind(plain_fd, &l.addr.sa, l.addr.len), 0);
	assert_int_equal(listen(plain_fd, 1), 0);
	assert_int_equal(listen_address(plain_fd, &l.addr), 0);
	assert_int_equal(listen_open(&l, &fd, why, sizeof(why)), -EADDRINUSE);
	assert_int_equal(fd, 77);
	assert_non_null(strstr(
		why, "listen 127.0.0.1:0: bind: Address already in use; another program listens there"));
	close(plain_fd);
}

static void test_foreign_address(void **state)
{
	struct listener_settings l = listener("203.0.113.9:8080");
	int fd = 77;

	(void)state;
	assert_int_equal(listen_open(&l, &fd, why, sizeof(why)), -EADDRNOTAVAIL);
	assert_int_equal(fd, 77);
	assert_non_null(strstr(why, "no interface of this machine has that address"));
}

static void test_unix_socket(void **state)
{
	char text[128];
	struct listener_settings l = unix_listener(text, sizeof(text), "mode.sock");
	struct sockaddr_any bound;
	struct stat st;
	mode_t mask = umask(0077);
	int fd, client;

	(void)state;
	fd = open_ok(&l, &bound);
	umask(mask);
	assert_int_equal(stat(l.addr.un.sun_path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0660); /* as said, not as the umask would have it */
	client = dial_ok(&l.addr);
	close(accept_one(fd));
	close(client);
	close(fd);
	assert_int_equal(unlink(l.addr.un.sun_path), 0);
}

static void test_unix_stale_file_is_replaced(void **state)
{
	char text[128];
	struct listener_settings l = unix_listener(text, sizeof(text), "stale.sock");
	struct sockaddr_any bound;

	(void)state;
	close(open_ok(&l, &bound)); /* closed, and its file stays: a program that crashed */
	close(open_ok(&l, &bound));
	assert_int_equal(unlink(l.addr.un.sun_path), 0);
}

static void test_unix_live_one_is_left_alone(void **state)
{
	char text[128];
	struct listener_settings l = unix_listener(text, sizeof(text), "live.sock");
	struct sockaddr_any bound;
	int fd, other = 77, client;

	(void)state;
	l.backlog = 0;
	fd = open_ok(&l, &bound);
	assert_int_equal(listen_open(&l, &other, why, sizeof(why)), -EADDRINUSE);
	assert_non_null(strstr(why, "another program listens there"));
	/* The probe is in its queue now, which is full: still alive. */
	assert_int_equal(listen_open(&l, &other, why, sizeof(why)), -EADDRINUSE);
	assert_int_equal(other, 77);
	close(accept_one(fd));
	client = dial_ok(&l.addr);
	close(client);
	close(fd);
	assert_int_equal(unlink(l.addr.un.sun_path), 0);
}

static void test_unix_other_files_are_left_alone(void **state)
{
	char text[128];
	struct listener_settings l = unix_listener(text, sizeof(text), "precious.txt");
	struct stat st;
	int fd = open(l.addr.un.sun_path, O_CREAT | O_WRONLY, 0600);

	(void)state;
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(listen_open(&l, &fd, why, sizeof(why)), -EEXIST);
	assert_int_equal(stat(l.addr.un.sun_path, &st), 0);
	assert_int_equal(unlink(l.addr.un.sun_path), 0);
	l = unix_listener(text, sizeof(text), "no/such/folder.sock");
	assert_int_equal(listen_open(&l, &fd, why, sizeof(why)), -ENOENT);
	assert_non_null(strstr(why, "the folder does not exist"));
}

static void test_no_fds(void **state)
{
	struct listener_settings l = listener("127.0.0.1:0");
	struct rlimit was, none;
	int fd = 77, err, dial_err;

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &was), 0);
	none = was;
	none.rlim_cur = 0;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	err = listen_open(&l, &fd, why, sizeof(why));
	dial_err = dial_start(&l.addr, &plain, &fd);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &was), 0);
	assert_int_equal(err, -EMFILE);
	assert_int_equal(dial_err, -EMFILE);
	assert_int_equal(fd, 77);
	assert_non_null(strstr(why, "raise the limit of open files"));
}

static void test_dial_refused(void **state)
{
	struct listener_settings l = listener("127.0.0.1:0");
	struct sockaddr_any bound;
	int fd = open_ok(&l, &bound), client = 77;

	(void)state;
	close(fd); /* nobody listens there now */
	assert_int_equal(dial_start(&bound, &plain, &client), 0);
	assert_int_equal(wait_writable(client), 1);
	assert_int_equal(dial_result(client), -ECONNREFUSED);
	close(client);
	client = 77;
	assert_int_equal(addr_parse("unix:/nonexistent/x.sock", &bound), 0);
	assert_int_equal(dial_start(&bound, &plain, &client), -ENOENT);
	assert_int_equal(client, 77);
}

/* Not connected yet is not a success, though SO_ERROR is 0. */
static void test_dial_result_before_connect(void **state)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

	(void)state;
	assert_int_equal(dial_result(fd), -ENOTCONN);
	close(fd);
	assert_int_equal(dial_result(-1), -EBADF);
}

/* A socket that reached itself by simultaneous open is no upstream. */
static void test_dial_to_itself(void **state)
{
	struct sockaddr_any self;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, IPPROTO_TCP);

	(void)state;
	assert_int_equal(addr_parse("127.0.0.1:0", &self), 0);
	assert_int_equal(bind(fd, &self.sa, self.len), 0);
	assert_int_equal(listen_address(fd, &self), 0);
	if (connect(fd, &self.sa, self.len))
		assert_int_equal(errno, EINPROGRESS);
	assert_int_equal(wait_writable(fd), 1);
	assert_int_equal(dial_result(fd), -ECONNREFUSED);
	close(fd);
}

static void test_client_options(void **state)
{
	struct listener_settings l = listener("127.0.0.1:0");
	struct settings s = plain;
	struct sockaddr_any bound;
	int fd = open_ok(&l, &bound), client = dial_ok(&bound), server = accept_one(fd);

	(void)state;
	assert_int_equal(tuning_client(server, &s), 0);
	assert_int_equal(option(server, IPPROTO_TCP, TCP_NODELAY), 1);
	assert_int_equal(option(server, SOL_SOCKET, SO_KEEPALIVE), 1);
	assert_int_equal(option(server, IPPROTO_TCP, TCP_KEEPIDLE), 15);
	assert_int_equal(option(server, IPPROTO_TCP, TCP_KEEPINTVL), 5);
	assert_int_equal(option(server, IPPROTO_TCP, TCP_KEEPCNT), 3);
	assert_int_equal(option(server, IPPROTO_TCP, TCP_USER_TIMEOUT), 60000);
	assert_int_equal(option(server, IPPROTO_TCP, TCP_NOTSENT_LOWAT), 16384);
	s.notsent_lowat = 0; /* "no limit" must not fall back to the sysctl */
	s.tcp_keepalive_ms = 0;
	assert_int_equal(tuning_client(server, &s), 0);
	assert_int_equal(option(server, IPPROTO_TCP, TCP_NOTSENT_LOWAT), -1);
	assert_int_equal(option(server, SOL_SOCKET, SO_KEEPALIVE), 0);
	s.tcp_keepalive_ms = 1; /* seconds in the kernel: rounded up, never 0 */
	assert_int_equal(tuning_client(server, &s), 0);
	assert_int_equal(option(server, IPPROTO_TCP, TCP_KEEPIDLE), 1);
	assert_int_equal(option(server, IPPROTO_TCP, TCP_KEEPINTVL), 1);
	s.tcp_keepalive_ms = 30000;
	assert_int_equal(tuning_client(server, &s), 0);
	assert_int_equal(option(server, IPPROTO_TCP, TCP_KEEPINTVL), 10);
	s.tcp_keepalive_ms = UINT64_MAX / 2;
	s.user_timeout_ms = UINT64_MAX;
	s.notsent_lowat = UINT32_MAX;
	assert_int_equal(tuning_client(server, &s), 0);
	assert_int_equal(option(server, IPPROTO_TCP, TCP_KEEPIDLE), 32767);
	assert_int_equal(tuning_stream(server, 0), 0);
	assert_int_equal(tuning_stream(server, 16384), 0);
	assert_int_equal(option(server, SOL_SOCKET, SO_SNDBUF), 32768); /* the kernel doubles it */
	assert_int_equal(option(client, IPPROTO_TCP, TCP_NODELAY), 1);
	assert_int_equal(option(client, IPPROTO_TCP, TCP_KEEPIDLE), 15);
	assert_int_equal(tuning_client(-1, &s), -EBADF);
	close(server);
	close(client);
	close(fd);
}

static void test_unix_gets_no_tcp_options(void **state)
{
	int fds[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	assert_int_equal(tuning_client(fds[0], &plain), 0);
	assert_int_equal(tuning_upstream(fds[0], &plain), 0);
	assert_int_equal(tuning_stream(fds[0], 16384), 0);
	close(fds[0]);
	close(fds[1]);
}

static int make_folder(void **state)
{
	(void)state;
	return mkdtemp(folder) ? 0 : -1;
}

static int drop_folder(void **state)
{
	(void)state;
	return rmdir(folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ipv4),
		cmocka_unit_test(test_ipv6),
		cmocka_unit_test(test_two_workers_share_a_port),
		cmocka_unit_test(test_any_address_is_dual_stack),
		cmocka_unit_test(test_port_in_use),
		cmocka_unit_test(test_foreign_address),
		cmocka_unit_test(test_unix_socket),
		cmocka_unit_test(test_unix_stale_file_is_replaced),
		cmocka_unit_test(test_unix_live_one_is_left_alone),
		cmocka_unit_test(test_unix_other_files_are_left_alone),
		cmocka_unit_test(test_no_fds),
		cmocka_unit_test(test_dial_refused),
		cmocka_unit_test(test_dial_result_before_connect),
		cmocka_unit_test(test_dial_to_itself),
		cmocka_unit_test(test_client_options),
		cmocka_unit_test(test_unix_gets_no_tcp_options),
	};

	return cmocka_run_group_tests(tests, make_folder, drop_folder);
}
