/* sluicectl: asks a running sluice over its admin socket. Tables for eyes, --json for scripts. Holds no
 * state. */
#include "base/buf.h"
#include "base/clock.h"
#include "sluice/abi.h"
#include "sluice/admin.h"
#include <getopt.h>
#include <jansson.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

struct request {
	const char *instance, *admin;
	bool json;
};

static int usage(FILE *to, int status)
{
	fprintf(to, "sluicectl [--instance NAME | --admin PATH] [--json] VERB\n\n"
		    "  streams          one line per live stream\n"
		    "  totals           counters since the start\n"
		    "  workers          the worker processes\n"
		    "  reload           read the config file again\n"
		    "  drain            stop accepting, close streams over the window, end\n"
		    "  kill ID          end one stream\n"
		    "  log-level LEVEL  error, warn, info or debug\n");
	return status;
}

static int dial(const struct request *r)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	struct timeval limit = {.tv_sec = 10};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int n = r->admin ? snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", r->admin)
			 : snprintf(addr.sun_path, sizeof(addr.sun_path), SLUICE_RUN_DIR "/%s.sock",
				   r->instance);

	if (fd < 0 || n >= (int)sizeof(addr.sun_path)) {
		fprintf(stderr, "sluicectl: the socket's path is too long\n");
		return -1;
	}
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	if (connect(fd, (struct sockaddr *)&addr, sizeof(addr))) {
		fprintf(stderr,
			"sluicectl: %s: %s; is sluice running under this instance name, and are you its "
			"user?\n",
			addr.sun_path, strerror(errno));
		close(fd);
		return -1;
	}
	return fd;
}

/* The answer, NUL-terminated, or NULL after saying why not. */
static char *ask(const struct request *r, const char *verb, const char *arg)
{
	_cleanup_close_ int fd = dial(r);
	struct buf answer = {0};
	char line[SLUICE_ADMIN_MAX_LINE];
	int n = snprintf(line, sizeof(line), "%s%s%s\n", verb, arg ? " " : "", arg ? arg : "");
	ssize_t got = 0;

	if (fd < 0)
		return NULL;
	if (n >= (int)sizeof(line) || send(fd, line, (size_t)n, MSG_NOSIGNAL) != n) {
		fprintf(stderr, "sluicectl: cannot send: %s\n", strerror(errno));
		return NULL;
	}
	do {
		if (buf_reserve(&answer, 64 * 1024))
			break;
		got = recv(fd, answer.data + answer.len, answer.cap - answer.len - 1, 0);
		answer.len += got > 0 ? (size_t)got : 0;
	} while (got > 0);
	if (got < 0 || !answer.len) {
		fprintf(stderr, "sluicectl: no answer: %s\n",
			got < 0 ? strerror(errno) : "the connection was closed");
		buf_reset(&answer);
		return NULL;
	}
	answer.data[answer.len] = '\0';
	return answer.data;
}

static const char *text_of(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s ? s : "";
}

static long long int_of(const json_t *o, const char *key)
{
	return json_integer_value(json_object_get(o, key));
}

/* "4s", "12m", "3h", "2d"; "-" for null. */
static const char *age_of(const json_t *o, const char *key, char out[16])
{
	const json_t *v = json_object_get(o, key);
	long long ms = json_integer_value(v);

	if (!json_is_integer(v))
		snprintf(out, 16, "-");
	else if (ms < 10 * (long long)MS_PER_S)
		snprintf(out, 16, "%.1fs", (double)ms / 1000);
	else if (ms < 600 * (long long)MS_PER_S)
		snprintf(out, 16, "%llds", ms / 1000);
	else if (ms < 36000 * (long long)MS_PER_S)
		snprintf(out, 16, "%lldm", ms / 60000);
	else
		snprintf(out, 16, "%lldh", ms / 3600000);
	return out;
}

