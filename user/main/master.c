#include "main/master.h"
#include "base/clock.h"
#include "base/log.h"
#include "kern/selftest.h"
#include "main/control.h"
#include "main/master_state.h"
#include "main/privileges.h"
#include "observe/access_log.h"
#include "sluice/admin.h"
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <systemd/sd-daemon.h>

#define STICKY_SESSIONS 65536
#define SERVER_ROWS_MIN 32
#define KILL_AFTER_MS	3000 /* past the drain window, for a worker that does not end */

/* ---- stopping */

static void stop(struct master *m, uint64_t window_ms)
{
	bool again = m->stopping;

	m->stopping = true;
	for (unsigned i = 0; i < m->nchildren; i++)
		timer_stop(&m->children[i].restart);
	/* The kernel would go on completing connections into a backlog that nobody reads. */
	listeners_close(m);
	sd_notify(0, "STOPPING=1");
	if (again) {
		log_info("told to stop again: cutting what is left");
		children_say(m, CONTROL_CUT, 0);
		timer_in(m->loop, &m->kill_timer, KILL_AFTER_MS);
	} else {
		log_info("draining for up to %llu ms", (unsigned long long)window_ms);
		children_say(m, CONTROL_DRAIN, window_ms);
		timer_in(m->loop, &m->kill_timer, window_ms + KILL_AFTER_MS);
	}
	if (!children_alive(m))
		loop_stop(m->loop);
}

static void on_kill_timer(struct timer *t)
{
	struct master *m = container_of(t, struct master, kill_timer);

	log_error("workers do not end; killing them");
	children_kill(m);
}

static void on_signal(struct signals *s, int signo)
{
	struct master *m = container_of(s, struct master, signals);
	char why[256] = "";

	switch (signo) {
	case SIGCHLD:
		children_reap(m);
		break;
	case SIGHUP:
		if (m->log_pid)
			kill(m->log_pid, SIGHUP);
		if (!m->stopping && master_reload(m, why, sizeof(why)))
			log_debug("reload: %s", why);
		break;
	default:
		stop(m, m->settings->drain_ms);
		break;
	}
}

/* ---- what the admin socket may do */

static int do_reload(void *arg, char *why)
{
	return master_reload(arg, why, 256);
}

static int do_drain(void *arg, char *why)
{
	struct master *m = arg;

	(void)why;
	stop(m, m->settings->drain_ms);
	return 0;
}

static bool stream_lives(const struct master *m, uint64_t id)
{
	for (uint32_t i = 0; id && i < m->slots.count; i++)
		if (__atomic_load_n(&m->slots.records[i].id, __ATOMIC_RELAXED) == id)
			return true;
	return false;
}

/* Says it to the worker that has the stream. */
static int tell_about(struct master *m, enum control_kind kind, uint64_t id, char *why)
{
	unsigned worker = (unsigned)(id >> 48);

	if (worker >= m->nchildren || !m->children[worker].pid || !stream_lives(m, id)) {
		snprintf(why, 256, "no stream has this id; it may have ended");
		return -ENOENT;
	}
	return control_say(m->children[worker].control.fd, kind, id);
}

static int do_kill(void *arg, uint64_t id, char *why)
{
	return tell_about(arg, CONTROL_KILL, id, why);
}

static int do_lane(void *arg, uint64_t id, bool splice, char *why)
{
	return tell_about(arg, splice ? CONTROL_SPLICE : CONTROL_COPY, id, why);
}

static int do_log_level(void *arg, const char *text, char *why)
{
	enum log_level level;

	if (log_level_parse(text, &level)) {
		snprintf(why, 256, "levels are error, warn, info and debug");
		return -EINVAL;
	}
	log_set_level(level);
	children_say(arg, CONTROL_LOG_LEVEL, level);
	return 0;
}

static void see_worker(void *arg, unsigned index, struct admin_worker *ret)
{
	const struct master *m = arg;
	const struct child *c = &m->children[index];

	*ret = (struct admin_worker){
		.pid = c->pid, .restarts = c->restarts, .age_ms = loop_now_ms(m->loop) - c->started_ms};
}

/* The socket's path: as configured, or the default where that folder can be had; NULL: none. */
static const char *admin_path(const struct settings *s, char *space, size_t size)
{
	if (s->admin)
		return s->admin;
	if (mkdir(SLUICE_RUN_DIR, 0755) && errno != EEXIST)
		return NULL;
	snprintf(space, size, SLUICE_RUN_DIR "/%s.sock", s->instance);
	return space;
}

