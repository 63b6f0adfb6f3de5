/* A stream's record as JSON, the same for the admin socket and for readers of the pinned maps. */
#ifndef SLUICE_OBSERVE_RECORD_JSON_H
#define SLUICE_OBSERVE_RECORD_JSON_H

#include "base/util.h"
#include "sluice/ctl.h"
#include "sluice/flow.h"
#include <jansson.h>

/* One stream: `whole` with the kernel's part added in (observe/merge.h), `live` that part, or NULL; ages
 * count back from `now_ns` (monotonic). A new reference, NULL without memory. */
json_t *record_json(const struct sluice_ctl *whole, const struct sluice_flow *live, uint64_t now_ns);
/* All live ones of a table, a new list. `flows` by slot, or NULL without the splice lane. */
json_t *record_json_all(
	const struct sluice_ctl *records, const struct sluice_flow *flows, uint32_t count, uint64_t now_ns);

#endif
