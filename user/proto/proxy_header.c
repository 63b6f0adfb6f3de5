#include "proto/proxy_header.h"
#include <arpa/inet.h>
#include <netinet/in.h>

/* Sections are those of haproxy's proxy-protocol.txt. */
#define V1_MAX	    107 /* 2.1: the longest line, CRLF included */
#define V2_FIXED    16
#define V2_REST_MAX 2048 /* addresses and TLVs */

static const char v2_signature[12] = "\r\n\r\n\0\r\nQUIT\n";

/* 2.2: the bytes behind the signature. */
struct v2_fixed {
	uint8_t version_command, family;
	uint8_t length[2]; /* big endian */
};

enum v2_command { V2_LOCAL = 0, V2_PROXY = 1 };
enum v2_family { V2_UNSPEC = 0x00, V2_TCP4 = 0x11, V2_TCP6 = 0x21, V2_UNIX_STREAM = 0x31 };

static void set_v4(struct sockaddr_storage *ss, const void *address, uint16_t port_be)
{
	struct sockaddr_in sin = {.sin_family = AF_INET, .sin_port = port_be};

	memcpy(&sin.sin_addr, address, sizeof(sin.sin_addr));
	memset(ss, 0, sizeof(*ss));
	memcpy(ss, &sin, sizeof(sin));
}

static void set_v6(struct sockaddr_storage *ss, const void *address, uint16_t port_be)
{
	struct sockaddr_in6 sin6 = {.sin6_family = AF_INET6, .sin6_port = port_be};

	memcpy(&sin6.sin6_addr, address, sizeof(sin6.sin6_addr));
	memset(ss, 0, sizeof(*ss));
	memcpy(ss, &sin6, sizeof(sin6));
}

/* The next word of the line, up to one space or the end, as a C string. False when it is empty or too long.
 */
static bool next_word(const char **at, const char *end, char *out, size_t size)
{
	const char *stop = memchr(*at, ' ', (size_t)(end - *at));
	size_t n = (size_t)((stop ? stop : end) - *at);

	if (n == 0 || n >= size)
		return false;
	memcpy(out, *at, n);
	out[n] = 0;
	*at += n + (stop != NULL);
	/* A space with nothing behind it is one too many. */
	return !stop || *at < end;
}

static bool parse_port(const char *text, uint16_t *ret_be)
{
	unsigned int port = 0;
	size_t n = strlen(text);

	if (n == 0 || n > 5 || (n > 1 && text[0] == '0'))
		return false;
	for (size_t i = 0; i < n; i++) {
		if (text[i] < '0' || text[i] > '9')
			return false;
		port = port * 10 + (unsigned int)(text[i] - '0');
	}
	if (port > 65535)
		return false;
	*ret_be = htons((uint16_t)port);
	return true;
}

static bool v1_addresses(const char *at, const char *end, int family, struct proxy_header *ret)
{
	char source[INET6_ADDRSTRLEN], destination[INET6_ADDRSTRLEN], ports[2][6];
	struct in6_addr from, to; /* room for either family */
	uint16_t from_port, to_port;

	if (!next_word(&at, end, source, sizeof(source)) ||
		!next_word(&at, end, destination, sizeof(destination)) ||
		!next_word(&at, end, ports[0], sizeof(ports[0])) ||
		!next_word(&at, end, ports[1], sizeof(ports[1])) || at != end)
		return false;
	if (inet_pton(family, source, &from) != 1 || inet_pton(family, destination, &to) != 1 ||
		!parse_port(ports[0], &from_port) || !parse_port(ports[1], &to_port))
		return false;
	if (family == AF_INET) {
		set_v4(&ret->source, &from, from_port);
		set_v4(&ret->destination, &to, to_port);
	} else {
		set_v6(&ret->source, &from, from_port);
		set_v6(&ret->destination, &to, to_port);
	}
	return true;
}

static bool word_is(const char *at, const char *end, const char *word)
{
	size_t n = strlen(word);

	return (size_t)(end - at) >= n && memcmp(at, word, n) == 0;
}

static int v1_parse(const char *p, size_t n, struct proxy_header *ret)
{
	const char *lf = memchr(p, '\n', MIN(n, V1_MAX)), *end, *at = p + 6;
	struct proxy_header found = {0};

	if (!lf)
		return n >= V1_MAX ? -EBADMSG : 0;
	end = lf - 1;
	if (end < at || *end != '\r' || memchr(p, '\r', (size_t)(end - p)))
		return -EBADMSG;
	if (word_is(at, end, "UNKNOWN") && (end == at + 7 || at[7] == ' ')) {
		found.local = true; /* what follows is to be ignored, 2.1 */
	} else if (word_is(at, end, "TCP4 ")) {
		if (!v1_addresses(at + 5, end, AF_INET, &found))
			return -EBADMSG;
	} else if (!word_is(at, end, "TCP6 ") || !v1_addresses(at + 5, end, AF_INET6, &found)) {
		return -EBADMSG;
	}
	*ret = found;
	return (int)(lf + 1 - p);
}

/* Addresses as they stand behind the fixed part: source, destination, their ports. */
static bool v2_addresses(const uint8_t *a, size_t n, uint8_t family, struct proxy_header *ret)
{
	size_t size = family == V2_TCP4 ? 4 : 16;
	uint16_t ports[2];

	if (n < 2 * size + sizeof(ports))
		return false;
	memcpy(ports, a + 2 * size, sizeof(ports));
	if (family == V2_TCP4) {
		set_v4(&ret->source, a, ports[0]);
		set_v4(&ret->destination, a + size, ports[1]);
	} else {
		set_v6(&ret->source, a, ports[0]);
		set_v6(&ret->destination, a + size, ports[1]);
	}
	return true;
}

static int v2_parse(const char *p, size_t n, struct proxy_header *ret)
{
	struct proxy_header found = {0};
	struct v2_fixed fixed;
	size_t rest;

	if (n < V2_FIXED)
		return 0;
	memcpy(&fixed, p + sizeof(v2_signature), sizeof(fixed));
	rest = (size_t)fixed.length[0] << 8 | fixed.length[1];
	if (fixed.version_command >> 4 != 2 || (fixed.version_command & 15) > V2_PROXY || rest > V2_REST_MAX)
		return -EBADMSG;
	if (n < V2_FIXED + rest)
		return 0;
	if ((fixed.version_command & 15) == V2_LOCAL || fixed.family == V2_UNSPEC ||
		fixed.family == V2_UNIX_STREAM)
		found.local = true; /* a health check, or a peer without an IP address */
	else if ((fixed.family != V2_TCP4 && fixed.family != V2_TCP6) ||
		 !v2_addresses((const uint8_t *)p + V2_FIXED, rest, fixed.family, &found))
		return -EBADMSG;
	*ret = found;
	return (int)(V2_FIXED + rest);
}

int proxy_header_parse(const void *p, size_t n, struct proxy_header *ret)
{
	if (n == 0)
		return 0;
	if (memcmp(p, v2_signature, MIN(n, sizeof(v2_signature))) == 0)
		return n < sizeof(v2_signature) ? 0 : v2_parse(p, n, ret);
	if (memcmp(p, "PROXY ", MIN(n, 6)) == 0)
		return n < 6 ? 0 : v1_parse(p, n, ret);
	return -EBADMSG;
}