static int open_admin(struct master *m)
{
	char space[128];
	const char *path = admin_path(m->settings, space, sizeof(space));
	struct admin_hooks hooks = {
		.arg = m,
		.state = &m->state,
		.slots = &m->slots,
		.flows = m->splice ? splice_flows(m->splice) : NULL,
		.totals = m->totals,
		.workers = m->nchildren,
		.reload = do_reload,
		.drain = do_drain,
		.kill = do_kill,
		.lane = do_lane,
		.log_level = do_log_level,
		.worker = see_worker,
		.settings = inspect_settings,
		.lanes = inspect_lanes,
	};
	int err;

	if (!path) {
		log_warn("no admin socket: " SLUICE_RUN_DIR " cannot be made; give one with --admin PATH");
		return 0;
	}
	err = admin_new(m->loop, path, &hooks, &m->admin);
	if (err == -EADDRINUSE)
		log_error("admin socket %s: another sluice of instance '%s' is running; stop it, or choose "
			  "another "
			  "name with --instance",
			path, m->settings->instance);
	else if (err)
		log_error("admin socket %s: %s", path, strerror(-err));
	return err;
}

/* ---- starting */

static void on_restart(struct timer *t)
{
	struct child *c = container_of(t, struct child, restart);
	int err;

	if (c->master->stopping)
		return;
	err = child_start(c);
	if (err) {
		log_error("worker %u cannot be restarted: %s; trying again", c->index, strerror(-err));
		timer_in(c->master->loop, &c->restart, MS_PER_S);
	}
}

static bool wants(const struct settings *s, enum lane_choice lane)
{
	for (size_t i = 0; i < s->nroutes; i++)
		if (s->routes[i].lane == lane)
			return true;
	return s->lane == lane;
}

/* The splice lane, when somebody wants it and the kernel has it. */
static int open_splice(struct master *m)
{
	const struct settings *s = m->settings;
	struct splice_params params = {.instance = s->instance,
		.slots = s->max_streams,
		.workers = m->nchildren,
		.servers = m->server_rows,
		.pin = true};
	char *why = m->splice_why;
	size_t size = sizeof(m->splice_why);
	int err;

	m->no_splice = SLUICE_REASON_KERNEL;
	if (!wants(s, LANE_AUTO) && !wants(s, LANE_SPLICE)) {
		snprintf(why, size, "no route asks for it (lane: copy)");
		return 0;
	}
	err = splice_open(&params, &m->splice, why, size);
	if (err == -EPERM || err == -EACCES)
		m->no_splice = SLUICE_REASON_KERNEL_PERMISSION;
	else if (!err)
		m->no_splice = SLUICE_REASON_KERNEL_SELFTEST;
	if (!err)
		err = selftest_run(m->splice, 0, &m->selftest, why, size);
	if (!err) {
		splice_totals_reset(m->splice);
		m->no_splice = SLUICE_REASON_NONE;
		log_debug("splice lane: self-test of %zu cases passed in %u us", m->selftest.count,
			m->selftest.us);
		return 0;
	}
	splice_close(m->splice);
	m->splice = NULL;
	/* Two daemons of one name would hide each other's streams. */
	if (err == -EBUSY || wants(s, LANE_SPLICE)) {
		log_error("splice lane: %s", why);
		return err;
	}
	log_warn("splice lane off, streams are copied: %s", why);
	return 0;
}

/* Rows for a worker's view of the servers, with room for what reloads add. */
static uint32_t server_rows(const struct settings *s)
{
	uint32_t n = 0;

	for (size_t i = 0; i < s->nupstreams; i++)
		n += (uint32_t)s->upstreams[i].nservers;
	return MAX(2 * n, (uint32_t)SERVER_ROWS_MIN);
}

static void about_fill(const struct master *m, struct sluice_about *a)
{
	*a = (struct sluice_about){
		.abi = SLUICE_ABI_VERSION,
		.slots = m->settings->max_streams,
		.workers = m->nchildren,
		.pid = (uint32_t)getpid(),
		.start_ns = clock_mono_ns(),
		.ctl_size = sizeof(struct sluice_ctl),
		.flow_size = sizeof(struct sluice_flow),
		.servers = m->server_rows,
		.version = SLUICE_VERSION,
		.start_wall_ns = clock_wall_ns(),
		.certs = SLUICE_MAX_CERTS,
	};
	snprintf(a->instance, sizeof(a->instance), "%s", m->settings->instance);
}

/* The tables that processes of the daemon write and others read: maps of the splice lane, or else sections of
 * the shared memory. */
