#ifndef SLUICE_CTL_ORDER_H
#define SLUICE_CTL_ORDER_H

#include "ctl/ctl.h"

/* Says what was done (or prints the answer, with --json) and gives its reference up; `answer` NULL: ctl_ask()
 * has said why not. Returns the exit status. */
int order(const struct ctl *c, json_t *answer, const char *fmt, ...) printf_like(3, 4);

#endif
