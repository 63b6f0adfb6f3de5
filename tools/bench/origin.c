#include "origin.h"
#include "cert.h"
#include "cli.h"
#include "commands.h"
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#define FDS_WANTED   1000000
#define FULL_WAIT_MS 100 /* without file descriptors: how long nobody is accepted */

static void on_acceptable(struct source *s, uint32_t events)
{
	struct origin *o = container_of(s, struct origin, listener);
	int fd;

	(void)events;
	while ((fd = accept4(s->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0)
		conn_accept(o, fd);
	if (errno != EMFILE && errno != ENFILE)
		return;
	if (!o->said_full)
		fprintf(stderr, "sluice-bench origin: no more file descriptors: raise the limit (ulimit -n), "
				"or share "
				"the connections (--processes)\n");
	o->said_full = true;
	/* Those that wait would wake the loop without end. */
	loop_del(o->loop, &o->listener);
	timer_in(o->loop, &o->full, FULL_WAIT_MS);
}

static void on_full_over(struct timer *t)
{
	struct origin *o = container_of(t, struct origin, full);

	if (loop_add(o->loop, &o->listener, EPOLLIN))
		timer_in(o->loop, t, FULL_WAIT_MS);
}

static void on_signal(struct signals *s, int signo)
{
	(void)signo;
	loop_stop(s->loop);
}

/* One listening socket for each process, all of one address; `fds` are the caller's to close. */
static int listen_on(const struct origin *o, const char *text, int *fds)
{
	struct net_address address;
	char bound[NET_TEXT_MAX];
	int err = net_address_parse(text, &address);

	for (unsigned i = 0; !err && i < o->processes; i++)
		err = net_listen(&address, o->processes > 1, &fds[i]);
	if (err) {
		fprintf(stderr, "sluice-bench origin: cannot listen on %s: %s\n", text, strerror(-err));
		return err;
	}
	net_address_text(&address, bound);
	fprintf(stderr, "sluice-bench origin: listening on %s\n", bound);
	return 0;
}

static void origin_done(struct origin *o)
{
	if (!o->loop)
		return;
	/* What is still open ends with the process; the kernel closes it. */
	ticks_done(&o->ticks, o->loop);
	signals_done(&o->signals);
	loop_free(o->loop);
	buf_reset(&o->out);
	wire_context_free(&o->tls);
}

/* The certificate of `pem`, or one that is made for this run. */
static int use_tls(struct origin *o, const char *pem)
{
	char made[] = "/tmp/sluice-bench-origin.XXXXXX";
	_cleanup_close_ int fd = pem ? -1 : mkostemp(made, O_CLOEXEC);
	int err = pem ? 0 : fd < 0 ? -errno : cert_write(made);

	if (!err)
		err = wire_server_context(pem ? pem : made, &o->tls);
	if (fd >= 0)
		unlink(made);
	if (err)
		fprintf(stderr, "sluice-bench origin: --cert %s: %s\n", pem ? pem : "(made for this run)",
			err == -EINVAL ? "allowed: a PEM file with a certificate and its key"
				       : strerror(-err));
	return err;
}

/* One process: until it is told to end. */
static int serve(struct origin *o, int listen_fd)
{
	static const int signos[] = {SIGTERM, SIGINT};
	int err;

	/* The kernel would let timers of an ordinary process fire 50 us late, to save power. */
	prctl(PR_SET_TIMERSLACK, 1UL, 0UL, 0UL, 0UL);
	list_init(&o->conns);
	timer_init(&o->full, on_full_over);
	o->stats = &o->shared->stats[o->index];
	o->listener = (struct source){.on_ready = on_acceptable, .fd = listen_fd};
	o->signals.source.fd = o->ticks.source.fd = -1;
	err = loop_new(&o->loop);
	if (!err)
		err = ticks_init(&o->ticks, o->loop);
	if (!err)
		err = signals_init(&o->signals, o->loop, signos, ARRAY_LEN(signos), on_signal);
	if (!err)
		err = loop_add(o->loop, &o->listener, EPOLLIN);
	if (!err)
		err = loop_run(o->loop);
	origin_done(o);
	return err;
}

/* Forks the others; this process is the first of them, and ends them with itself. */
static int serve_all(struct origin *o, const char *listen)
{
	int fds[ORIGIN_PROCESSES_MAX], err;
	pid_t pids[ORIGIN_PROCESSES_MAX] = {0}, parent = getpid();

	net_raise_fd_limit(FDS_WANTED);
	o->shared = mmap(NULL, sizeof(*o->shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (o->shared == MAP_FAILED)
		return -ENOMEM;
	err = listen_on(o, listen, fds);
	for (unsigned i = 1; !err && i < o->processes; i++) {
		pids[i] = fork();
		if (pids[i] < 0)
			err = -errno;
		if (pids[i])
			continue;
		prctl(PR_SET_PDEATHSIG, SIGTERM);
		o->index = i;
		_exit(getppid() == parent && !serve(o, fds[i]) ? 0 : 1);
	}
	if (!err)
		err = serve(o, fds[0]);
	for (unsigned i = 1; i < o->processes; i++) {
		if (pids[i] <= 0)
			continue;
		kill(pids[i], SIGTERM);
		waitpid(pids[i], NULL, 0);
	}
	return err;
}

int command_origin(int argc, char **argv)
{
	static struct origin o;
	const char *listen = "127.0.0.1:4000", *cert = NULL;
	uint64_t processes = 1;
	bool tls = false;
	struct stream_settings *set = &o.settings;
	const struct cli_option options[] = {
		CLI_STRING("listen", &listen, "ADDR:PORT",
			"where to serve; port 0: any free one (127.0.0.1:4000)"),
		CLI_RANGE("processes", CLI_COUNT, &processes, "P", "share the connections (1)", 1,
			ORIGIN_PROCESSES_MAX),
		CLI_SWITCH("tls", CLI_ON, &tls, "TLS 1.3 with " WIRE_TLS_SUITE),
		CLI_STRING("cert", &cert, "FILE",
			"PEM, certificate and key, implies --tls (one made for the run)"),
		CLI_RANGE(
			"rate", CLI_NUMBER, &set->rate, "N", "events a second on each stream (2)", 0, 100000),
		CLI_RANGE("size", CLI_COUNT, &set->size, "BYTES", "of an event, all lines of it (200)", 0,
			1048576),
		CLI_SWITCH("chunked", CLI_ON, &set->chunked, "each event is one chunk (so by default)"),
		CLI_SWITCH("no-chunked", CLI_OFF, &set->chunked, "the end of the connection ends the stream"),
		{"silent-head", CLI_NUMBER_IF, &set->silent_s, "SECONDS",
			"at first only the head; or for ever", 0, 1e9, 1e9, false},
		CLI_SWITCH("hello", CLI_ON, &set->hello, "a comment follows the head at once"),
		CLI_SWITCH("jitter", CLI_ON, &set->jitter, "each event anywhere within its interval"),
		CLI_RANGE("burst", CLI_COUNT, &set->burst, "N",
			"N events at once, as rarely as keeps the rate", 1, 1000),
		CLI_RANGE("events", CLI_COUNT, &set->events, "N", "a stream ends after N events (0: never)",
			0, 1e15),
		CLI_RANGE("retry", CLI_COUNT, &set->retry_ms, "MS", "the first event says retry: MS", 0, 1e9),
	};
	const struct cli cli = {"origin",
		"an event source: /events?rate=&size=&n=&retry=&burst=&silent=&jitter=&hello=&chunked=&tag=, "
		"a page "
		"at /, /json, /closes, /echo, /healthz",
		options, ARRAY_LEN(options)};
	int err;

	*set = (struct stream_settings){.rate = 2, .size = 200, .burst = 1, .chunked = true};
	err = cli_parse(&cli, argc, argv);
	if (err)
		return err < 0 ? 2 : 0;
	if ((tls || cert) && use_tls(&o, cert))
		return 1;
	o.processes = (unsigned)processes;
	err = serve_all(&o, listen);
	if (err)
		fprintf(stderr, "sluice-bench origin: stopped: %s\n", strerror(-err));
	return err ? 1 : 0;
}
