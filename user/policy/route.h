/* Which route a request takes. Pure. First match in the config's order wins. */
#ifndef SLUICE_POLICY_ROUTE_H
#define SLUICE_POLICY_ROUTE_H

#include "conf/settings.h"

/* NULL: no route matches (404). Host compares without case and port; "*.example.org" matches any sub-domain,
 * not the domain itself; a path prefix "/a" matches "/a", "/a/b" and "/a?x", not "/ab" (a prefix ending in
 * '/' as it stands). Paths compare undecoded, as they are forwarded. */
const struct route_settings *route_find(const struct settings *s, const struct h1_request *req);

#endif
