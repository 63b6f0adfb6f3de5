/* Outgoing connections, non-blocking. The fd comes back at once; it is connected when it is writable and
 * dial_result is 0. */
#ifndef SLUICE_NET_DIAL_H
#define SLUICE_NET_DIAL_H

#include "conf/settings.h"

/* 0 and *ret_fd (connect under way or done), or negative errno (-EMFILE, -EADDRNOTAVAIL, -ECONNREFUSED for
 * unix, …). */
must_check int dial_start(const struct sockaddr_any *to, const struct settings *s, int *ret_fd);
/* SO_ERROR as negative errno; 0 when connected. */
int dial_result(int fd);

#endif
