/* Which streams are meant: expressions of the form COLUMN OPERATOR VALUE, all of which must hold.
 *
 *   route=chat  client~10.1.  reason!=kernel        text: =, !=, ~ contains, !~ does not
 *   lag>1s  age>=10m  pending>64K  events=0  rate<1K  numbers: =, !=, <, <=, >, >=
 *
 * A number that is not known (time to the first event of a stream that had none) fulfils only !=. Pure. */
#ifndef SLUICE_CTL_FILTER_H
#define SLUICE_CTL_FILTER_H

#include "ctl/column.h"

enum filter_op {
	FILTER_EQ,
	FILTER_NE,
	FILTER_LT,
	FILTER_LE,
	FILTER_GT,
	FILTER_GE,
	FILTER_HAS,
	FILTER_HAS_NOT
};

struct filter {
	const struct column *column;
	enum filter_op op;
	const char *text; /* of the expression, whose memory it lives in */
	uint64_t number;
};

#define FILTERS_MAX 16

struct filters {
	struct filter list[FILTERS_MAX];
	size_t n;
};

/* Adds one. 0, or -EINVAL with what is allowed in `why`. */
must_check int filters_add(struct filters *f, const char *expression, char *why, size_t size);
bool filters_match(const struct filters *f, const struct row *r);
/* Does one of them need two looks at the streams? */
bool filters_need_rates(const struct filters *f);

#endif
