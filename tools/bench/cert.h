/* A certificate for one run: P-256 key, signed by itself, valid for a week, for localhost and 127.0.0.1. One
 * PEM file with both, readable by its owner only, which every contender takes. */
#ifndef SLUICE_BENCH_CERT_H
#define SLUICE_BENCH_CERT_H

#include "base/util.h"

/* Negative errno; -ENOMEM also for OpenSSL's own errors. */
must_check int cert_write(const char *path);

#endif
