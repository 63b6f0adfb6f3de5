#include "observe/histogram.h"

#define SECONDS true
#define BYTES	false

#define BOUNDS(name, in, ...)                                                                                \
	static const uint64_t name[] = {__VA_ARGS__};                                                        \
	_Static_assert(ARRAY_LEN(name) < SLUICE_BUCKETS, "one bucket more than bounds");                     \
	enum { name##_in_seconds = in };
#include "sluice/buckets.def"
#undef BOUNDS

#define HISTOGRAM(id, bounds, family, help)                                                                  \
	const struct histogram_bounds bounds_of_##id = {bounds, ARRAY_LEN(bounds), bounds##_in_seconds};
#include "sluice/counters.def"
