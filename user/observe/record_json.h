/* A stream's record as JSON, the same for the admin socket and for readers of the pinned maps. */
#ifndef SLUICE_OBSERVE_RECORD_JSON_H
#define SLUICE_OBSERVE_RECORD_JSON_H

#include "base/util.h"
#include "sluice/ctl.h"
#include <jansson.h>

/* One stream; ages count back from `now_ns` (monotonic). A new reference, NULL without memory. */
json_t *record_json(const struct sluice_ctl *c, uint64_t now_ns);
/* All live ones of a table, a new list. */
json_t *record_json_all(const struct sluice_ctl *records, uint32_t count, uint64_t now_ns);

#endif
