#include "event/signals.h"
#include <signal.h>
#include <sys/signalfd.h>

static void on_ready(struct source *source, uint32_t events)
{
	struct signals *s = container_of(source, struct signals, source);
	struct signalfd_siginfo info;

	(void)events;
	while (s->source.armed && read(source->fd, &info, sizeof(info)) == (ssize_t)sizeof(info))
		s->on_signal(s, (int)info.ssi_signo);
}

int signals_init(struct signals *s, struct loop *l, const int *signos, size_t count,
	void (*on_signal)(struct signals *s, int signo))
{
	sigset_t set;
	int err;

	sigemptyset(&set);
	for (size_t i = 0; i < count; i++)
		sigaddset(&set, signos[i]);
	if (sigprocmask(SIG_BLOCK, &set, NULL))
		return -errno;
	*s = (struct signals){.loop = l, .on_signal = on_signal};
	s->source.on_ready = on_ready;
	s->source.fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	if (s->source.fd < 0)
		return -errno;
	err = loop_add(l, &s->source, EPOLLIN);
	if (err) {
		close(s->source.fd);
		s->source.fd = -1;
	}
	return err;
}

void signals_done(struct signals *s)
{
	if (s->source.fd < 0)
		return;
	loop_del(s->loop, &s->source);
	close(s->source.fd);
	s->source.fd = -1;
}
