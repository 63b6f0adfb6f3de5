#include "policy/lane.h"

enum sluice_lane lane_choose(const struct lane_facts *f, enum sluice_lane_reason *ret_reason)
{
	/* In the order in which an operator could change it: what was asked for first, the kernel last. */
	if (f->asked == LANE_COPY)
		*ret_reason = SLUICE_REASON_ASKED;
	else if (f->tls)
		*ret_reason = SLUICE_REASON_TLS;
	else if (f->h2)
		*ret_reason = SLUICE_REASON_H2;
	else if (f->client_unix || f->upstream_unix)
		*ret_reason = SLUICE_REASON_UNIX_SOCKET;
	else if (!f->stream && !f->splice_downloads)
		*ret_reason = SLUICE_REASON_NOT_A_STREAM;
	else if (!f->endless && f->left < LANE_SMALL_BODY)
		*ret_reason = SLUICE_REASON_SMALL;
	else if (f->transform)
		*ret_reason = SLUICE_REASON_TRANSFORM;
	else if (f->kernel != SLUICE_REASON_NONE)
		*ret_reason = f->kernel;
	else {
		*ret_reason = SLUICE_REASON_NONE;
		return SLUICE_LANE_SPLICE;
	}
	return SLUICE_LANE_COPY;
}
