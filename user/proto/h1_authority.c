#include "proto/h1_fields.h"
#include "proto/h1_chars.h"
#include <arpa/inet.h>

#define NAME_MAX_BYTES 255

static bool port_ok(struct slice port)
{
	unsigned int value = 0;

	if (port.n == 0 || port.n > 5 || !h1_all(port, H1_C_DIGIT))
		return false;
	for (size_t i = 0; i < port.n; i++)
		value = value * 10 + (unsigned int)(port.p[i] - '0');
	return value <= 65535;
}

static bool ipv6_ok(struct slice address)
{
	char text[INET6_ADDRSTRLEN];
	struct in6_addr out;

	if (address.n == 0 || address.n >= sizeof(text))
		return false;
	memcpy(text, address.p, address.n);
	text[address.n] = 0;
	return inet_pton(AF_INET6, text, &out) == 1;
}

/* Stricter than RFC 3986: no percent-encoding, no sub-delims (a comma would be a list to some), no user, no
 * empty port, no zone. None of these is a name that resolves, and each has been read in two ways by two
 * servers. */
bool h1_authority_ok(struct slice a)
{
	size_t host = 0;

	if (a.n && a.p[0] == '[') {
		const char *end = memchr(a.p, ']', a.n);

		if (!end || !ipv6_ok((struct slice){a.p + 1, (size_t)(end - a.p - 1)}))
			return false;
		host = (size_t)(end - a.p) + 1;
	} else {
		while (host < a.n && h1_is((unsigned char)a.p[host], H1_C_HOST))
			host++;
	}
	if (host == 0 || host > NAME_MAX_BYTES)
		return false;
	if (host == a.n)
		return true;
	return a.p[host] == ':' && port_ok((struct slice){a.p + host + 1, a.n - host - 1});
}
