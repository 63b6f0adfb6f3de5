/* What a comparison needs before its first run: who takes part, where their files lie, which CPUs they get.
 * Shared by `compare` and `scale`. */
#ifndef SLUICE_BENCH_COMPARE_SETUP_H
#define SLUICE_BENCH_COMPARE_SETUP_H

#include "cli.h"
#include "compare.h"

/* Fills cmp->client from client_name, and contests (of COMPARE_CONTENDERS_MAX) from cmp->contenders. -EINVAL:
 * said on stderr. */
must_check int compare_choose(struct compare *cmp, const struct cli *cli);
/* Limits, paths, versions, CPUs; from then on SIGINT and SIGTERM set compare_interrupted. */
void compare_prepare(struct compare *cmp);

#endif
