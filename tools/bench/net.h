/* Sockets of the benchmark's tools: TCP addresses, URLs, listening, connecting. Blocking name look-ups, which
 * is fine in a tool; every fd is close-on-exec. */
#ifndef SLUICE_BENCH_NET_H
#define SLUICE_BENCH_NET_H

#include "base/util.h"
#include <sys/socket.h>

struct net_address {
	struct sockaddr_storage addr;
	socklen_t len;
};

/* "http://HOST[:PORT][/PATH]", or https://. */
struct net_url {
	char host[256]; /* as in the Host field: with the port when it was given */
	char path[512]; /* with the query; "/" when there was none */
	struct net_address address;
	bool tls; /* https:// */
};

#define NET_TEXT_MAX 64 /* "[…]:65535" */

/* "ADDR:PORT" or "[ADDR]:PORT"; numeric only, no look-up. -EINVAL. */
must_check int net_address_parse(const char *text, struct net_address *ret);
/* The opposite; `out` has NET_TEXT_MAX bytes. */
void net_address_text(const struct net_address *a, char *out);
/* -EINVAL: not such a URL; -EPROTONOSUPPORT: neither http nor https; -EADDRNOTAVAIL: the name is unknown. */
must_check int net_url_parse(const char *text, struct net_url *ret);

/* A listening non-blocking socket; *a gets the port that the kernel chose. With `shared` others of this user
 * may listen there too, and the kernel deals the connections out (SO_REUSEPORT). Negative errno. */
must_check int net_listen(struct net_address *a, bool shared, int *ret_fd);
/* A connecting non-blocking socket with TCP_NODELAY; `source` may be NULL. Negative errno. */
must_check int net_connect(const struct net_address *a, const struct net_address *source, int *ret_fd);
/* A port that is free on 127.0.0.1 right now. Negative errno. */
must_check int net_free_port(uint16_t *ret);
/* Raises the fd limit to at least `want` as far as this user may. Returns the limit in force. */
size_t net_raise_fd_limit(size_t want);

#endif
