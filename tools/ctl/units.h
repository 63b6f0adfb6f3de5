/* Numbers as people read and write them. Pure. */
#ifndef SLUICE_CTL_UNITS_H
#define SLUICE_CTL_UNITS_H

#include "base/util.h"

#define UNITS_MAX 24

/* "812", "1.2K", "34M": bytes in powers of 1024, three digits at most. All return `out`. */
const char *units_bytes(uint64_t n, char out[UNITS_MAX]);
/* "812", "12.3k", "4.5M": things in powers of 1000; whole below 100,000. */
const char *units_count(uint64_t n, char out[UNITS_MAX]);
/* "0.4s", "12s", "3m20s", "2h05m", "3d4h" */
const char *units_age(uint64_t ms, char out[UNITS_MAX]);
/* "0.3ms", "12ms", "1.2s" */
const char *units_us(uint64_t us, char out[UNITS_MAX]);

/* "64K", "1.5M", "100": -EINVAL for anything else. */
must_check int units_parse_bytes(const char *text, uint64_t *ret);
/* "100ms", "1.5s", "10m", "2h", "1d" in microseconds; a bare number is seconds. */
must_check int units_parse_us(const char *text, uint64_t *ret);

#endif