static void print_streams(const json_t *list)
{
	size_t i;
	const json_t *o;
	char age[16], last[16];

	printf("%-16s %-7s %-22s %-14s %8s %8s %10s %8s %8s  %s\n", "ID", "LANE", "CLIENT", "ROUTE", "AGE",
		"LAST", "EVENTS", "PENDING", "SNDBUF", "REQUEST");
	json_array_foreach(list, i, o) printf(
		"%-16lld %-7s %-22s %-14.14s %8s %8s %10lld %8lld %8lld  %s %s%s\n", int_of(o, "id"),
		text_of(o, "lane"), text_of(o, "client"), text_of(o, "route"), age_of(o, "age_ms", age),
		age_of(o, "last_in_ms", last), int_of(o, "events"), int_of(o, "pending"), int_of(o, "sndbuf"),
		text_of(o, "method"), text_of(o, "host"), text_of(o, "path"));
}

static void print_object(const json_t *o, int indent)
{
	const char *key;
	json_t *v;

	json_object_foreach((json_t *)o, key, v)
	{
		if (json_is_object(v)) {
			printf("%*s%s\n", indent, "", key);
			print_object(v, indent + 2);
		} else if (json_is_integer(v)) {
			printf("%*s%-*s %lld\n", indent, "", 28 - indent, key,
				(long long)json_integer_value(v));
		}
	}
}

static void print_workers(const json_t *list)
{
	size_t i;
	const json_t *o;
	char age[16];

	printf("%-8s %8s %8s %9s\n", "WORKER", "PID", "AGE", "RESTARTS");
	json_array_foreach(list, i, o) printf("%-8lld %8lld %8s %9lld\n", int_of(o, "worker"),
		int_of(o, "pid"), age_of(o, "age_ms", age), int_of(o, "restarts"));
}

static int show(const char *verb, const json_t *answer)
{
	const json_t *ok = json_object_get(answer, "ok");

	if (json_is_false(ok)) {
		fprintf(stderr, "sluicectl: %s: %s\n", verb, text_of(answer, "error"));
		return 1;
	}
	if (strcmp(verb, "streams") == 0)
		print_streams(answer);
	else if (strcmp(verb, "workers") == 0)
		print_workers(answer);
	else if (strcmp(verb, "totals") == 0)
		print_object(answer, 0);
	else
		puts("done");
	return 0;
}

static int run(const struct request *r, const char *verb, const char *arg)
{
	_cleanup_free_ char *answer = ask(r, verb, arg);
	json_error_t err;
	json_t *json;
	int status;

	if (!answer)
		return 1;
	json = json_loads(answer, 0, &err);
	if (!json) {
		fprintf(stderr, "sluicectl: the answer is not JSON: %s\n", err.text);
		return 1;
	}
	if (r->json) {
		puts(answer);
		status = json_is_false(json_object_get(json, "ok"));
	} else {
		status = show(verb, json);
	}
	json_decref(json);
	return status;
}

int main(int argc, char **argv)
{
	static const struct option flags[] = {
		{"instance", required_argument, NULL, 'i'},
		{"admin", required_argument, NULL, 'a'},
		{"json", no_argument, NULL, 'j'},
		{"help", no_argument, NULL, 'h'},
		{0},
	};
	struct request r = {.instance = SLUICE_DEFAULT_INSTANCE};
	int flag;

	/* Flags may stand before and behind the verb: getopt_long reorders. */
	while ((flag = getopt_long(argc, argv, "h", flags, NULL)) != -1) {
		if (flag == 'i')
			r.instance = optarg;
		else if (flag == 'a')
			r.admin = optarg;
		else if (flag == 'j')
			r.json = true;
		else
			return usage(flag == 'h' ? stdout : stderr, flag == 'h' ? 0 : 2);
	}
	if (optind >= argc || argc - optind > 2)
		return usage(stderr, 2);
	return run(&r, argv[optind], optind + 1 < argc ? argv[optind + 1] : NULL);
}
