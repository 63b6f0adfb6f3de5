/* sluice-exporter: shows a running sluice to Prometheus. Reads the daemon's tables from outside; holds
 * nothing but what it needs to do so, and outlives the daemon. */
#include "exporter/http.h"
#include <getopt.h>
#include <signal.h>
#include <stdio.h>

#define DEFAULT_LISTEN "127.0.0.1:9808"
#define TOP_MAX	       1000

struct settings_of_exporter {
	const char *listen;
	struct view_params where;
	size_t top;
};

static int usage(FILE *to, int status)
{
	fprintf(to, "sluice-exporter [--instance NAME | --admin PATH] [--listen ADDR:PORT] [--top N]\n\n"
		    "  --instance NAME     which sluice (" SLUICE_DEFAULT_INSTANCE ")\n"
		    "  --admin PATH        its admin socket, where that is not the usual one\n"
		    "  --listen ADDR:PORT  where /metrics, /healthz and /readyz are (" DEFAULT_LISTEN ")\n"
		    "  --top N             a series for each of the N streams that lag most (0: none)\n"
		    "  --version, --help\n");
	return status;
}

/* 0 to go on, else the exit status + 1. */
static int options_read(int argc, char **argv, struct settings_of_exporter *s)
{
	static const struct option flags[] = {{"instance", required_argument, NULL, 'i'},
		{"admin", required_argument, NULL, 'a'}, {"listen", required_argument, NULL, 'l'},
		{"top", required_argument, NULL, 't'}, {"version", no_argument, NULL, 'V'},
		{"help", no_argument, NULL, 'h'}, {0}};
	char *end;
	int flag;

	while ((flag = getopt_long(argc, argv, "", flags, NULL)) >= 0) {
		switch (flag) {
		case 'i':
			s->where.instance = optarg;
			break;
		case 'a':
			s->where.admin = optarg;
			break;
		case 'l':
			s->listen = optarg;
			break;
		case 't':
			s->top = strtoul(optarg, &end, 10);
			if (*end || end == optarg || *optarg == '-' || s->top > TOP_MAX) {
				fprintf(stderr, "sluice-exporter: --top takes 0 to %d, found \"%s\"\n",
					TOP_MAX, optarg);
				return 2 + 1;
			}
			break;
		case 'V':
			puts("sluice-exporter " SLUICE_VERSION);
			return 0 + 1;
		case 'h':
			return usage(stdout, 0) + 1;
		default:
			return usage(stderr, 2) + 1;
		}
	}
	return optind < argc ? usage(stderr, 2) + 1 : 0;
}

int main(int argc, char **argv)
{
	struct settings_of_exporter s = {.listen = DEFAULT_LISTEN};
	static struct http http;
	const char *colon;
	unsigned port;
	sigset_t stop;
	int err = options_read(argc, argv, &s), signo;

	if (err)
		return err - 1;
	sigemptyset(&stop);
	sigaddset(&stop, SIGTERM);
	sigaddset(&stop, SIGINT);
	sigprocmask(SIG_BLOCK, &stop, NULL);
	signal(SIGPIPE, SIG_IGN);
	http.where = s.where;
	http.page.top = s.top;
	err = http_start(&http, s.listen, &port);
	if (err) {
		fprintf(stderr, "sluice-exporter: --listen %s: %s\n", s.listen,
			err == -EINVAL ? "ADDR:PORT with an IPv4 address or [an IPv6 address] is wanted"
				       : strerror(-err));
		return err == -EINVAL ? 2 : 1;
	}
	colon = strrchr(s.listen, ':');
	fprintf(stderr, "sluice-exporter: listening on %.*s:%u\n", (int)(colon - s.listen), s.listen, port);
	sigwait(&stop, &signo);
	http_stop(&http);
	return 0;
}
