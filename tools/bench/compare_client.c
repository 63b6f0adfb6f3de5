#include "compare.h"

/* HTTP/2 has no run without a proxy: the origin speaks HTTP/1.1, and one that spoke HTTP/2 would show what
 * its own HTTP/2 costs and not what a missing proxy does. */
static const struct client clients[] = {
	{"h1", false, 1, "none,sluice-copy,sluice-splice,nginx", "HTTP/1.1, a connection for each stream"},
	{"tls", true, 1, "none,sluice-copy,nginx,haproxy",
		"HTTP/1.1 over TLS 1.3 (TLS_AES_128_GCM_SHA256, P-256), a connection for each stream"},
	{"h2", true, 2, "sluice-copy,nginx,haproxy",
		"HTTP/2 over TLS 1.3 (TLS_AES_128_GCM_SHA256, P-256), many streams on a connection"},
};

const struct client *client_find(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(clients); i++)
		if (!strcmp(clients[i].name, name))
			return &clients[i];
	return NULL;
}
