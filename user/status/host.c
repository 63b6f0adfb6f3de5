#include "status/status.h"
#include <arpa/inet.h>
#include <stdio.h>

static bool is_ip(int family, struct slice s)
{
	char text[INET6_ADDRSTRLEN];
	struct in6_addr addr;

	if (!s.n || s.n >= sizeof(text))
		return false;
	snprintf(text, sizeof(text), "%.*s", SLICE_FMT(s));
	return inet_pton(family, text, &addr) == 1;
}

static bool is_port(struct slice s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] < '0' || s.p[i] > '9')
			return false;
	return s.n && s.n <= 5;
}

bool status_host_is_safe(struct slice host)
{
	const char *end = host.n && host.p[0] == '[' ? memchr(host.p, ']', host.n) : NULL;
	const char *colon = end ? (end + 1 < host.p + host.n ? end + 1 : NULL)
				: (host.n ? memchr(host.p, ':', host.n) : NULL);
	struct slice name = host;

	if (colon) {
		if (*colon != ':' ||
			!is_port((struct slice){colon + 1, (size_t)(host.p + host.n - colon - 1)}))
			return false;
		name.n = (size_t)(colon - host.p);
	}
	if (end)
		return is_ip(AF_INET6, (struct slice){name.p + 1, (size_t)(end - name.p - 1)});
	return is_ip(AF_INET, name) || slice_eq_nocase(name, SLICE("localhost"));
}
