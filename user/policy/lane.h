/* Which lane a response's body takes, and why not a better one. Pure. */
#ifndef SLUICE_POLICY_LANE_H
#define SLUICE_POLICY_LANE_H

#include "conf/settings.h"
#include "sluice/abi.h"

struct lane_facts {
	enum lane_choice asked; /* the route's */
	/* NONE: the splice lane is loaded and passed its self-test; else why not */
	enum sluice_lane_reason kernel;
	bool client_unix, upstream_unix;
	bool tls, h2;	       /* of the client's side */
	bool stream;	       /* an event stream, or a route that streams */
	bool splice_downloads; /* the route wants other bodies spliced as well */
	bool transform;	       /* the body is changed on its way (chunks unpacked for HTTP/1.0) */
	bool endless;	       /* no known length */
	uint64_t left;	       /* bytes of a body of known length */
};

#define LANE_SMALL_BODY (64 * 1024) /* below it a body of known length is over before the hand-off pays */

enum sluice_lane lane_choose(const struct lane_facts *f, enum sluice_lane_reason *ret_reason);

#endif
