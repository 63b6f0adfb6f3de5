#include "observe/names.h"
#include "base/util.h"
#include <arpa/inet.h>
#include <stdio.h>

static const char *const lanes[] = {"none", "copy", "splice", "tunnel"};

static const char *const reasons[] = {
#define SLUICE_REASON(id, text) text,
#include "sluice/lane_reasons.def"
#undef SLUICE_REASON
};

static const char *const ends[] = {
#define SLUICE_END_BY(id, text) text,
#include "sluice/end_by.def"
#undef SLUICE_END_BY
};

const char *names_lane(unsigned lane)
{
	return lane < ARRAY_LEN(lanes) ? lanes[lane] : "unknown";
}

const char *names_reason(unsigned reason)
{
	return reason < ARRAY_LEN(reasons) ? reasons[reason] : "unknown";
}

const char *names_end_by(unsigned by)
{
	return by < ARRAY_LEN(ends) ? ends[by] : "unknown";
}

const char *names_addr(const struct sluice_addr *a, char out[NAMES_ADDR_MAX])
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
	char ip[INET6_ADDRSTRLEN];

	if (a->family != AF_INET && a->family != AF_INET6) {
		snprintf(out, NAMES_ADDR_MAX, "unix");
	} else if (memcmp(a->ip, mapped, sizeof(mapped)) == 0) {
		inet_ntop(AF_INET, a->ip + 12, ip, sizeof(ip));
		snprintf(out, NAMES_ADDR_MAX, "%s:%u", ip, a->port);
	} else {
		inet_ntop(AF_INET6, a->ip, ip, sizeof(ip));
		snprintf(out, NAMES_ADDR_MAX, "[%s]:%u", ip, a->port);
	}
	return out;
}
