/* Workers as the master sees them: forked, told, missed, restarted. */
#include "base/clock.h"
#include "base/log.h"
#include "main/control.h"
#include "main/master_state.h"
#include "net/addr.h"
#include "net/listen.h"
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <systemd/sd-daemon.h>

#define QUICK_DEATH_MS	 1000 /* a worker that lives shorter is restarted with a pause */
#define RESTART_PAUSE_MS 500

static void say_listening(struct master *m)
{
	char text[ADDR_TEXT_MAX];

	for (unsigned w = 0; w < m->nchildren; w++)
		if (!m->children[w].ready)
			return;
	m->announced = true;
	for (size_t i = 0; i < m->settings->nlisteners; i++) {
		struct sockaddr_any addr;

		if (listen_address(m->children[0].listeners[i], &addr) == 0)
			log_info("listening on %s", addr_format(&addr, text));
	}
	sd_notify(0, "READY=1");
}

static void on_control(struct source *source, uint32_t events)
{
	struct child *c = container_of(source, struct child, control);
	static struct control_message m;
	int got;

	(void)events;
	while ((got = control_receive(source->fd, &m)) > 0) {
		if (m.kind == CONTROL_READY) {
			c->ready = true;
			if (!c->master->announced)
				say_listening(c->master);
		} else if (m.kind == CONTROL_RELOADED && m.arg) {
			log_error("worker %u keeps its old settings: %s", c->index, strerror((int)m.arg));
		}
	}
	/* Its end is reported by SIGCHLD. */
	if (got < 0)
		loop_del(c->master->loop, source);
}

static void close_control(struct child *c)
{
	if (c->control.fd < 0)
		return;
	loop_del(c->master->loop, &c->control);
	close(c->control.fd);
	c->control.fd = -1;
}

/* What belongs to the master or to a sibling must not live on in a worker. */
static void forget_master(struct child *self, int control_fd)
{
	struct master *m = self->master;
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_IGN);
	/* The terminal's Ctrl-C reaches all processes: the master alone decides what follows from it. */
	signal(SIGINT, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	close(m->signals.source.fd);
	admin_forget(m->admin);
	if (m->status_fd >= 0)
		close(m->status_fd);
	for (unsigned i = 0; i < m->nchildren; i++) {
		struct child *c = &m->children[i];

		if (c->control.fd >= 0 && c->control.fd != control_fd)
			close(c->control.fd);
		for (size_t k = 0; c != self && c->listeners && k < m->settings->nlisteners; k++)
			close(c->listeners[k]);
	}
	loop_free(m->loop);
}

static _Noreturn void run_worker(struct child *c, int control_fd)
{
	struct master *m = c->master;
	struct worker_start start = {
		.index = c->index,
		.count = m->nchildren,
		.settings = settings_ref(m->settings),
		.material = m->material,
		.tickets = m->tickets,
		.slots = &m->slots,
		.totals = &m->totals[c->index],
		.servers = &m->servers[c->index * m->server_rows],
		.server_rows = m->server_rows,
		.sticky = m->sticky,
		.splice = m->splice,
		.no_splice = m->no_splice,
		.control_fd = control_fd,
		.log_fd = m->log_fd,
		.listeners = c->listeners,
	};

	prctl(PR_SET_NAME, "sluice-worker");
	forget_master(c, control_fd);
	exit(worker_main(&start));
}

int child_start(struct child *c)
{
	int ends[2], err = control_pair(ends);
	pid_t pid;

	if (err)
		return err;
	pid = fork();
	if (pid < 0) {
		err = -errno;
		close(ends[0]);
		close(ends[1]);
		return err;
	}
	if (pid == 0) {
		close(ends[0]);
		run_worker(c, ends[1]);
	}
	close(ends[1]);
	c->pid = pid;
	c->ready = false;
	c->started_ms = loop_now_ms(c->master->loop);
	c->control = (struct source){.on_ready = on_control, .fd = ends[0]};
	return loop_add(c->master->loop, &c->control, EPOLLIN);
}

void children_say(struct master *m, uint32_t kind, uint64_t arg)
{
	for (unsigned i = 0; i < m->nchildren; i++)
		if (m->children[i].pid &&
			control_say(m->children[i].control.fd, (enum control_kind)kind, arg))
			log_warn("worker %u does not take its orders", i);
}

bool children_alive(const struct master *m)
{
	for (unsigned i = 0; i < m->nchildren; i++)
		if (m->children[i].pid)
			return true;
	return false;
}

void children_kill(struct master *m)
{
	for (unsigned i = 0; i < m->nchildren; i++)
		if (m->children[i].pid)
			kill(m->children[i].pid, SIGKILL);
}

static void say_death(const struct child *c, int status)
{
	if (WIFSIGNALED(status))
		log_error("worker %u (pid %d) was ended by signal %d (%s); its streams are cut, the others "
			  "go on",
			c->index, (int)c->pid, WTERMSIG(status), strsignal(WTERMSIG(status)));
	else
		log_error("worker %u (pid %d) ended with status %d", c->index, (int)c->pid,
			WEXITSTATUS(status));
}

/* A worker that was killed could not take its sockets out of the maps. */
static void reclaim_slots(const struct child *c)
{
	struct master *m = c->master;
	uint32_t first, count;

	if (!m->splice)
		return;
	slots_range(&m->slots, c->index, m->nchildren, &first, &count);
	splice_reap(m->splice, c->index, first, count);
}

static void child_died(struct child *c, int status)
{
	struct master *m = c->master;
	uint64_t lived = loop_now_ms(m->loop) - c->started_ms;

	if (!m->stopping)
		say_death(c, status);
	c->pid = 0;
	close_control(c);
	if (m->stopping)
		return;
	if (!c->ready && !m->announced) {
		m->failed = true;
		m->stopping = true;
		children_say(m, CONTROL_CUT, 0);
		return;
	}
	reclaim_slots(c);
	c->restarts++;
	m->totals[m->nchildren].worker_restarts++;
	timer_in(m->loop, &c->restart, lived < QUICK_DEATH_MS ? RESTART_PAUSE_MS : 1);
}

void children_reap(struct master *m)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (pid == m->log_pid) {
			m->log_pid = 0;
			if (!m->stopping)
				log_error("the access log's process (pid %d) has ended; lines are lost until "
					  "a restart",
					(int)pid);
		}
		if (status_reap(m, pid))
			continue;
		for (unsigned i = 0; i < m->nchildren; i++)
			if (m->children[i].pid == pid)
				child_died(&m->children[i], status);
	}
	if (m->stopping && !children_alive(m))
		loop_stop(m->loop);
}
