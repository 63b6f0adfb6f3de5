/* Client connections: accepted, read, kept alive, closed. What main/ needs of this room. Runs on the worker's
 * loop. */
#ifndef SLUICE_STREAM_CLIENT_H
#define SLUICE_STREAM_CLIENT_H

#include "stream/env.h"

/* A listening socket in a worker's loop. */
struct acceptor {
	struct source source;
	struct env *env;
	struct timer pause;		    /* no fd was left: accept again when it fires */
	struct listener_settings *settings; /* of env->settings */
};

must_check int acceptor_init(struct acceptor *a, struct env *env, int fd, struct listener_settings *settings);
/* Stops accepting and closes the fd. */
void acceptor_done(struct acceptor *a);

/* Shutdown: idle connections close now, streams over the window, the rest at its end. Calls env->on_drained
 * at last. */
void clients_drain(struct env *env, uint64_t window_ms);
/* Cuts everything at once. */
void clients_cut(struct env *env);
/* Ends the stream with that id; false: there is none here. */
bool clients_kill(struct env *env, uint64_t stream_id);
/* The operator's word on a live stream's lane: COPY leaves the splice lane for good, SPLICE takes that back.
 * What came of it is in the record: its lane, and the reason if that is not the one asked for. */
void clients_set_lane(struct env *env, uint64_t stream_id, enum sluice_lane lane);

#endif
