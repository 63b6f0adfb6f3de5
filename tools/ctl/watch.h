/* Looks at the streams of an instance again and again: each look is a snapshot, what the sockets hold, and
 * the rates since the look before. */
#ifndef SLUICE_CTL_WATCH_H
#define SLUICE_CTL_WATCH_H

#include "ctl/column.h"
#include "ctl/filter.h"

struct watch {
	const struct view *view; /* lent */
	struct view_shot shot;
	struct socks socks;
	int socks_err;	       /* 0, or why the sockets could not be looked at */
	uint64_t socks_due_ns; /* not looked at again before: listing tens of thousands costs the kernel time
				*/
	struct past *past;     /* of the look before, by slot */
	uint64_t past_ns;      /* 0: there was none */
	struct row *rows;      /* of this look, all streams */
	struct row *shown;     /* those that watch_arrange() chose, in its order */
	size_t n, nshown, cap;
};

must_check int watch_init(struct watch *w, const struct view *view);
void watch_done(struct watch *w);
/* -ENOMEM; a kernel that does not tell about sockets is no error. */
must_check int watch_look(struct watch *w, bool sockets);

/* The time between two looks that are to tell rates. */
void watch_pause(void);

/* Chooses the rows that match, in order: by `by` (NULL: as they are), the largest number or the first text
 * first, `reverse`d the other way round; at most `limit` (0: all). */
struct order {
	const struct column *by;
	bool reverse;
	size_t limit;
};
must_check int watch_arrange(struct watch *w, const struct filters *f, const struct order *o);

#endif
