#include "compare.h"
#include "base/clock.h"
#include "fetch.h"
#include "load_job.h"
#include "spawn.h"
#include "term.h"
#include <ftw.h>
#include <jansson.h>
#include <poll.h>
#include <stdarg.h>

#define READY_LIMIT_NS (10 * NS_PER_S)
#define OPEN_LIMIT_NS  (60 * NS_PER_S)

volatile int compare_interrupted;

/* All that one run has started. */
struct stage {
	struct compare *cmp;
	struct contest *contest;
	char dir[64];
	char origin[NET_TEXT_MAX], contender[NET_TEXT_MAX]; /* addresses */
	pid_t origin_pid, contender_pid;
	struct load_job *job;
};

static int remove_entry(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	(void)st;
	(void)flag;
	(void)ftw;
	remove(path);
	return 0;
}

static void stage_done(struct stage *s)
{
	load_job_free(s->job);
	if (!spawn_stop(s->contender_pid))
		fprintf(stderr, "sluice-bench compare: %s did not end within 5 s of SIGTERM and was killed\n",
			s->contest->peer->name);
	spawn_stop(s->origin_pid);
	if (s->dir[0])
		nftw(s->dir, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

static int leave_out(struct stage *s, int err, const char *fmt, ...) printf_like(3, 4);

/* Notes why this contender cannot run. Returns err. */
static int leave_out(struct stage *s, int err, const char *fmt, ...)
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

double compare_overhead(const struct compare *cmp)
{
	double late = (double)LOAD_DRAIN_NS / 1e9;

	return COMPARE_OVERHEAD_S + cmp->warmup + (cmp->pause > 0 ? cmp->pause + late : 0);
}

/* Shows where the whole comparison stands; `part` is the share of this run that is over. */
static void progress(const struct stage *s, double part, const char *what)
{
	const struct compare *cmp = s->cmp;

	progress_show(&cmp->progress, part, "round %zu of %llu, %s: %s", cmp->round + 1,
		(unsigned long long)cmp->rounds, s->contest->peer->name, what);
}

/* 0 when the address answers a GET of `path` with 200; `pid` 0: no process that could end meanwhile. */
static int wait_ready(const char *address, const char *path, pid_t pid)
{
	uint64_t deadline = clock_mono_ns() + READY_LIMIT_NS;
	char text[128];
	struct net_url url;
	int err;

	snprintf(text, sizeof(text), "http://%s%s", address, path);
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

static int start_origin(struct stage *s)
{
	struct compare *cmp = s->cmp;
	char rate[32], size[32], log[96];
	char *argv[] = {
		(char *)cmp->self, "origin", "--listen", s->origin, "--rate", rate, "--size", size, NULL};
	int err = topology_address(&cmp->topology, PLACE_ORIGIN, s->origin);

	if (err)
		return err;
	snprintf(rate, sizeof(rate), "%g", cmp->rate);
	snprintf(size, sizeof(size), "%llu", (unsigned long long)cmp->size);
	snprintf(log, sizeof(log), "%s/origin.log", s->dir);
	err = topology_spawn(&cmp->topology, PLACE_ORIGIN, argv, log, cmp->pinned ? &cmp->other_cpus : NULL,
		&s->origin_pid);
	if (err)
		return err;
	err = wait_ready(s->origin, "/healthz", s->origin_pid);
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
	char conf[96], log[96], said[160], instance[32];
	struct peer_vars vars = {s->contender, s->origin, s->dir, conf, cmp->sluice, instance};
	char *argv[PEER_ARGS_MAX] = {NULL};
	int err;

	if (!p->argv[0]) {
		memcpy(s->contender, s->origin, sizeof(s->contender));
		return 0;
	}
	snprintf(instance, sizeof(instance), "bench-%d", getpid());
	snprintf(conf, sizeof(conf), "%s/peer.conf", s->dir);
	snprintf(log, sizeof(log), "%s/peer.log", s->dir);
	err = topology_address(&cmp->topology, PLACE_RELAY, s->contender);
	if (!err && p->conf)
		err = peer_write_conf(p, cmp->peers_dir, &vars);
	if (err)
		return leave_out(
			s, err, "its config %s/%s cannot be used", cmp->peers_dir, p->conf ? p->conf : "");
	err = peer_argv(p->argv, &vars, argv);
	if (!err)
		err = topology_spawn(&cmp->topology, PLACE_RELAY, argv, log,
			cmp->pinned ? &cmp->contender_cpus : NULL, &s->contender_pid);
	if (err)
		err = leave_out(s, err, "%s cannot be started", argv[0] ? argv[0] : p->name);
	peer_argv_free(argv);
	if (err)
		return err;
	err = wait_ready(s->contender, "/healthz", s->contender_pid);
	if (err == -ECHILD)
		s->contender_pid = 0;
	if (err && err != -EINTR) {
		last_line(log, said, sizeof(said));
		return leave_out(
			s, err, "it never passed a request on; it last said: %s", said[0] ? said : "nothing");
	}
	return err;
}

/* Lets time pass, until `seconds` are over or `opened` streams are there. */
static int wait_phase(
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
		progress(s, part_from + (part_to - part_from) * passed / seconds, what);
		poll(NULL, 0, (int)MIN((seconds - passed) * 1000 + 1, 100.0));
		passed = (double)(clock_mono_ns() - begin) / 1e9;
	}
	return opened ? -ETIMEDOUT : 0;
}

static int start_load(struct stage *s)
{
	const struct compare *cmp = s->cmp;
	struct load_settings load = {.http = 1,
		.per_connection = 1,
		.streams = cmp->streams,
		.processes = cmp->processes,
		.cpus = cmp->pinned ? &cmp->other_cpus : NULL,
		.pause = cmp->pause > 0};
	char text[128];
	int err;

	snprintf(text, sizeof(text), "http://%s/events", s->contender);
	err = net_url_parse(text, &load.to);
	if (!err)
		err = load_job_start(&load, &s->job);
	if (!err)
		err = wait_phase(s, (double)OPEN_LIMIT_NS / 1e9, cmp->streams, 0.02, 0.05, "opening streams");
	return err;
}

/* Asks the origin for its own figures; `reset` begins them anew. */
static int ask_origin(const struct stage *s, bool reset, json_t **ret)
{
	_cleanup_buf_ struct buf body = {0};
	struct net_url url;
	char text[128];
	int err;

	snprintf(text, sizeof(text), "http://%s/json%s", s->origin, reset ? "?reset=1" : "");
	err = net_url_parse(text, &url);
	if (!err)
		err = fetch_body(&url, clock_mono_ns() + 5 * NS_PER_S, &body);
	if (err)
		return err;
	*ret = json_loadb(body.data, body.len, 0, NULL);
	return *ret ? 0 : -EBADMSG;
}

static void fill_cpu(double *v, const struct cpu_use *use, double events)
{
	for (int i = 0; i < CPU_CLASSES; i++)
		v[METRIC_CONTENDER + i] = (double)use->ns[i] / 1e3 / events;
	v[METRIC_MACHINE] = (double)cpu_use_total(use) / 1e3 / events;
	v[METRIC_BUSY] = (double)use->busy_ns / 1e3 / events;
	v[METRIC_IRQ] = (double)use->irq_ns / 1e3 / events;
	v[METRIC_STEAL] = (double)use->steal_ns / 1e3 / events;
}

static void fill_load(double *v, const struct load_result *r, const struct compare *cmp)
{
	static const double shares[] = {0.5, 0.9, 0.99, 0.999, 1}, pause_shares[] = {0.5, 0.9, 0.99, 1};

	for (size_t i = 0; i < ARRAY_LEN(shares); i++)
		v[METRIC_P50 + i] = (double)hist_quantile(&r->latency, shares[i]) / 1e3;
	v[METRIC_HEAD_P50] = (double)hist_quantile(&r->head, 0.5) / 1e3;
	v[METRIC_RATE] = (double)r->events / cmp->seconds;
	for (size_t i = 0; i < ARRAY_LEN(pause_shares); i++)
		v[METRIC_PAUSE_P50 + i] = (double)hist_quantile(&r->pause, pause_shares[i]) / 1e6;
	v[METRIC_PAUSE_RATE] = cmp->pause > 0 ? (double)r->pause.count / cmp->pause : 0;
	v[METRIC_WRONG] = (double)(r->failed + r->ended + r->silent + r->lost + r->repeated + r->damaged);
}

/* The window itself: two samples of CPU time around the seconds that count. */
static int measure(struct stage *s, struct cpu_use *ret_cpu, json_t **ret_origin)
{
	struct cpu_roots roots = {s->contender_pid, s->origin_pid, getpid()};
	_cleanup_(cpu_sample_done) struct cpu_sample before = {0}, after = {0};
	json_t *discard = NULL;
	int err = ask_origin(s, true, &discard);

	json_decref(discard);
	if (!err)
		err = cpu_sample_take(&before, &roots);
	if (err)
		return err;
	load_job_measure(s->job, s->cmp->seconds);
	err = wait_phase(s, s->cmp->seconds, 0, 0.2, 0.8, "measuring");
	if (!err)
		err = cpu_sample_take(&after, &roots);
	if (!err)
		err = ask_origin(s, false, ret_origin);
	if (!err)
		cpu_between(&before, &after, ret_cpu);
	return err;
}

/* The second window: the contender's processes stand still, the streams stay open. The first window's late
 * events come first, so that this cannot touch them. Without a process nothing is stopped. */
static int measure_stopped(struct stage *s)
{
	double seconds = s->cmp->pause;
	int err;

	if (seconds <= 0)
		return 0;
	err = wait_phase(s, (double)LOAD_DRAIN_NS / 1e9, 0, 0.8, 0.85, "late events");
	if (!err && s->contender_pid)
		err = compare_stop_group(s->contender_pid);
	if (!err) {
		load_job_pause(s->job, seconds);
		err = wait_phase(s, seconds, 0, 0.85, 0.95, "stopped");
	}
	if (s->contender_pid)
		compare_continue_group(s->contender_pid);
	return err;
}

static int run_load(struct stage *s, struct run *ret)
{
	static struct load_result result; /* large: it holds histograms */
	struct cpu_use cpu;
	json_t *origin = NULL, *late;
	int err = start_load(s);

	if (!err && s->cmp->warmup > 0)
		err = wait_phase(s, s->cmp->warmup, 0, 0.05, 0.2, "warming up");
	if (!err)
		err = measure(s, &cpu, &origin);
	if (!err)
		err = measure_stopped(s);
	progress(s, 0.95, "adding up");
	if (!err)
		err = load_job_finish(s->job, &result);
	if (!err && !result.events)
		err = leave_out(s, -ENODATA, "no event came through; the first failure was: %s", result.why);
	if (!err) {
		fill_cpu(ret->values, &cpu, (double)result.events);
		fill_load(ret->values, &result, s->cmp);
		late = json_object_get(origin, "late_ns");
		ret->values[METRIC_LATE_P99] = (double)json_integer_value(json_object_get(late, "p99")) / 1e3;
		ret->values[METRIC_SKIPPED] = (double)json_integer_value(json_object_get(origin, "skipped"));
	}
	json_decref(origin);
	return err;
}

int compare_run(struct compare *cmp, struct contest *c)
{
	struct stage s = {.cmp = cmp, .contest = c, .dir = "/tmp/sluice-bench.XXXXXX"};
	struct run run = {0};
	int err = 0;

	if (!mkdtemp(s.dir)) {
		err = leave_out(&s, -errno, "no directory in /tmp");
		s.dir[0] = 0;
	}
	progress(&s, 0, "starting");
	if (!err)
		err = start_origin(&s);
	if (!err)
		err = start_contender(&s);
	if (!err)
		err = run_load(&s, &run);
	if (err && err != -EINTR && !c->left_out[0])
		leave_out(&s, err, "the run failed");
	stage_done(&s);
	if (!err)
		c->runs[c->count++] = run;
	return err;
}
