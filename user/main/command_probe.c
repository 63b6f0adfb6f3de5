/* `sluice probe`: what this host can do for sluice, found out by trying. */
#include "base/util.h"
#include "kern/probe.h"
#include "main/commands.h"
#include "main/options.h"
#include "tls/tls.h"
#include <fcntl.h>
#include <jansson.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/utsname.h>

static bool try_option(int level, int option, char *detail, size_t size)
{
	_cleanup_close_ int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_TCP);
	int one = 1;

	if (fd < 0 || setsockopt(fd, level, option, &one, sizeof(one))) {
		snprintf(detail, size, "%s", strerror(errno));
		return false;
	}
	snprintf(detail, size, "works");
	return true;
}

static bool try_ipv6(char *detail, size_t size)
{
	_cleanup_close_ int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_TCP);

	snprintf(detail, size, "%s", fd < 0 ? strerror(errno) : "works");
	return fd >= 0;
}

static bool look_at_fds(char *detail, size_t size)
{
	struct rlimit r = {0};

	getrlimit(RLIMIT_NOFILE, &r);
	snprintf(detail, size, "%llu files a worker: about %llu streams", (unsigned long long)r.rlim_max,
		(unsigned long long)r.rlim_max / 2);
	return r.rlim_max >= 1024;
}

/* Grouped by sessions, the scheduler lets kworkers wait beside busy processes (docs/KERNEL.md, "What kworkers
 * cost"). A kernel without the switch does not group. */
static bool look_at_autogroup(char *detail, size_t size)
{
	_cleanup_close_ int fd = open("/proc/sys/kernel/sched_autogroup_enabled", O_RDONLY | O_CLOEXEC);
	char on = '0';

	if (fd >= 0 && read(fd, &on, 1) != 1)
		on = '0';
	snprintf(detail, size, "kernel.sched_autogroup_enabled is %c", on);
	return on == '0';
}

static size_t look(struct probe_result *f)
{
	size_t n = 0;

	f[n] = (struct probe_result){
		.name = "so_reuseport", .fallback = "workers cannot share a port: use one"};
	f[n].ok = try_option(SOL_SOCKET, SO_REUSEPORT, f[n].detail, sizeof(f[n].detail));
	n++;
	f[n] = (struct probe_result){
		.name = "tcp_user_timeout", .fallback = "dead clients are found by keepalive only"};
	f[n].ok = try_option(IPPROTO_TCP, TCP_USER_TIMEOUT, f[n].detail, sizeof(f[n].detail));
	n++;
	f[n] = (struct probe_result){.name = "tcp_notsent_lowat", .fallback = "lag shows later"};
	f[n].ok = try_option(IPPROTO_TCP, TCP_NOTSENT_LOWAT, f[n].detail, sizeof(f[n].detail));
	n++;
	f[n] = (struct probe_result){.name = "ipv6", .fallback = "IPv4 only"};
	f[n].ok = try_ipv6(f[n].detail, sizeof(f[n].detail));
	n++;
	f[n] = (struct probe_result){
		.name = "ktls", .since = "4.13; 5.1 for TLS 1.3", .fallback = "sluice encrypts in userspace"};
	f[n].ok = tls_ktls_try(f[n].detail, sizeof(f[n].detail)) == 0;
	if (f[n].ok)
		snprintf(f[n].detail, sizeof(f[n].detail), "sends TLS 1.2 and 1.3");
	n++;
	f[n] = (struct probe_result){.name = "no autogroup",
		.fallback = "beside busy processes a spliced event may be late by seconds; set it to 0"};
	f[n].ok = look_at_autogroup(f[n].detail, sizeof(f[n].detail));
	n++;
	f[n] = (struct probe_result){
		.name = "files", .fallback = "raise the hard limit (LimitNOFILE= in systemd)"};
	f[n].ok = look_at_fds(f[n].detail, sizeof(f[n].detail));
	n++;
	return n;
}

static void print_results(const char *title, const struct probe_result *f, size_t n)
{
	printf("%s\n", title);
	for (size_t i = 0; i < n; i++) {
		printf("  %-4s %-22s %s", f[i].ok ? "yes" : "NO", f[i].name, f[i].detail);
		if (f[i].since && !f[i].ok)
			printf(" (since %s)", f[i].since);
		if (!f[i].ok && f[i].fallback)
			printf("; without it: %s", f[i].fallback);
		putchar('\n');
	}
}

static void print_table(
	const struct utsname *u, const struct probe_result *host, size_t n, const struct probe *kernel)
{
	printf("kernel %s %s\n", u->release, u->machine);
	print_results("host", host, n);
	print_results("splice lane", kernel->results, kernel->count);
	printf("\nsplice lane: %s\n", kernel->splice ? "works here" : "off; streams are copied");
}

static json_t *results_json(const struct probe_result *f, size_t n)
{
	json_t *list = json_array();

	for (size_t i = 0; i < n; i++)
		json_array_append_new(
			list, json_pack("{s:s,s:b,s:s,s:s?,s:s?}", "name", f[i].name, "ok", f[i].ok, "detail",
				      f[i].detail, "since", f[i].since, "fallback", f[i].fallback));
	return list;
}

static int print_json(
	const struct utsname *u, const struct probe_result *host, size_t n, const struct probe *kernel)
{
	json_t *o = json_pack("{s:s,s:s,s:b,s:o,s:o}", "kernel", u->release, "machine", u->machine, "splice",
		kernel->splice, "host", results_json(host, n), "splice_lane",
		results_json(kernel->results, kernel->count));
	char *text = json_dumps(o, JSON_INDENT(2));

	if (text)
		puts(text);
	free(text);
	json_decref(o);
	return text ? 0 : 1;
}

int command_probe(int argc, char **argv)
{
	struct probe_result host[8] = {0};
	static struct probe kernel;
	struct utsname u;
	struct options o;
	size_t n;

	if (options_parse("probe", argc, argv, &o))
		return 2;
	uname(&u);
	n = look(host);
	probe_run(&kernel);
	if (o.json)
		return print_json(&u, host, n, &kernel);
	print_table(&u, host, n, &kernel);
	return 0;
}
