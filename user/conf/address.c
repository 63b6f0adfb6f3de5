#include "conf/address.h"
#include <arpa/inet.h>

int decimal_parse(struct slice text, uint64_t max, uint64_t *ret)
{
	uint64_t value = 0;

	if (!text.n)
		return -EINVAL;
	for (size_t i = 0; i < text.n; i++) {
		if (text.p[i] < '0' || text.p[i] > '9')
			return -EINVAL;
		if (__builtin_mul_overflow(value, 10, &value) ||
			__builtin_add_overflow(value, (uint64_t)(text.p[i] - '0'), &value))
			return -ERANGE;
	}
	if (value > max)
		return -ERANGE;
	*ret = value;
	return 0;
}

/* inet_pton wants a NUL; a literal is at most 45 bytes. */
static bool literal_parse(int family, struct slice text, void *ret)
{
	char copy[INET6_ADDRSTRLEN];

	if (text.n >= sizeof(copy) || (text.n && memchr(text.p, 0, text.n)))
		return false;
	if (text.n)
		memcpy(copy, text.p, text.n);
	copy[text.n] = 0;
	return inet_pton(family, copy, ret) == 1;
}

bool ipv6_valid(struct slice text)
{
	struct in6_addr ip;

	return literal_parse(AF_INET6, text, &ip);
}

/* The halves of "host:port" as text; an IPv6 literal must stand in brackets, so that its colons are its own.
 */
static int split(struct slice text, struct slice *ret_host, struct slice *ret_port, bool *ret_brackets)
{
	const char *end, *colon, *close;

	if (!text.n)
		return -EINVAL;
	end = text.p + text.n;
	if (text.p[0] == '[') {
		close = memchr(text.p, ']', text.n);
		if (!close || close + 1 == end || close[1] != ':')
			return -EINVAL;
		*ret_host = (struct slice){text.p + 1, (size_t)(close - text.p) - 1};
		*ret_port = (struct slice){close + 2, (size_t)(end - close) - 2};
		*ret_brackets = true;
		return 0;
	}
	colon = memchr(text.p, ':', text.n);
	if (!colon)
		return -EINVAL;
	*ret_host = (struct slice){text.p, (size_t)(colon - text.p)};
	*ret_port = (struct slice){colon + 1, (size_t)(end - colon) - 1};
	*ret_brackets = false;
	return 0;
}

static int unix_parse(struct slice path, struct sockaddr_any *ret)
{
	struct sockaddr_any a = {0};

	if (path.n < 2 || path.p[0] != '/' || path.n >= sizeof(a.un.sun_path) || memchr(path.p, 0, path.n))
		return -EINVAL;
	a.un.sun_family = AF_UNIX;
	memcpy(a.un.sun_path, path.p, path.n);
	a.len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + path.n + 1);
	*ret = a;
	return 0;
}

int address_parse(struct slice text, struct sockaddr_any *ret)
{
	struct sockaddr_any a = {0};
	struct slice host, port_text;
	uint64_t port;
	bool brackets;

	if (slice_starts(text, SLICE("unix:")))
		return unix_parse((struct slice){text.p + 5, text.n - 5}, ret);
	if (split(text, &host, &port_text, &brackets) < 0 || decimal_parse(port_text, 65535, &port) < 0)
		return -EINVAL;
	if (brackets && literal_parse(AF_INET6, host, &a.in6.sin6_addr)) {
		a.in6.sin6_family = AF_INET6;
		a.in6.sin6_port = htons((uint16_t)port);
		a.len = sizeof(a.in6);
	} else if (!brackets && literal_parse(AF_INET, host, &a.in4.sin_addr)) {
		a.in4.sin_family = AF_INET;
		a.in4.sin_port = htons((uint16_t)port);
		a.len = sizeof(a.in4);
	} else {
		return -EINVAL;
	}
	*ret = a;
	return 0;
}

static bool label_byte(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
	       c == '_';
}

/* A name whose last label is a number is read as an IPv4 address by everybody, so it must be one
 * (WHATWG URL, "ends in a number"). */
static bool ends_in_number(struct slice host)
{
	size_t i = host.n;

	while (i && host.p[i - 1] >= '0' && host.p[i - 1] <= '9')
		i--;
	return i < host.n && (i == 0 || host.p[i - 1] == '.');
}

bool host_valid(struct slice host)
{
	struct in_addr ip;
	size_t label = 0;

	if (ends_in_number(host))
		return literal_parse(AF_INET, host, &ip);
	if (!host.n || host.n > 253)
		return false;
	for (size_t i = 0; i < host.n; i++) {
		char c = host.p[i];

		if (c == '.') {
			if (!label || host.p[i - 1] == '-')
				return false;
			label = 0;
		} else if (!label_byte(c) || (c == '-' && !label) || ++label > 63) {
			return false;
		}
	}
	return label && host.p[host.n - 1] != '-';
}

bool address_is_loopback(const struct sockaddr_any *addr)
{
	if (addr->sa.sa_family == AF_INET)
		return ntohl(addr->in4.sin_addr.s_addr) >> 24 == 127;
	return addr->sa.sa_family == AF_INET6 && IN6_IS_ADDR_LOOPBACK(&addr->in6.sin6_addr);
}

int address_split(struct slice text, struct slice *ret_host, uint16_t *ret_port)
{
	struct slice host, port_text;
	uint64_t port;
	bool brackets;

	if (split(text, &host, &port_text, &brackets) < 0)
		return -EINVAL;
	if (decimal_parse(port_text, 65535, &port) < 0 || port == 0)
		return -EINVAL;
	if (brackets ? !ipv6_valid(host) : !host_valid(host))
		return -EINVAL;
	*ret_host = host;
	*ret_port = (uint16_t)port;
	return 0;
}

/* Clears what stands behind the prefix; true when something stood there. */
static bool cidr_mask(struct cidr *c)
{
	bool had = false;

	for (unsigned i = 0; i < 16; i++) {
		unsigned keep = c->bits > i * 8 ? MIN(8u, c->bits - i * 8) : 0;
		uint8_t mask = (uint8_t)(0xff00u >> keep);

		had |= (c->ip[i] & ~mask & 0xff) != 0;
		c->ip[i] &= mask;
	}
	return had;
}

int cidr_parse(struct slice text, struct cidr *ret)
{
	const char *slash = text.n ? memchr(text.p, '/', text.n) : NULL;
	struct slice ip = slash ? (struct slice){text.p, (size_t)(slash - text.p)} : text;
	struct cidr c = {.ip = {[10] = 0xff, [11] = 0xff}};
	uint64_t bits, width;

	if (literal_parse(AF_INET, ip, c.ip + 12))
		width = 32;
	else if (literal_parse(AF_INET6, ip, c.ip))
		width = 128;
	else
		return -EINVAL;
	bits = width;
	if (slash && decimal_parse((struct slice){slash + 1, text.n - ip.n - 1}, width, &bits) < 0)
		return -EINVAL;
	c.bits = (uint8_t)(128 - width + bits);
	width = cidr_mask(&c);
	*ret = c;
	return width ? -ERANGE : 0;
}
