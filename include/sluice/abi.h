/* What crosses a process or kernel boundary: one version for all of include/sluice/. Plain types only, so
 * that BPF programs, the daemon, sluicectl and the exporter compile the same text. */
#ifndef SLUICE_ABI_H
#define SLUICE_ABI_H

#ifndef __VMLINUX_H__
#include <linux/types.h>
#endif

#define SLUICE_ABI_VERSION 2

#define SLUICE_BPFFS		"/sys/fs/bpf/sluice"
#define SLUICE_DEFAULT_INSTANCE "default"
#define SLUICE_MAX_INSTANCE	32 /* bytes of an instance name, the final NUL included */

/* How a stream's body travels (architecture.md, "Lanes"). */
enum sluice_lane {
	SLUICE_LANE_NONE,
	SLUICE_LANE_COPY,
	SLUICE_LANE_SPLICE,
	SLUICE_LANE_TUNNEL, /* after a 101: both ways, copied */
};

/* Why a stream is not on a better lane. */
enum sluice_lane_reason {
#define SLUICE_REASON(id, text) SLUICE_REASON_##id,
#include "sluice/lane_reasons.def"
#undef SLUICE_REASON
	SLUICE_REASON_COUNT
};

/* Who ended a stream. */
enum sluice_end_by {
#define SLUICE_END_BY(id, text) SLUICE_BY_##id,
#include "sluice/end_by.def"
#undef SLUICE_END_BY
	SLUICE_END_BY_COUNT
};

#endif
