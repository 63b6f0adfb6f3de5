/* The verbs' functions, each in the file of its name. */
#ifndef SLUICE_CTL_VERBS_H
#define SLUICE_CTL_VERBS_H

#include "ctl/ctl.h"

#define VERB(name) int verb_##name(struct ctl *c, char **words)

VERB(streams);
VERB(stream);
VERB(top);
VERB(routes);
VERB(upstreams);
VERB(lanes);
VERB(limits);
VERB(lane);
VERB(totals);
VERB(workers);
VERB(kill);
VERB(drain);
VERB(reload);
VERB(doctor);
VERB(log);

#undef VERB

#endif
