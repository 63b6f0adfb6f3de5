#include "policy/route.h"

/* "Example.org:8080" -> "Example.org", "[::1]:80" -> "[::1]". A final dot names the same host (RFC 1034 3.1).
 */
static struct slice host_only(struct slice host)
{
	const char *end;

	if (!host.n)
		return host;
	if (host.p[0] == '[')
		end = memchr(host.p, ']', host.n);
	else
		end = memchr(host.p, ':', host.n);
	if (end)
		host.n = (size_t)(end - host.p) + (*end == ']');
	if (host.n && host.p[host.n - 1] == '.')
		host.n--;
	return host;
}

static bool host_matches(const char *pattern, struct slice host)
{
	struct slice want = slice_of(pattern);

	if (want.n < 2 || want.p[0] != '*')
		return slice_eq_nocase(want, host);
	want.p++, want.n--; /* ".example.org": at least one byte must stand before it */
	if (host.n <= want.n)
		return false;
	return slice_eq_nocase(want, (struct slice){host.p + host.n - want.n, want.n});
}

static bool path_matches(const struct route_settings *route, struct slice path)
{
	struct slice want = slice_of(route->path);

	if (route->path_exact)
		return slice_eq(want, path);
	if (!slice_starts(path, want))
		return false;
	/* The prefix must end where a segment ends, so that "/a" does not open "/admin". */
	return path.n == want.n || want.n == 0 || want.p[want.n - 1] == '/' || path.p[want.n] == '/';
}

const struct route_settings *route_find(const struct settings *s, const struct h1_request *req)
{
	struct slice host = host_only(req->host);
	struct slice path = req->path.n ? req->path : SLICE("/"); /* "http://host" without a path */

	for (size_t i = 0; i < s->nroutes; i++) {
		const struct route_settings *r = &s->routes[i];

		if (r->methods && !(r->methods & (1u << req->method)))
			continue;
		if (r->host && !host_matches(r->host, host))
			continue;
		if (r->path && !path_matches(r, path))
			continue;
		return r;
	}
	return NULL;
}
