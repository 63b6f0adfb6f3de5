/* The access log: one JSON line when a stream opens and one when it ends. A worker writes lines to a pipe and
 * never waits: a line that does not fit is dropped and counted. The log process at the pipe's other end does
 * the blocking writes. */
#ifndef SLUICE_OBSERVE_ACCESS_LOG_H
#define SLUICE_OBSERVE_ACCESS_LOG_H

#include "sluice/counters.h"
#include "base/buf.h"
#include "sluice/ctl.h"
#include <sys/types.h>

struct access_log {
	int pipe_fd; /* -1: off */
	struct sluice_counters *totals;
};

/* What the record of a stream does not hold itself: of its request, */
struct log_request {
	struct slice query;	 /* of the target; values are not logged */
	const char *certificate; /* subject of the client's; NULL: it has shown none; 512 bytes are logged */
};

/* and of its end. */
struct log_end {
	enum sluice_end_by by;
	const char *phase;  /* stream state in which it ended */
	const char *detail; /* rule label, errno text or NULL */
	struct log_request request;
	uint64_t now_ns; /* monotonic */
};

void access_log_open(struct access_log *log, const struct sluice_ctl *c, const struct log_request *req);
void access_log_end(struct access_log *log, const struct sluice_ctl *c, const struct log_end *end);

/* The target's query with every value replaced by "***": "a=***&b=***". A member without a name is all value.
 */
must_check int access_log_redact(struct buf *out, struct slice query);

/* Forks the log process. *ret_fd is the pipe's end for workers; the process ends when all such ends are
 * closed, and opens its file anew on SIGHUP (rotation). `path` may be "stderr". */
must_check int access_log_start(const char *path, int *ret_fd, pid_t *ret_pid);

#endif
