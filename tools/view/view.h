/* What a running sluice shows, read from outside: the records of its streams and its counters, mapped
 * read-only and copied at a moment. Used by sluicectl and sluice-exporter; one thread, no locks, nothing
 * asked of the daemon but once, when it is opened. Root, or the daemon's user.
 *
 * Where it comes from: the admin socket tells who the daemon is and hands out its shared memory
 * (include/sluice/state.h). With the splice lane the tables are the pinned maps
 * SLUICE_BPFFS/INSTANCE/{ctl,flows}; they are found without the admin socket too, then without the sections.
 */
#ifndef SLUICE_VIEW_VIEW_H
#define SLUICE_VIEW_VIEW_H

#include "base/util.h"
#include "sluice/counters.h"
#include "sluice/ctl.h"
#include "sluice/flow.h"
#include "sluice/state.h"

struct view;

struct view_params {
	const char *instance; /* NULL: SLUICE_DEFAULT_INSTANCE */
	const char *admin;    /* path of the admin socket; NULL: SLUICE_RUN_DIR/INSTANCE.sock */
	const char *bpffs;    /* NULL: SLUICE_BPFFS */
};

/* Maps what there is. On error `why` has one line for the operator that says what to do:
 *   -ENOENT   nobody runs under this name (the line lists who does)
 *   -EACCES   no permission
 *   -EPROTO   another version of sluice: its records are not ours
 *   or another negative errno. */
must_check int view_open(const struct view_params *p, struct view **ret, char *why, size_t size);
/* NULL is legal. */
void view_close(struct view *v);

/* The daemon, as it was when opened: pid of the master, slots, workers, instance. */
const struct sluice_about *view_about(const struct view *v);
/* False when the master that was opened has ended: its last numbers can still be read; a successor is seen by
 * opening anew. */
bool view_alive(const struct view *v);
/* True when the splice lane is loaded (flows exist). */
bool view_spliced(const struct view *v);

/* A section of the daemon's shared memory, or the pinned map of this name that stands in for it, `size` being
 * sizeof the record that the caller was compiled with. NULL: not there, or of another size. Lives as long as
 * the view. */
const void *view_section(const struct view *v, const char *name, uint32_t size, uint32_t *ret_count);

/* What the verdict did in all, summed over the CPUs: map `totals`; one system call. -ENOENT without the
 * splice lane. */
must_check int view_kernel(const struct view *v, struct sluice_totals *ret);

/* ---- streams */

/* One stream at one moment, both halves. */
struct view_stream {
	struct sluice_ctl c;  /* the kernel's part added in (observe/merge.h) */
	struct sluice_flow f; /* as read; all zero unless `spliced` */
	uint32_t slot;
	bool spliced; /* its sockets are in the kernel's maps now, whatever the lane of this moment */
};

/* Copies of all live streams, in the order of their slots. Zero it before the first use; it keeps its memory
 * from one time to the next. */
struct view_shot {
	struct view_stream *streams;
	size_t n, cap;
	uint64_t now_ns; /* CLOCK_MONOTONIC, when it was taken */
};

/* 0 or -ENOMEM. A record that changes is read again until it is whole; one that ends meanwhile is left out.
 */
must_check int view_snapshot(const struct view *v, struct view_shot *shot);
void view_shot_done(struct view_shot *shot);
/* One stream, by its id. False: not there (any more). */
bool view_stream(const struct view *v, uint64_t id, struct view_stream *ret);

/* "copy", "read_head", …: the daemon's enum stream_state, which is sluice_ctl.state. */
const char *view_state_name(unsigned state);

/* ---- instances */

/* Names of the instances that run on this host: called once each. Returns how many. */
size_t view_instances(const struct view_params *p, void (*on_name)(void *arg, const char *name), void *arg);

/* ---- the admin socket, for what only the daemon can tell or do */

/* Writes "LINE\n", reads the answer. 0: *ret is one JSON document, NUL-terminated, the caller frees it.
 * *ret_fd (NULL: not wanted) gets the descriptor that came with it, or -1. `why` as above. */
must_check int view_ask(
	const struct view_params *p, const char *line, char **ret, int *ret_fd, char *why, size_t size);

#endif
