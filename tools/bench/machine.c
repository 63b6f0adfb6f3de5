#include "machine.h"
#include "base/util.h"
#include <stdio.h>
#include <sys/utsname.h>
#include <time.h>

static void cpu_model(char *out, size_t size)
{
	FILE *f = fopen("/proc/cpuinfo", "re");
	char line[256];

	snprintf(out, size, "unknown CPU");
	while (f && fgets(line, sizeof(line), f)) {
		const char *colon = strchr(line, ':');

		if (strncmp(line, "model name", 10) != 0 || !colon)
			continue;
		snprintf(out, size, "%.*s", (int)strcspn(colon + 2, "\n"), colon + 2);
		break;
	}
	if (f)
		fclose(f);
}

void machine_describe(struct machine *ret)
{
	struct utsname u = {0};
	time_t now = time(NULL);
	struct tm tm;

	*ret = (struct machine){0};
	cpu_model(ret->cpu, sizeof(ret->cpu));
	uname(&u);
	snprintf(ret->kernel, sizeof(ret->kernel), "%.20s %.60s %.40s", u.sysname, u.release, u.machine);
	ret->cpus = (int)sysconf(_SC_NPROCESSORS_ONLN);
	ret->memory_mib = (long)((double)sysconf(_SC_PHYS_PAGES) * (double)sysconf(_SC_PAGESIZE) / 1048576);
	strftime(ret->when, sizeof(ret->when), "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&now, &tm));
}
