/* The listening sockets of a worker, all or none: a reload that cannot have the new ones keeps the old. */
#ifndef SLUICE_MAIN_ACCEPTORS_H
#define SLUICE_MAIN_ACCEPTORS_H

#include "stream/client.h"

struct acceptors {
	struct acceptor *list;
	size_t count;
};

/* Accepts on `fds`, which belong to `settings->listeners` in their order. Takes over the fds, on error too;
 * *ret is then untouched. Negative errno. */
must_check int acceptors_open(
	struct acceptors *ret, struct env *env, const struct settings *settings, const int *fds, size_t n);
void acceptors_close(struct acceptors *a);

#endif
