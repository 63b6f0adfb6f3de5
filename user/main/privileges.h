/* Least privilege for workers: another user, no capabilities, no way to new ones. */
#ifndef SLUICE_MAIN_PRIVILEGES_H
#define SLUICE_MAIN_PRIVILEGES_H

#include "base/util.h"

/* Becomes `user` when started as root ("root": stays), with no capability left. -ENOENT: no such user. */
must_check int privileges_drop(const char *user);
/* Soft limit of open files to the hard one. */
void privileges_raise_fds(void);

#endif
