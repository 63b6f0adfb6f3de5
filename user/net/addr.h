/* Socket addresses: text to struct and back. Pure. */
#ifndef SLUICE_NET_ADDR_H
#define SLUICE_NET_ADDR_H

#include "conf/settings.h"
#include "sluice/ctl.h"

/* "203.0.113.7:80", "[2001:db8::1]:80", "unix:/path"; IPv4 or IPv6 literals only. -EINVAL otherwise. */
must_check int addr_parse(const char *text, struct sockaddr_any *ret);
#define ADDR_TEXT_MAX 128
/* The same form back; "unix:" for an unnamed peer. Returns `out`. */
const char *addr_format(const struct sockaddr_any *a, char out[ADDR_TEXT_MAX]);
/* IP without port; empty for unix. IPv4-mapped IPv6 is written as IPv4. */
const char *addr_format_ip(const struct sockaddr_any *a, char out[ADDR_TEXT_MAX]);
void addr_to_record(const struct sockaddr_any *a, struct sluice_addr *ret);
/* The IP of a record as text, no port; empty when it has none. Returns `out`. */
const char *addr_record_ip(const struct sluice_addr *a, char *out, size_t size);
bool addr_in(const struct sockaddr_any *a, const struct cidr *list, size_t n);
bool addr_equal(const struct sockaddr_any *a, const struct sockaddr_any *b);

#endif
