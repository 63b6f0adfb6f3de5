/* Live streams put together by route, lane and reason: a bounded number of series, whatever clients do. What
 * was seen once stays, at 0, until the daemon changes: a series that comes and goes cannot be reckoned with.
 */
#ifndef SLUICE_EXPORTER_STREAMS_H
#define SLUICE_EXPORTER_STREAMS_H

#include "exporter/text.h"
#include "view/view.h"

#define STREAMS_ROUTES	  1024 /* what comes later is shown as the route "other" */
#define STREAMS_UNROUTED  "unrouted"
#define STREAMS_SILENT_NS (60 * 1000000000ULL)
#define STREAMS_LANES	  4
#define STREAMS_REASONS	  32

_Static_assert(SLUICE_REASON_COUNT <= STREAMS_REASONS, "streams: room for every reason");

struct route_sum {
	char name[sizeof(((struct sluice_ctl *)0)->route_name)];
	uint32_t seen[STREAMS_LANES]; /* bit set of reasons */
	uint32_t streams[STREAMS_LANES][STREAMS_REASONS];
	uint32_t events, blocked, silent, no_event;
	uint64_t pending, silence_ns;
};

struct stream_sums {
	struct route_sum *routes;
	size_t count, cap;
};

/* Counts anew. 0 or -ENOMEM. */
must_check int streams_sum(struct stream_sums *s, const struct view_shot *shot);
void streams_write(const struct stream_sums *s, struct text *t);
/* Forgets every route. */
void streams_reset(struct stream_sums *s);
/* The n streams that lag most, those that lag at all. */
void streams_write_top(struct view_shot *shot, size_t n, struct text *t);

#endif