static int shared_tables(struct master *m)
{
	void *counters = NULL, *servers = NULL, *certs = NULL, *records = NULL;
	struct sluice_about about;
	int err;

	about_fill(m, &about);
	struct state_part parts[] = {
		{"counters", m->nchildren + 1, sizeof(struct sluice_counters), &counters},
		{"servers", m->nchildren * m->server_rows, sizeof(struct sluice_server), &servers},
		{"certs", SLUICE_MAX_CERTS, sizeof(struct sluice_cert), &certs},
		{"ctl", about.slots, sizeof(struct sluice_ctl), &records},
	};
	err = state_new(&m->state, &about, m->splice != NULL, parts, m->splice ? 0 : ARRAY_LEN(parts));
	if (err)
		return err;
	m->totals = m->splice ? splice_counters(m->splice) : counters;
	m->servers = m->splice ? splice_servers(m->splice) : servers;
	m->certs = m->splice ? splice_certs(m->splice) : certs;
	m->slots = (struct slot_table){
		.records = m->splice ? splice_ctl(m->splice) : records, .count = about.slots};
	return 0;
}

/* Everything that processes of the daemon share. */
static int shared_state(struct master *m)
{
	struct sluice_counters *own;
	int err;

	m->server_rows = server_rows(m->settings);
	err = open_splice(m);
	if (!err)
		err = shared_tables(m);
	if (err)
		return err;
	own = &m->totals[m->nchildren];
	own->reload_ok = 1;
	own->reload_time = clock_wall_ns() / NS_PER_S;
	return sticky_new(STICKY_SESSIONS, &m->sticky);
}

static int open_listeners(struct master *m)
{
	char why[256] = "";
	int **fds, err = listeners_open(m, m->settings, &fds, why, sizeof(why));

	if (err)
		log_error("%s", why);
	else
		listeners_replace(m, fds, m->settings);
	return err;
}

static int open_log(struct master *m)
{
	const char *path = m->settings->access_log;
	int err;

	if (!path)
		return 0;
	err = access_log_start(path, &m->log_fd, &m->log_pid);
	if (err)
		log_error("log.access: %s: %s", path, strerror(-err));
	return err;
}

static int start(struct master *m)
{
	static const int signos[] = {SIGTERM, SIGINT, SIGHUP, SIGCHLD};
	int err = certificates_load(m->settings, &m->material, NULL, 0);

	if (!err)
		err = loop_new(&m->loop);

	if (!err)
		err = signals_init(&m->signals, m->loop, signos, ARRAY_LEN(signos), on_signal);
	if (!err)
		err = shared_state(m);
	if (!err)
		err = certificates_start(m);
	if (!err)
		err = open_admin(m);
	if (!err)
		err = open_listeners(m);
	if (!err)
		err = open_log(m);
	if (!err)
		err = status_open(m);
	for (unsigned i = 0; !err && i < m->nchildren; i++)
		err = child_start(&m->children[i]);
	return err;
}

static void done(struct master *m)
{
	listeners_close(m);
	for (unsigned i = 0; i < m->nchildren; i++)
		if (m->children[i].control.fd >= 0)
			close(m->children[i].control.fd);
	free(m->children);
	if (m->log_fd >= 0)
		close(m->log_fd);
	status_close(m);
	admin_free(m->admin);
	sticky_free(m->sticky);
	state_done(&m->state);
	tls_tickets_free(m->tickets);
	tls_material_free(m->material);
	splice_close(m->splice);
	if (m->loop) {
		signals_done(&m->signals);
		loop_free(m->loop);
	}
	settings_unref(m->settings);
}

int master_run(struct settings *settings, const char *config)
{
	struct master m = {
		.settings = settings,
		.config = config,
		.nchildren = settings->workers,
		.log_fd = -1,
		.status_fd = -1,
		.state.fd = -1,
		.signals.source.fd = -1,
	};
	int err;

	log_set_level(settings->log_level);
	privileges_raise_fds();
	signal(SIGPIPE, SIG_IGN);
	m.children = calloc(m.nchildren, sizeof(*m.children));
	if (!m.children) {
		settings_unref(settings);
		return 1;
	}
	for (unsigned i = 0; i < m.nchildren; i++) {
		m.children[i] = (struct child){.master = &m, .index = i, .control.fd = -1};
		timer_init(&m.children[i].restart, on_restart);
	}
	timer_init(&m.kill_timer, on_kill_timer);
	err = start(&m);
	if (!err)
		err = loop_run(m.loop);
	else if (m.children && children_alive(&m))
		children_kill(&m);
	if (err)
		log_error("cannot start: %s", strerror(-err));
	err = err || m.failed;
	done(&m);
	return err ? 1 : 0;
}
