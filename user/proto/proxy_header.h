/* PROXY protocol v1 and v2 (haproxy's proxy-protocol.txt), read before the first request when a listener asks
 * for it. */
#ifndef SLUICE_PROTO_PROXY_HEADER_H
#define SLUICE_PROTO_PROXY_HEADER_H

#include "base/util.h"
#include <sys/socket.h>

struct proxy_header {
	bool local; /* LOCAL or UNKNOWN: keep the socket's own addresses */
	struct sockaddr_storage source, destination;
};

/* Bytes of the header when whole (v1 and v2 headers are at most 107 and 16 + 2,048 bytes here), 0 when more
 * is needed, -EBADMSG when it is not one. */
int proxy_header_parse(const void *p, size_t n, struct proxy_header *ret);

#endif
