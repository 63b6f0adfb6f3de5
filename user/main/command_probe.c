/* `sluice probe`: what this host can do for sluice, found out by trying. */
#include "base/util.h"
#include "main/commands.h"
#include "main/options.h"
#include <jansson.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/utsname.h>

struct finding {
	const char *name;
	bool ok;
	char detail[160];
	const char *fallback; /* what happens without it */
};

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

static size_t look(struct finding *f)
{
	size_t n = 0;

	f[n] = (struct finding){.name = "so_reuseport", .fallback = "workers cannot share a port: use one"};
	f[n].ok = try_option(SOL_SOCKET, SO_REUSEPORT, f[n].detail, sizeof(f[n].detail));
	n++;
	f[n] = (struct finding){.name = "tcp_user_timeout", .fallback = "dead clients are found by keepalive only"};
	f[n].ok = try_option(IPPROTO_TCP, TCP_USER_TIMEOUT, f[n].detail, sizeof(f[n].detail));
	n++;
	f[n] = (struct finding){.name = "tcp_notsent_lowat", .fallback = "lag shows later"};
	f[n].ok = try_option(IPPROTO_TCP, TCP_NOTSENT_LOWAT, f[n].detail, sizeof(f[n].detail));
	n++;
	f[n] = (struct finding){.name = "ipv6", .fallback = "IPv4 only"};
	f[n].ok = try_ipv6(f[n].detail, sizeof(f[n].detail));
	n++;
	f[n] = (struct finding){.name = "files", .fallback = "raise the hard limit (LimitNOFILE= in systemd)"};
	f[n].ok = look_at_fds(f[n].detail, sizeof(f[n].detail));
	n++;
	return n;
}

static void print_table(const struct utsname *u, const struct finding *f, size_t n)
{
	printf("kernel %s %s\n", u->release, u->machine);
	for (size_t i = 0; i < n; i++)
		printf("  %-4s %-20s %s%s%s\n", f[i].ok ? "yes" : "NO", f[i].name, f[i].detail,
			f[i].ok ? "" : "; without it: ", f[i].ok ? "" : f[i].fallback);
}

static int print_json(const struct utsname *u, const struct finding *f, size_t n)
{
	json_t *o = json_pack("{s:s,s:s,s:[]}", "kernel", u->release, "machine", u->machine, "features");
	char *text;

	for (size_t i = 0; i < n; i++)
		json_array_append_new(json_object_get(o, "features"),
			json_pack("{s:s,s:b,s:s,s:s}", "name", f[i].name, "ok", f[i].ok, "detail", f[i].detail,
				"fallback", f[i].fallback));
	text = json_dumps(o, JSON_INDENT(2));
	if (text)
		puts(text);
	free(text);
	json_decref(o);
	return text ? 0 : 1;
}

int command_probe(int argc, char **argv)
{
	struct finding findings[16] = {0};
	struct utsname u;
	struct options o;
	size_t n;

	if (options_parse("probe", argc, argv, &o))
		return 2;
	uname(&u);
	n = look(findings);
	if (o.json)
		return print_json(&u, findings, n);
	print_table(&u, findings, n);
	return 0;
}
