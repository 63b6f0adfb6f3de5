/* How many TLS handshakes a source may begin: a token bucket for each, in a table of fixed size. A source is
 * an IPv4 address or an IPv6 /64, which is what one host can have at no cost. One per worker, time is passed
 * in. */
#ifndef SLUICE_POLICY_HANDSHAKES_H
#define SLUICE_POLICY_HANDSHAKES_H

#include "conf/settings.h"

struct handshakes;

/* `rate` a second (0: no limit), of which `burst` (from 1) may come at once. -ENOMEM. */
must_check int handshakes_new(unsigned rate, unsigned burst, struct handshakes **ret);
/* NULL is legal. */
void handshakes_free(struct handshakes *h);
/* After a reload; what sources have used stays. */
void handshakes_set(struct handshakes *h, unsigned rate, unsigned burst);
/* True: one may begin, and counts. A unix socket's peer always may. `now_ms` never goes back. */
must_check bool handshakes_take(struct handshakes *h, const struct sockaddr_any *source, uint64_t now_ms);

#endif
