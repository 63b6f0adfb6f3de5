/* From what was loaded and checked to the settings: defaults, numbers, indexes. Says nothing to the operator:
 * what could be wrong was found before (check.h, cross.h). */
#ifndef SLUICE_CONF_BUILD_H
#define SLUICE_CONF_BUILD_H

#include "conf/keys.h"

/* -ENOMEM, or -EINVAL for what the checks should have refused. `raw` stays the caller's. */
must_check int settings_build(const struct raw_top *raw, struct settings **ret);
/* The CPUs that this process may run on. */
unsigned build_cpu_count(void);

#endif
