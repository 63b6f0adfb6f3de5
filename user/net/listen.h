/* Listening sockets. Made by the master, one per worker (SO_REUSEPORT) so that a worker that dies loses no
 * connection; a unix socket is one fd that the workers share. */
#ifndef SLUICE_NET_LISTEN_H
#define SLUICE_NET_LISTEN_H

#include "conf/settings.h"

/* Bound and listening, non-blocking, close-on-exec, IPPROTO_TCP (never MPTCP). On error `why` (at least 256
 * bytes) says which call failed and what to do. A unix socket's stale file is removed only when nobody
 * listens on it. */
must_check int listen_open(const struct listener_settings *l, int *ret_fd, char *why, size_t why_size);
/* Before the first socket for an address is opened: another daemon of the same user could listen there with
 * SO_REUSEPORT as well, and the two would share the connections unnoticed. -EADDRINUSE, told in `why`. A unix
 * socket is judged by listen_open. */
must_check int listen_check_free(const struct listener_settings *l, char *why, size_t why_size);
/* What the kernel bound (port 0 resolved). */
must_check int listen_address(int fd, struct sockaddr_any *ret);

#endif
