/* The routes' part of build.h: names, upstream indexes, methods, header edits, and the route that stands in
 * for none. */
#ifndef SLUICE_CONF_BUILD_ROUTE_H
#define SLUICE_CONF_BUILD_ROUTE_H

#include "conf/keys.h"

/* After the upstreams. */
must_check int build_routes(const struct raw_top *raw, struct settings *s);
/* Frees what the edits hold. */
void edits_release(struct h1_edits *e);

#endif
