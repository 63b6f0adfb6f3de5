/* The admin protocol of a running sluice: connect to its unix socket, write one line, read one JSON document
 * until the end.
 *
 *   about            {"ok", "instance", "version", "pid", "abi", "workers", "spliced"}
 *   state            the same, and with it the descriptor (SCM_RIGHTS) of the daemon's memory, sluice/state.h
 *   streams          a list of objects, one per live stream
 *   totals           counters of all workers together
 *   workers          a list of {"worker", "pid", "restarts", "age_ms"}
 *   settings         the settings in force, with every default; and limits that are no settings
 *   lanes            {"splice", "why", "selftest_ok", "selftest_us", "selftest"}, the last a list of
 *                    {"name", "ok", "us", "reason"}
 *   reload           {"ok": true} or {"ok": false, "error": "file:line: …"}
 *   drain            the same
 *   kill ID          the same
 *   lane ID copy     the same; the stream leaves the splice lane for good. What came of it shows in its
 *                    record.
 *   lane ID splice   the same; it may be spliced again
 *   log-level LEVEL  the same; without LEVEL, {"ok", "level"}
 */
#ifndef SLUICE_ADMIN_H
#define SLUICE_ADMIN_H

#define SLUICE_RUN_DIR                                                                                       \
	"/run/sluice" /* sockets are SLUICE_RUN_DIR/INSTANCE.sock unless --admin says otherwise */
#define SLUICE_ADMIN_MAX_LINE 256

#endif
