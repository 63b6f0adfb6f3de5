/* The words for what the records hold as numbers; the same in the log, the admin socket and the metrics.
 * Pure. */
#ifndef SLUICE_OBSERVE_NAMES_H
#define SLUICE_OBSERVE_NAMES_H

#include "sluice/ctl.h"

#define NAMES_ADDR_MAX 64

const char *names_lane(unsigned lane);
const char *names_reason(unsigned reason);
const char *names_end_by(unsigned by);
/* "203.0.113.7:80", "[2001:db8::1]:80" or "unix". Returns `out`. */
const char *names_addr(const struct sluice_addr *a, char out[NAMES_ADDR_MAX]);

#endif
