#include "compare_stage.h"
#include "base/clock.h"
#include "cert.h"
#include "fetch.h"
#include "scenario.h"
#include "spawn.h"
#include "term.h"
#include <ftw.h>
#include <poll.h>
#include <stdarg.h>

#define READY_LIMIT_NS (10 * NS_PER_S)
#define OPEN_LIMIT_NS  (60 * NS_PER_S)

volatile int compare_interrupted;

static int remove_entry(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	(void)st;
	(void)flag;
	(void)ftw;
	remove(path);
	return 0;
}

void stage_done(struct stage *s)
{
	load_job_free(s->job);
	if (!spawn_stop(s->contender_pid))
		fprintf(stderr, "sluice-bench compare: %s did not end within 5 s of SIGTERM and was killed\n",
			s->contest->peer->name);
	spawn_stop(s->origin_pid);
	if (s->dir[0])
		nftw(s->dir, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

int stage_leave_out(struct stage *s, int err, const char *fmt, ...)
{
	char *out = s->contest->left_out;
	size_t size = sizeof(s->contest->left_out);
	va_list args;
	int n;

	va_start(args, fmt);
	n = vsnprintf(out, size, fmt, args);
	va_end(args);
	if (n > 0 && (size_t)n < size)
		snprintf(out + n, size - (size_t)n, ": %s", strerror(-err));
	return err;
}

void stage_progress(const struct stage *s, double part, const char *what)
{
	const struct compare *cmp = s->cmp;

	progress_show(&cmp->progress, part, "round %zu of %llu, %s: %s", cmp->round + 1,
		(unsigned long long)cmp->rounds, s->contest->peer->name, what);
}

/* 0 when the address answers a GET of /healthz with 200; `pid` 0: no process that could end meanwhile. */
static int wait_ready(const char *address, bool tls, pid_t pid)
{
	uint64_t deadline = clock_mono_ns() + READY_LIMIT_NS;
	char text[128];
	struct net_url url;
	int err;

	snprintf(text, sizeof(text), "%s://%s/healthz", tls ? "https" : "http", address);
	err = net_url_parse(text, &url);
	while (!err) {
		_cleanup_buf_ struct buf body = {0};

		if (!fetch_body(&url, MIN(deadline, clock_mono_ns() + NS_PER_S), &body))
			return 0;
		if (compare_interrupted)
			return -EINTR;
		if (pid && spawn_ended(pid))
			return -ECHILD;
		if (clock_mono_ns() > deadline)
			return -ETIMEDOUT;
		poll(NULL, 0, 20);
	}
	return err;
}

/* Behind a relay the origin speaks HTTP/1.1 in plaintext; without one it is what the clients come to. */
static bool origin_tls(const struct stage *s)
{
	return !s->contest->peer->argv[0] && s->cmp->client->tls;
}

static int start_origin(struct stage *s)
{
	struct compare *cmp = s->cmp;
	char rate[32], size[32], processes[24], log[96];
	char *argv[] = {(char *)cmp->self, "origin", "--listen", s->origin, "--rate", rate, "--size", size,
		"--processes", processes, origin_tls(s) ? "--cert" : NULL, s->cert, NULL};
	int err = topology_address(&cmp->topology, PLACE_ORIGIN, s->origin);

	if (err)
		return err;
	snprintf(rate, sizeof(rate), "%g", cmp->rate);
	snprintf(size, sizeof(size), "%llu", (unsigned long long)cmp->size);
	snprintf(processes, sizeof(processes), "%llu", (unsigned long long)cmp->processes);
	snprintf(log, sizeof(log), "%s/origin.log", s->dir);
	err = topology_spawn(&cmp->topology, PLACE_ORIGIN, argv, log, cmp->pinned ? &cmp->other_cpus : NULL,
		&s->origin_pid);
	if (err)
		return err;
	err = wait_ready(s->origin, origin_tls(s), s->origin_pid);
	if (err == -ECHILD)
		s->origin_pid = 0;
	return err;
}

/* The last line that the contender wrote, for the reason why it was left out. */
static void last_line(const char *path, char *out, size_t size)
{
	FILE *f = fopen(path, "re");
	char line[200];

	*out = 0;
	while (f && fgets(line, sizeof(line), f)) {
		line[strcspn(line, "\n")] = 0;
		if (line[0])
			snprintf(out, size, "%.*s", (int)size - 1, line);
	}
	if (f)
		fclose(f);
}

static int start_contender(struct stage *s)
{
	struct compare *cmp = s->cmp;
	const struct peer *p = s->contest->peer;
	char conf[96], log[96], said[160], instance[32], workers[24];
	struct peer_vars vars = {.listen = s->contender,
		.origin = s->origin,
		.dir = s->dir,
		.conf = conf,
		.cert = s->cert,
		.tls = cmp->client->tls,
		.sluice = cmp->sluice,
		.instance = instance,
		.workers = workers};
	char *argv[PEER_ARGS_MAX] = {NULL};
	int err;

	if (!p->argv[0]) {
		memcpy(s->contender, s->origin, sizeof(s->contender));
		return 0;
	}
	snprintf(instance, sizeof(instance), "bench-%d", getpid());
	snprintf(workers, sizeof(workers), "%llu", (unsigned long long)cmp->workers);
	snprintf(conf, sizeof(conf), "%s/peer.conf", s->dir);
	snprintf(log, sizeof(log), "%s/peer.log", s->dir);
	err = topology_address(&cmp->topology, PLACE_RELAY, s->contender);
	if (!err && p->conf)
		err = peer_write_conf(p, cmp->peers_dir, &vars);
	if (err)
		return stage_leave_out(
			s, err, "its config %s/%s cannot be used", cmp->peers_dir, p->conf ? p->conf : "");
	err = peer_argv(p->argv, &vars, argv);
	if (!err)
		err = topology_spawn(&cmp->topology, PLACE_RELAY, argv, log,
			cmp->pinned ? &cmp->contender_cpus : NULL, &s->contender_pid);
	if (err)
		err = stage_leave_out(s, err, "%s cannot be started", argv[0] ? argv[0] : p->name);
	peer_argv_free(argv);
	if (err)
		return err;
	err = wait_ready(s->contender, s->cmp->client->tls, s->contender_pid);
	if (err == -ECHILD)
		s->contender_pid = 0;
	if (err && err != -EINTR) {
		last_line(log, said, sizeof(said));
		return stage_leave_out(
			s, err, "it never passed a request on; it last said: %s", said[0] ? said : "nothing");
	}
	return err;
}

int stage_wait(
	struct stage *s, double seconds, uint64_t opened, double part_from, double part_to, const char *what)
{
	uint64_t begin = clock_mono_ns();
	double passed = 0;

	while (passed < seconds) {
		int err = load_job_check(s->job);

		if (err || compare_interrupted)
			return err ? err : -EINTR;
		if (opened && load_job_settled(s->job) >= opened)
			return 0;
		stage_progress(s, part_from + (part_to - part_from) * passed / seconds, what);
		poll(NULL, 0, (int)MIN((seconds - passed) * 1000 + 1, 100.0));
		passed = (double)(clock_mono_ns() - begin) / 1e9;
	}
	return opened ? -ETIMEDOUT : 0;
}

int stage_pause(struct stage *s, double seconds, const char *what)
{
	uint64_t until = clock_mono_ns() + (uint64_t)(seconds * (double)NS_PER_S);

	while (clock_mono_ns() < until) {
		if (compare_interrupted)
			return -EINTR;
		stage_progress(s, 0.95, what);
		poll(NULL, 0, 50);
	}
	return 0;
}

static int cpu_window(struct stage *s, void (*begin)(struct load_job *, double), double seconds, double from,
	double to, const char *what, struct cpu_use *ret)
{
	struct cpu_roots roots = {s->contender_pid, s->origin_pid, getpid()};
	_cleanup_(cpu_sample_done) struct cpu_sample before = {0}, after = {0};
	int err = cpu_sample_take(&before, &roots);

	if (err)
		return err;
	begin(s->job, seconds);
	err = stage_wait(s, seconds, 0, from, to, what);
	if (!err)
		err = cpu_sample_take(&after, &roots);
	if (!err)
		cpu_between(&before, &after, ret);
	return err;
}

int stage_cpu(struct stage *s, double seconds, const char *what, struct cpu_use *ret)
{
	return cpu_window(s, load_job_measure, seconds, 0.2, 0.5, what, ret);
}

int stage_cpu_second(struct stage *s, double seconds, const char *what, struct cpu_use *ret)
{
	return cpu_window(s, load_job_pause, seconds, 0.55, 0.9, what, ret);
}

void stage_fill_cores(double *values, const struct cpu_use *use, double seconds)
{
	values[METRIC_CORES] = (double)cpu_use_total(use) / 1e9 / seconds;
	values[METRIC_CORES_CONTENDER] = (double)use->ns[CPU_CONTENDER] / 1e9 / seconds;
	values[METRIC_CORES_OTHER] = (double)(use->ns[CPU_OTHER] + use->steal_ns) / 1e9 / seconds;
}

int stage_open_streams(struct stage *s, struct load_settings *load)
{
	const struct compare *cmp = s->cmp;
	char text[128];
	int err;

	load->http = cmp->client->http;
	load->per_connection = cmp->client->http == 2 ? cmp->per_connection : 1;
	load->streams = cmp->streams;
	load->processes = cmp->processes;
	load->cpus = cmp->pinned ? &cmp->other_cpus : NULL;
	snprintf(text, sizeof(text), "%s://%s/events%s", cmp->client->tls ? "https" : "http", s->contender,
		cmp->scenario->query ? cmp->scenario->query : "");
	err = net_url_parse(text, &load->to);
	if (!err)
		err = load_job_start(load, &s->job);
	if (!err)
		err = stage_wait(s, (double)OPEN_LIMIT_NS / 1e9, cmp->streams, 0.02, 0.05, "opening streams");
	return err;
}

int stage_one_window(struct stage *s, enum load_mode mode, const char *first, const char *then,
	double *values, struct cpu_use *ret)
{
	const struct compare *cmp = s->cmp;
	struct load_settings load = {.mode = mode};
	int err = stage_open_streams(s, &load);

	if (!err)
		err = stage_wait(s, cmp->warmup, 0, 0.05, 0.2, first);
	if (!err)
		err = stage_cpu(s, cmp->seconds, then, ret);
	if (!err)
		stage_fill_cores(values, ret, cmp->seconds);
	return err;
}

int stage_result(struct stage *s, struct load_result *ret, const uint64_t *needed, const char *without)
{
	int err = load_job_finish(s->job, ret);

	if (!err && without && !*needed)
		err = stage_leave_out(s, -ENODATA, "%s; the first failure was: %s", without, ret->why);
	return err;
}

void stage_fill_each(
	double *values, enum metric contender, enum metric machine, const struct cpu_use *use, uint64_t n)
{
	values[contender] = (double)use->ns[CPU_CONTENDER] / 1e3 / (double)n;
	values[machine] = (double)cpu_use_total(use) / 1e3 / (double)n;
}

int stage_ask_origin(const struct stage *s, const char *path, json_t **ret)
{
	_cleanup_buf_ struct buf body = {0};
	struct net_url url;
	char text[128];
	int err;

	snprintf(text, sizeof(text), "%s://%s%s", origin_tls(s) ? "https" : "http", s->origin, path);
	err = net_url_parse(text, &url);
	if (!err)
		err = fetch_body(&url, clock_mono_ns() + 5 * NS_PER_S, &body);
	if (err)
		return err;
	*ret = json_loadb(body.data, body.len, 0, NULL);
	return *ret ? 0 : -EBADMSG;
}

int stage_start(struct stage *s, struct compare *cmp, struct contest *c)
{
	int err = 0;

	*s = (struct stage){.cmp = cmp, .contest = c, .dir = "/tmp/sluice-bench.XXXXXX"};
	stage_progress(s, 0, "starting");
	if (!mkdtemp(s->dir)) {
		err = stage_leave_out(s, -errno, "no directory in /tmp");
		s->dir[0] = 0;
	}
	snprintf(s->cert, sizeof(s->cert), "%s/tls.pem", s->dir);
	if (!err && cmp->client->tls)
		err = cert_write(s->cert);
	if (!err)
		err = start_origin(s);
	return err ? err : start_contender(s);
}
