/* The admin protocol of a running sluice: connect to its unix socket, write one line, read one JSON document
 * until the end.
 *
 *   streams          a list of objects, one per live stream
 *   totals           counters of all workers together
 *   workers          a list of {"worker", "pid", "restarts", "age_ms"}
 *   reload           {"ok": true} or {"ok": false, "error": "file:line: …"}
 *   drain            the same
 *   kill ID          the same
 *   log-level LEVEL  the same
 */
#ifndef SLUICE_ADMIN_H
#define SLUICE_ADMIN_H

#define SLUICE_RUN_DIR                                                                                       \
	"/run/sluice" /* sockets are SLUICE_RUN_DIR/INSTANCE.sock unless --admin says otherwise */
#define SLUICE_ADMIN_MAX_LINE 256

#endif
