#include "net/addr.h"
#include "conf/address.h"
#include <arpa/inet.h>
#include <stdio.h>

int addr_parse(const char *text, struct sockaddr_any *ret)
{
	return address_parse(slice_of(text), ret);
}

static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

/* As 16 bytes and a port, IPv4 as ::ffff:a.b.c.d. False: no IP address. */
static bool ip_of(const struct sockaddr_any *a, uint8_t ip[16], uint16_t *ret_port)
{
	if (a->len < sizeof(a->sa.sa_family))
		return false;
	if (a->sa.sa_family == AF_INET) {
		memcpy(ip, mapped, 12);
		memcpy(ip + 12, &a->in4.sin_addr, 4);
		*ret_port = ntohs(a->in4.sin_port);
		return true;
	}
	if (a->sa.sa_family == AF_INET6) {
		memcpy(ip, &a->in6.sin6_addr, 16);
		*ret_port = ntohs(a->in6.sin6_port);
		return true;
	}
	return false;
}

/* Bytes of the path: a final NUL does not count, the first one of an abstract name does. 0: unnamed. */
static size_t unix_path(const struct sockaddr_any *a)
{
	size_t n = a->len > offsetof(struct sockaddr_un, sun_path)
			   ? a->len - offsetof(struct sockaddr_un, sun_path)
			   : 0;

	n = MIN(n, sizeof(a->un.sun_path));
	return n && a->un.sun_path[0] ? strnlen(a->un.sun_path, n) : n;
}

const char *addr_format(const struct sockaddr_any *a, char out[ADDR_TEXT_MAX])
{
	char ip[INET6_ADDRSTRLEN];

	if (a->len < sizeof(a->sa.sa_family)) {
		out[0] = 0;
	} else if (a->sa.sa_family == AF_INET) {
		inet_ntop(AF_INET, &a->in4.sin_addr, ip, sizeof(ip));
		snprintf(out, ADDR_TEXT_MAX, "%s:%u", ip, ntohs(a->in4.sin_port));
	} else if (a->sa.sa_family == AF_INET6) {
		inet_ntop(AF_INET6, &a->in6.sin6_addr, ip, sizeof(ip));
		snprintf(out, ADDR_TEXT_MAX, "[%s]:%u", ip, ntohs(a->in6.sin6_port));
	} else if (a->sa.sa_family == AF_UNIX) {
		size_t n = unix_path(a);
		bool abstract = n && !a->un.sun_path[0];

		snprintf(out, ADDR_TEXT_MAX, "unix:%s%.*s", abstract ? "@" : "", (int)(n - abstract),
			a->un.sun_path + abstract);
	} else {
		out[0] = 0;
	}
	return out;
}

/* IPv4-mapped as IPv4: the form in which people and upstreams know a client. */
static void ip_text(const uint8_t ip[16], char *out, size_t size)
{
	bool v4 = memcmp(ip, mapped, sizeof(mapped)) == 0;

	if (!inet_ntop(v4 ? AF_INET : AF_INET6, v4 ? ip + sizeof(mapped) : ip, out, (socklen_t)size))
		out[0] = 0; /* too small */
}

const char *addr_format_ip(const struct sockaddr_any *a, char out[ADDR_TEXT_MAX])
{
	uint8_t ip[16];
	uint16_t port;

	out[0] = 0;
	if (ip_of(a, ip, &port))
		ip_text(ip, out, ADDR_TEXT_MAX);
	return out;
}

const char *addr_record_ip(const struct sluice_addr *a, char *out, size_t size)
{
	out[0] = 0;
	if (a->family == AF_INET || a->family == AF_INET6)
		ip_text(a->ip, out, size);
	return out;
}

void addr_to_record(const struct sockaddr_any *a, struct sluice_addr *ret)
{
	struct sluice_addr record = {0};

	if (!ip_of(a, record.ip, &record.port)) {
		memset(record.ip, 0, sizeof(record.ip));
		record.port = 0;
	}
	if (a->len >= sizeof(a->sa.sa_family))
		record.family = a->sa.sa_family;
	*ret = record;
}

static bool cidr_has(const struct cidr *c, const uint8_t ip[16])
{
	size_t whole = c->bits / 8;
	uint8_t mask = (uint8_t)(0xff00u >> c->bits % 8);

	if (memcmp(c->ip, ip, whole) != 0)
		return false;
	return whole == 16 || (c->ip[whole] & mask) == (ip[whole] & mask);
}

bool addr_in(const struct sockaddr_any *a, const struct cidr *list, size_t n)
{
	uint8_t ip[16];
	uint16_t port;

	if (!ip_of(a, ip, &port))
		return false;
	for (size_t i = 0; i < n; i++) {
		if (cidr_has(&list[i], ip))
			return true;
	}
	return false;
}

bool addr_equal(const struct sockaddr_any *a, const struct sockaddr_any *b)
{
	uint8_t ip_a[16], ip_b[16];
	uint16_t port_a = 0, port_b = 0;
	bool is_a = ip_of(a, ip_a, &port_a), is_b = ip_of(b, ip_b, &port_b);
	size_t n;

	if (is_a || is_b)
		return is_a && is_b && port_a == port_b && memcmp(ip_a, ip_b, 16) == 0;
	if (!a->len || !b->len)
		return a->len == b->len;
	if (a->sa.sa_family != AF_UNIX || b->sa.sa_family != AF_UNIX)
		return false;
	n = unix_path(a);
	return n == unix_path(b) && memcmp(a->un.sun_path, b->un.sun_path, n) == 0;
}
