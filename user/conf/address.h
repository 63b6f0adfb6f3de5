/* Addresses as an operator writes them: text to struct. Pure; no name is resolved here. net/addr.h stands on
 * it. */
#ifndef SLUICE_CONF_ADDRESS_H
#define SLUICE_CONF_ADDRESS_H

#include "conf/settings.h"

/* "203.0.113.7:80", "[2001:db8::1]:80", "unix:/path"; -EINVAL otherwise. Port 0 is legal. */
must_check int address_parse(struct slice text, struct sockaddr_any *ret);
/* 127.0.0.0/8 or ::1. A unix socket is none. */
bool address_is_loopback(const struct sockaddr_any *addr);
/* "host:port" into its halves; the brackets of an IPv6 literal are left out. The host is an IP literal or a
 * name that host_valid takes, the port 1..65535. */
must_check int address_split(struct slice text, struct slice *ret_host, uint16_t *ret_port);
/* A host name (RFC 1123, and '_' as containers use it) or an IPv4 literal. */
bool host_valid(struct slice host);
/* An IPv6 literal without brackets. */
bool ipv6_valid(struct slice text);
/* "10.0.0.0/8", "2001:db8::/32", or one address. -EINVAL; -ERANGE: bits are set behind the prefix, *ret has
 * them cleared. */
must_check int cidr_parse(struct slice text, struct cidr *ret);
/* Digits only, at most `max`. */
must_check int decimal_parse(struct slice text, uint64_t max, uint64_t *ret);

#endif
