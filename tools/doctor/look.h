/* Looking at streams over the network: libcurl fetches, observe.h keeps what came. One call at a time, on one
 * thread. */
#ifndef SLUICE_DOCTOR_LOOK_H
#define SLUICE_DOCTOR_LOOK_H

#include "doctor/observe.h"

#define LOOK_MAX 2

struct look_params {
	const char *url;
	const char *const *headers; /* "Name: value", NULL-ended; NULL: none */
	bool insecure;		    /* certificates are not checked */
};

/* Opens all URLs at the same time, as a browser's EventSource asks (and no proxy of the environment), and
 * watches them for `ms` or until all have ended. `ret` has one observation each, for observe_done(). Progress
 * is told on stderr when that is a terminal. 0, -EINVAL when a header or URL is none, -ENOMEM. */
must_check int look_at(const struct look_params *params, size_t n, uint64_t ms, struct observation *ret);

#endif
