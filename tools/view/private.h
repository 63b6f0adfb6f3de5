/* What the files of tools/view share. */
#ifndef SLUICE_VIEW_PRIVATE_H
#define SLUICE_VIEW_PRIVATE_H

#include "view/view.h"

struct view {
	struct sluice_about about;
	const struct sluice_state *state; /* NULL: the admin socket was not there */
	const struct sluice_ctl *ctl;
	const struct sluice_flow *flows; /* NULL without the splice lane */
	struct view_table {
		const char *name;
		const void *p; /* NULL: not mapped */
		uint32_t count, size;
	} tables[3];   /* pinned maps that stand in for sections */
	int totals_fd; /* map `totals`; -1: none */
	int pidfd;     /* of the master; -1: it had ended before */
};

/* Formats `why` and returns `err`. */
int view_fail(char *why, size_t size, int err, const char *fmt, ...) printf_like(4, 5);
const char *view_instance(const struct view_params *p);
const char *view_bpffs(const struct view_params *p);
/* "NAME, NAME" of what runs, or "none". */
const char *view_running(const struct view_params *p, char *out, size_t size);
/* The record of pinned map `about` in `dir`. -ENOENT: no such pins; -EPROTO: another version. */
must_check int view_pinned_about(const char *dir, struct sluice_about *ret);
/* Is this the process that wrote the record, and not a later one with its number? */
bool view_pid_is(const struct sluice_about *a);

#endif
