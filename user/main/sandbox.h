/* The system calls that a worker or the status page's process needs, and no others: they parse what strangers
 * send. */
#ifndef SLUICE_MAIN_SANDBOX_H
#define SLUICE_MAIN_SANDBOX_H

#include "base/util.h"

enum sandbox_needs {
	SANDBOX_DIAL = 1 << 0, /* sockets of its own: to connect, to bind */
	SANDBOX_MAPS = 1 << 1, /* the map operations of the splice lane */
};

/* For the rest of the process's life every call that serving does not take fails with EPERM; execve, fork and
 * ptrace are among those. `needs`: enum sandbox_needs, what is allowed beside. A build with sanitizers needs
 * calls of its own and gets no filter. */
must_check int sandbox_enter(unsigned needs);

#endif
