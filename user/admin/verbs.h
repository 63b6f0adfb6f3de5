/* What the admin socket can be asked. Private to admin/. */
#ifndef SLUICE_ADMIN_VERBS_H
#define SLUICE_ADMIN_VERBS_H

#include "admin/admin.h"
#include <jansson.h>

/* The answer to "VERB [ARG]" (`line` is cut up), a new reference or NULL without memory. *ret_fd: a
 * descriptor to send along, still the daemon's, or -1. */
json_t *verbs_answer(const struct admin_hooks *hooks, char *line, int *ret_fd);

#endif
