/* CPU time of every thread of the machine, sorted by whom it serves, so that nothing hides in the kernel's
 * threads or in a child process. From /proc/PID/task/TID/schedstat (nanoseconds run); owned by `compare`. */
#ifndef SLUICE_BENCH_CPU_H
#define SLUICE_BENCH_CPU_H

#include "base/util.h"
#include <sys/types.h>

enum cpu_class {
	CPU_CONTENDER, /* the relay's processes: the started one and all below it */
	CPU_ORIGIN,
	CPU_LOAD,    /* the load's processes and the comparing program itself */
	CPU_KWORKER, /* kworker/… and ksoftirqd/… */
	CPU_KERNEL,  /* other kernel threads */
	CPU_OTHER,   /* what else runs on this machine: should be next to nothing */
	CPU_CLASSES
};

extern const char *const cpu_class_names[CPU_CLASSES];

/* Whose process trees count as what; 0: none. */
struct cpu_roots {
	pid_t contender, origin, load;
};

struct cpu_task {
	pid_t tid;
	uint8_t class;
	uint64_t run_ns;
};

struct cpu_sample {
	struct cpu_task *tasks; /* in the order of tid */
	size_t count;
	uint64_t busy_ns;  /* of /proc/stat: all but idle and iowait; sampled by the kernel's tick, so coarser
			    */
	uint64_t irq_ns;   /* the part of it in interrupts and softirqs */
	uint64_t steal_ns; /* taken by the hypervisor */
};

struct cpu_use {
	uint64_t ns[CPU_CLASSES];
	uint64_t busy_ns, irq_ns, steal_ns;
};

/* Looks at every thread. Free with cpu_sample_done(). Negative errno. */
must_check int cpu_sample_take(struct cpu_sample *ret, const struct cpu_roots *roots);
void cpu_sample_done(struct cpu_sample *s);
/* What ran between two samples. Threads that are new count in full, threads that ended not at all. */
void cpu_between(const struct cpu_sample *a, const struct cpu_sample *b, struct cpu_use *ret);
/* Everything but CPU_OTHER. */
uint64_t cpu_use_total(const struct cpu_use *use);

/* Pure parts. */
/* "PID (COMM) STATE PPID …" of /proc/PID/stat; `comm` has 32 bytes. */
must_check int cpu_parse_stat(const char *text, pid_t *ret_ppid, char *comm);
/* The "cpu " line of /proc/stat, in ticks of 1/hz s. */
must_check int cpu_parse_machine(const char *text, long hz, struct cpu_sample *ret);

#endif
