/* The kernel's part of a stream and the relay's are one stream to whoever looks at it. Pure. */
#ifndef SLUICE_OBSERVE_MERGE_H
#define SLUICE_OBSERVE_MERGE_H

#include "base/util.h"
#include "sluice/ctl.h"
#include "sluice/flow.h"

/* Is `f` (NULL is legal) the record of this stream's engagement, and not of a former one of the slot? */
bool merge_is_live(const struct sluice_ctl *c, const struct sluice_flow *f);
/* Adds what the kernel carried to the stream's counters and times. What the client's TCP has not taken over
 * (`pending`) counts while it is fresh: a moment later the client has it, or the watchdog speaks. */
void merge_flow(struct sluice_ctl *c, const struct sluice_flow *f, uint64_t now_ns);

#endif
