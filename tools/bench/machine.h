/* What a measurement was made on, for the reader who wants to judge or repeat it. Owned by nobody: plain
 * text. */
#ifndef SLUICE_BENCH_MACHINE_H
#define SLUICE_BENCH_MACHINE_H

struct machine {
	char cpu[96];	  /* model name */
	char kernel[128]; /* "Linux 6.1.0-…" */
	int cpus;	  /* online */
	long memory_mib;
	char when[32]; /* UTC, "2026-11-20T11:05:00Z" */
};

void machine_describe(struct machine *ret);

#endif
