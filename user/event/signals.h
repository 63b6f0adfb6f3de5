/* Signals as events: a signalfd in the loop. The signals are blocked for the whole process. */
#ifndef SLUICE_EVENT_SIGNALS_H
#define SLUICE_EVENT_SIGNALS_H

#include "event/loop.h"

struct signals {
	struct source source;
	struct loop *loop;
	void (*on_signal)(struct signals *s, int signo);
};

/* Blocks the `count` signals in `signos` and hands each to `on_signal`. Negative errno. */
must_check int signals_init(struct signals *s, struct loop *l, const int *signos, size_t count,
	void (*on_signal)(struct signals *s, int signo));
void signals_done(struct signals *s);

#endif
