/* The master: reads the config, opens listeners, forks workers, restarts one that dies, answers signals and
 * the admin socket. It carries no stream's bytes. */
#ifndef SLUICE_MAIN_MASTER_H
#define SLUICE_MAIN_MASTER_H

#include "conf/settings.h"

/* Runs in the foreground until told to stop. Takes the reference on `settings`; `config` is the file they
 * came from, NULL for `sluice proxy`. Returns the exit status. */
int master_run(struct settings *settings, const char *config);

#endif
