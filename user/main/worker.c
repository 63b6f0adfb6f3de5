#include "main/worker.h"
#include "base/clock.h"
#include "main/acceptors.h"
#include "main/control.h"
#include "main/privileges.h"
#include "main/publish.h"
#include "main/sandbox.h"
#include "stream/client.h"
#include "stream/h2_conn.h"
#include <malloc.h>
#include <stdio.h>
#include <sys/resource.h>

#define TRIM_EVERY_MS	30000
#define TRIM_FREE_BYTES (2 * 1024 * 1024) /* free memory worth a look at the heap */
#define CUT_GRACE_MS	1000		  /* after the drain window: for the last bytes of what was cut */

struct worker {
	struct env env;
	struct acceptors acceptors;
	struct source control;
	struct timer drain_end;
	struct timer trim;
	struct publisher publisher;
	struct sticky *sticky;
	unsigned index;
	bool cut;
};

static void on_drained(struct env *env)
{
	loop_stop(env->loop);
}

static void on_drain_end(struct timer *t)
{
	struct worker *w = container_of(t, struct worker, drain_end);

	if (w->cut) {
		loop_stop(w->env.loop);
		return;
	}
	w->cut = true;
	timer_in(w->env.loop, &w->drain_end, CUT_GRACE_MS);
	clients_cut(&w->env);
}

/* Buffers of clients that lagged leave holes, which free() gives back only at the heap's end. */
static void on_trim(struct timer *t)
{
	struct worker *w = container_of(t, struct worker, trim);

	if (mallinfo2().fordblks > TRIM_FREE_BYTES)
		malloc_trim(0);
	timer_in(w->env.loop, t, TRIM_EVERY_MS);
}

static void drain(struct worker *w, uint64_t window_ms)
{
	if (w->env.draining)
		return;
	acceptors_close(&w->acceptors);
	timer_in(w->env.loop, &w->drain_end, window_ms);
	clients_drain(&w->env, window_ms);
}

static void cut(struct worker *w)
{
	acceptors_close(&w->acceptors);
	w->cut = true;
	timer_in(w->env.loop, &w->drain_end, CUT_GRACE_MS);
	clients_cut(&w->env);
	if (list_empty(&w->env.all_clients))
		loop_stop(w->env.loop);
}

static int read_fd(int fd, struct buf *out)
{
	ssize_t n;

	do {
		int err = buf_reserve(out, 64 * 1024);

		if (err)
			return err;
		n = pread(fd, out->data + out->len, out->cap - out->len, (off_t)out->len);
		if (n < 0)
			return -errno;
		out->len += (size_t)n;
	} while (n > 0);
	return 0;
}

static int read_material(int fd, struct tls_material **ret)
{
	_cleanup_buf_ struct buf bytes = {0};
	int err = read_fd(fd, &bytes);

	err = err ? err : tls_material_unpack(buf_slice(&bytes), ret);
	if (bytes.data)
		explicit_bzero(bytes.data, bytes.cap); /* keys */
	return err;
}

static int new_generation(struct worker *w, const struct control_message *m, struct generation **ret)
{
	_cleanup_buf_ struct buf text = {0}, errors = {0};
	struct tls_material *material = NULL;
	struct settings *settings;
	int err = read_fd(m->fds[CONTROL_FD_CONFIG], &text);

	err = err ? err : read_material(m->fds[CONTROL_FD_MATERIAL], &material);
	err = err ? err : settings_parse("config", buf_slice(&text), &settings, &errors);
	if (!err && settings->nlisteners != m->nfds - CONTROL_FD_LISTENERS) {
		settings_unref(settings);
		err = -EINVAL;
	}
	err = err ? err : generation_new(&w->env, settings, material, w->sticky, ret);
	tls_material_free(material);
	return err;
}

/* The master has checked this text: an error here is a fault of memory or fds, and the old settings stay. */
static int reload(struct worker *w, const struct control_message *m)
{
	struct generation *next, *old = w->env.now;
	struct acceptors acceptors;
	int err = new_generation(w, m, &next);

	for (uint32_t i = 0; i < m->nfds && (err || i < CONTROL_FD_LISTENERS); i++)
		close(m->fds[i]);
	if (err)
		return err;
	/* The new acceptors come first: none of the open sockets is left alone in between, nor when there is
	 * no memory for all of them. */
	err = acceptors_open(&acceptors, &w->env, next->settings, m->fds + CONTROL_FD_LISTENERS,
		m->nfds - CONTROL_FD_LISTENERS);
	if (err) {
		generation_unref(next);
		return err;
	}
	acceptors_close(&w->acceptors);
	w->acceptors = acceptors;
	w->env.now = next;
	handshakes_set(w->env.handshakes, next->settings->handshake_rate, next->settings->handshake_burst);
	generation_retire(old);
	publisher_restart(&w->publisher);
	log_set_level(next->settings->log_level);
	return 0;
}

static void handle(struct worker *w, const struct control_message *m)
{
	int err;

	switch ((enum control_kind)m->kind) {
	case CONTROL_RELOAD:
		err = m->nfds > CONTROL_FD_LISTENERS && !w->env.draining ? reload(w, m) : -EINVAL;
		if (control_say(w->control.fd, CONTROL_RELOADED, (uint64_t)-err))
			log_warn("the master does not hear that the reload is done");
		break;
	case CONTROL_DRAIN:
		drain(w, m->arg);
		break;
	case CONTROL_CUT:
		cut(w);
		break;
	case CONTROL_KILL:
		clients_kill(&w->env, m->arg);
		break;
	case CONTROL_COPY:
		clients_set_lane(&w->env, m->arg, SLUICE_LANE_COPY);
		break;
	case CONTROL_SPLICE:
		clients_set_lane(&w->env, m->arg, SLUICE_LANE_SPLICE);
		break;
	case CONTROL_LOG_LEVEL:
		log_set_level((enum log_level)m->arg);
		break;
	case CONTROL_READY:
	case CONTROL_RELOADED:
		break;
	}
}

