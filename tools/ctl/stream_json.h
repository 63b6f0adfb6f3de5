#ifndef SLUICE_CTL_STREAM_JSON_H
#define SLUICE_CTL_STREAM_JSON_H

#include "ctl/row.h"
#include <jansson.h>

/* A stream with every field that `streams --json` has; sluicectl(8) lists them. A new reference, NULL without
 * memory. */
json_t *stream_json(const struct row *r);

#endif
