/* Every socket option that sluice sets, in one place, with why. What was set is shown per stream
 * (`sluice_ctl`). */
#ifndef SLUICE_NET_TUNING_H
#define SLUICE_NET_TUNING_H

#include "conf/settings.h"

/* A listener, before bind: SO_REUSEADDR, SO_REUSEPORT (TCP), TCP_DEFER_ACCEPT off, IPV6_V6ONLY as asked. */
must_check int tuning_listener(int fd, const struct listener_settings *l);
/* An accepted client: TCP_NODELAY, keepalive (idle, 3 probes), TCP_USER_TIMEOUT, TCP_NOTSENT_LOWAT. A unix
 * socket gets none. */
must_check int tuning_client(int fd, const struct settings *s);
/* The client's socket when an event stream begins: SO_SNDBUF (the kernel doubles it; switches autotuning
 * off). */
must_check int tuning_stream(int fd, unsigned sndbuf);
/* The upstream's socket when an event stream begins: SO_RCVBUF (doubled and no longer autotuned, as above),
 * which bounds what waits in the kernel for a client that lags. */
#define TUNING_STREAM_RCVBUF (128 * 1024)
must_check int tuning_upstream_stream(int fd);
/* A connection to an upstream: TCP_NODELAY, keepalive. */
must_check int tuning_upstream(int fd, const struct settings *s);
/* SO_LINGER 0: close() tells the peer by a reset that what it got is not all; unsent bytes are thrown away.
 */
void tuning_reset_on_close(int fd);
/* SO_COOKIE: the kernel's name for this socket for its whole life; 0: it has none. */
uint64_t tuning_cookie(int fd);

#endif
