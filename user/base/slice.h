/* A slice is bytes that somebody else owns: pointer and length, never NUL-terminated. */
#ifndef SLUICE_BASE_SLICE_H
#define SLUICE_BASE_SLICE_H

#include "base/util.h"
#include <strings.h>

struct slice {
	const char *p;
	size_t n;
};

#define SLICE(lit)   ((struct slice){(lit), sizeof(lit) - 1})
#define SLICE_FMT(s) (int)(s).n, (s).p /* for "%.*s" */

static inline struct slice slice_of(const char *str)
{
	return (struct slice){str, str ? strlen(str) : 0};
}

static inline bool slice_eq(struct slice a, struct slice b)
{
	return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

/* ASCII letters compare without case; for field names, hosts and tokens. */
static inline bool slice_eq_nocase(struct slice a, struct slice b)
{
	return a.n == b.n && (a.n == 0 || strncasecmp(a.p, b.p, a.n) == 0);
}

static inline bool slice_starts(struct slice s, struct slice prefix)
{
	return s.n >= prefix.n && (prefix.n == 0 || memcmp(s.p, prefix.p, prefix.n) == 0);
}

static inline struct slice slice_trim(struct slice s)
{
	while (s.n && (s.p[0] == ' ' || s.p[0] == '\t'))
		s.p++, s.n--;
	while (s.n && (s.p[s.n - 1] == ' ' || s.p[s.n - 1] == '\t'))
		s.n--;
	return s;
}

#endif
