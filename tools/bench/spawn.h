/* Starts and ends the programs that a comparison needs. Each is the leader of a process group of its own,
 * dies with us, and writes what it says to a file. Owned by `compare`. */
#ifndef SLUICE_BENCH_SPAWN_H
#define SLUICE_BENCH_SPAWN_H

#include "base/util.h"
#include <sched.h>
#include <sys/types.h>

/* argv is NULL-terminated and looked up in PATH; `cpus` NULL: anywhere. Negative errno; a program that cannot
 * be executed gives -ENOENT and the like. */
must_check int spawn(char *const argv[], const char *log_path, const cpu_set_t *cpus, pid_t *ret_pid);
/* True when it has ended (and was waited for). */
bool spawn_ended(pid_t pid);
/* SIGTERM, then after five seconds SIGKILL for its group. False when it had to be killed. 0 is legal. */
bool spawn_stop(pid_t pid);
/* Runs it and keeps the first line that it prints, on stdout or stderr; `out` is "" when there is none. */
void spawn_first_line(char *const argv[], char *out, size_t size);

#endif
