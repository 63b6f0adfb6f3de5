/* The status page's process as the master sees it: its listener, forked, missed, restarted. */
#include "status/status.h"
#include "base/clock.h"
#include "base/log.h"
#include "conf/address.h"
#include "main/master_state.h"
#include "main/privileges.h"
#include "main/sandbox.h"
#include "net/addr.h"
#include "net/listen.h"
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#define RESTART_MS 1000

/* This process reads what the daemon shares; a fault in it must not write there. Mappings begin on pages. */
static void make_readonly(const void *p, size_t size)
{
	if (p && mprotect((void *)p, size, PROT_READ))
		log_debug("status page: mprotect: %s", strerror(errno));
}

static void keep_only(int fd)
{
	if (fd > 3)
		close_range(3, (unsigned)fd - 1, 0);
	close_range((unsigned)fd + 1, ~0U, 0);
}

static _Noreturn void run(const struct master *m, pid_t master)
{
	struct status_params p = {
		.fd = m->status_fd,
		.remote = m->settings->status_remote,
		.source = {.instance = m->settings->instance,
			.records = m->slots.records,
			.flows = m->splice ? splice_flows(m->splice) : NULL,
			.slots = m->slots.count,
			.counters = m->totals,
			.workers = m->nchildren,
			.start_ns = m->state.head->about.start_ns},
	};
	sigset_t none;
	int err;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGINT, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	prctl(PR_SET_NAME, "sluice-status");
	keep_only(m->status_fd);
	if (m->splice)
		make_readonly(m->slots.records, m->slots.count * sizeof(*m->slots.records));
	make_readonly(m->state.head, m->state.head->bytes);
	if (privileges_drop(m->settings->user))
		_exit(1);
	/* Behind the change of user, which forgets it. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != master)
		_exit(0);
	err = sandbox_enter(0);
	if (err) {
		log_error("status page: no seccomp filter: %s", strerror(-err));
		_exit(1);
	}
	_exit(status_serve(&p) ? 1 : 0);
}

static int start(struct master *m)
{
	pid_t master = getpid(), pid = fork();

	if (pid < 0)
		return -errno;
	if (pid == 0)
		run(m, master);
	m->status_pid = pid;
	return 0;
}

static void on_restart(struct timer *t)
{
	struct master *m = container_of(t, struct master, status_timer);

	if (!m->stopping && start(m))
		timer_in(m->loop, &m->status_timer, RESTART_MS);
}

int status_open(struct master *m)
{
	struct listener_settings l = {.listen = m->settings->status, .backlog = STATUS_CLIENTS};
	struct sockaddr_any addr;
	char why[256] = "", text[ADDR_TEXT_MAX];
	int err;

	timer_init(&m->status_timer, on_restart);
	if (!m->settings->status)
		return 0;
	err = address_parse(slice_of(l.listen), &l.addr);
	err = err ? err : listen_check_free(&l, why, sizeof(why));
	err = err ? err : listen_open(&l, &m->status_fd, why, sizeof(why));
	if (err) {
		log_error("admin_http: %s", *why ? why : strerror(-err));
		return err;
	}
	err = start(m);
	if (!err && listen_address(m->status_fd, &addr) == 0)
		log_info("status page on http://%s/", addr_format(&addr, text));
	return err;
}

bool status_reap(struct master *m, pid_t pid)
{
	if (!m->status_pid || pid != m->status_pid)
		return false;
	m->status_pid = 0;
	if (!m->stopping) {
		log_error("the status page's process (pid %d) has ended; another one is started", (int)pid);
		timer_in(m->loop, &m->status_timer, RESTART_MS);
	}
	return true;
}

void status_close(struct master *m)
{
	/* Waited for, so that a successor of this daemon finds the address free. */
	if (m->status_pid && !kill(m->status_pid, SIGKILL))
		waitpid(m->status_pid, NULL, 0);
	if (m->status_fd >= 0)
		close(m->status_fd);
	m->status_fd = -1;
}