static void on_control(struct source *source, uint32_t events)
{
	struct worker *w = container_of(source, struct worker, control);
	static struct control_message m;
	int got;

	(void)events;
	while ((got = control_receive(source->fd, &m)) > 0)
		handle(w, &m);
	if (got < 0 && w->control.armed) {
		/* The master is gone, and nobody else could tell this worker to stop. */
		loop_del(w->env.loop, source);
		log_warn("the master has gone; draining");
		drain(w, w->env.now->settings->drain_ms);
	}
}

static int env_init(struct worker *w, const struct worker_start *start)
{
	struct env *env = &w->env;
	struct rlimit fds = {0};
	int err;

	getrlimit(RLIMIT_NOFILE, &fds);
	env->fd_limit = (int)MIN(fds.rlim_cur, (rlim_t)INT32_MAX);
	env->workers = start->count;
	env->no_splice = start->no_splice;
	env->totals = start->totals;
	env->tickets = start->tickets;
	env->log = (struct access_log){.pipe_fd = start->log_fd, .totals = start->totals};
	env->on_drained = on_drained;
	env->totals->connections_now = env->totals->streams_now = env->totals->h2_connections_now = 0;
	list_init(&env->all_clients);
	list_init(&env->idle_clients);
	slab_init(&env->clients, sizeof(struct client), 0);
	slab_init(&env->streams, sizeof(struct stream), 0);
	slab_init(&env->h2_slots, sizeof(struct h2_slot), 0);
	env->scratch = malloc(SCRATCH_BYTES);
	env->frames = malloc(SCRATCH_BYTES);
	if (!env->scratch || !env->frames ||
		handshakes_new(start->settings->handshake_rate, start->settings->handshake_burst,
			&env->handshakes)) {
		settings_unref(start->settings);
		return -ENOMEM;
	}
	err = slots_init(&env->slots, start->slots, start->index, start->count);
	if (!err) {
		env->by_slot = calloc(MAX(env->slots.count, 1U), sizeof(struct stream *));
		err = env->by_slot ? loop_new(&env->loop) : -ENOMEM;
	}
	if (err) {
		settings_unref(start->settings);
		return err;
	}
	return generation_new(env, start->settings, start->material, start->sticky, &env->now);
}

static void env_done(struct worker *w)
{
	struct env *env = &w->env;

	publisher_done(&w->publisher);
	generation_unref(env->now);
	free(env->by_slot);
	slots_done(&env->slots);
	slab_done(&env->clients);
	slab_done(&env->streams);
	slab_done(&env->h2_slots);
	free(env->scratch);
	free(env->frames);
	handshakes_free(env->handshakes);
	loop_del(env->loop, &w->control);
	loop_del(env->loop, &env->notes);
	loop_free(env->loop);
}

static void on_notes(struct source *source, uint32_t events)
{
	struct env *env = container_of(source, struct env, notes);

	(void)events;
	splice_notes_read(env->splice, env->slots.worker, lane_on_note, env);
}

static int watch_notes(struct env *env, struct splice *splice)
{
	env->splice = splice;
	env->notes = (struct source){.on_ready = on_notes, .fd = -1};
	if (!splice)
		return 0;
	env->notes.fd = splice_notes_fd(splice, env->slots.worker);
	return loop_add(env->loop, &env->notes, EPOLLIN);
}

static int serve(struct worker *w, const struct worker_start *start)
{
	const struct settings *settings = w->env.now->settings;
	int err = acceptors_open(&w->acceptors, &w->env, settings, start->listeners, settings->nlisteners);

	if (err)
		return err;
	timer_init(&w->drain_end, on_drain_end);
	timer_init(&w->trim, on_trim);
	timer_in(w->env.loop, &w->trim, TRIM_EVERY_MS);
	w->control = (struct source){.on_ready = on_control, .fd = start->control_fd};
	err = loop_add(w->env.loop, &w->control, EPOLLIN);
	if (!err)
		err = publisher_init(&w->publisher, &w->env, start->servers, start->server_rows);
	if (!err)
		err = watch_notes(&w->env, start->splice);
	if (!err)
		err = privileges_drop(w->env.now->settings->user);
	if (!err)
		err = sandbox_enter(SANDBOX_DIAL | (start->splice ? SANDBOX_MAPS : 0));
	if (!err)
		err = control_say(start->control_fd, CONTROL_READY, 0);
	if (!err)
		err = loop_run(w->env.loop);
	acceptors_close(&w->acceptors);
	return err;
}

int worker_main(const struct worker_start *start)
{
	struct worker w = {.index = start->index, .sticky = start->sticky};
	char ident[32];
	int err;

	snprintf(ident, sizeof(ident), "sluice[%u]", start->index);
	log_set_ident(ident);
	/* A short-lived burst must not keep the heap high for days. */
	mallopt(M_TRIM_THRESHOLD, 256 * 1024);
	err = env_init(&w, start);
	tls_material_free(start->material);
	if (!err) {
		err = serve(&w, start);
		env_done(&w);
	}
	if (err)
		log_error("worker ends: %s", strerror(-err));
	return err ? 1 : 0;
}
