/* The system calls that a worker needs, and no others: it parses what strangers send. */
#ifndef SLUICE_MAIN_SANDBOX_H
#define SLUICE_MAIN_SANDBOX_H

#include "base/util.h"

/* For the rest of the process's life every other call fails with EPERM; execve, fork and ptrace are among
 * those. `bpf`: with the map operations of the splice lane. A build with sanitizers needs calls of its own
 * and gets no filter. */
must_check int sandbox_enter(bool bpf);

#endif
