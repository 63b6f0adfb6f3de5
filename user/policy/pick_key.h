/* The bytes that balance a request: the value of the header or cookie that the upstream is set to hash or
 * stick on. Pure. */
#ifndef SLUICE_POLICY_PICK_KEY_H
#define SLUICE_POLICY_PICK_KEY_H

#include "conf/settings.h"

/* A slice of the request, p == NULL when the upstream needs none or the request has none. */
struct slice pick_key_of(const struct upstream_settings *u, const struct h1_request *req);

#endif
