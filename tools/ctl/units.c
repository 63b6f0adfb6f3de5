#include "ctl/units.h"
#include <math.h>
#include <stdio.h>

static const char *scaled(double n, double step, const char *letters, char out[UNITS_MAX])
{
	while (n >= step - 0.5 && letters[1]) {
		n /= step;
		letters++;
	}
	/* 9.96 would print as "10.0", which is a digit too many. */
	snprintf(out, UNITS_MAX, n < 9.95 ? "%.1f%c" : "%.0f%c", n, *letters);
	return out;
}

const char *units_bytes(uint64_t n, char out[UNITS_MAX])
{
	if (n < 1024)
		snprintf(out, UNITS_MAX, "%u", (unsigned)n);
	else
		scaled((double)n / 1024, 1024, "KMGTPE", out);
	return out;
}

const char *units_count(uint64_t n, char out[UNITS_MAX])
{
	if (n < 100000)
		snprintf(out, UNITS_MAX, "%u", (unsigned)n);
	else
		scaled((double)n / 1000, 1000, "kMGTPE", out);
	return out;
}

const char *units_age(uint64_t ms, char out[UNITS_MAX])
{
	unsigned long long s = ms / 1000;

	if (ms < 9950)
		snprintf(out, UNITS_MAX, "%.1fs", (double)ms / 1000);
	else if (s < 60)
		snprintf(out, UNITS_MAX, "%llus", s);
	else if (s < 3600)
		snprintf(out, UNITS_MAX, "%llum%02llus", s / 60, s % 60);
	else if (s < 86400)
		snprintf(out, UNITS_MAX, "%lluh%02llum", s / 3600, s / 60 % 60);
	else
		snprintf(out, UNITS_MAX, "%llud%lluh", s / 86400, s / 3600 % 24);
	return out;
}

const char *units_us(uint64_t us, char out[UNITS_MAX])
{
	if (us < 9950)
		snprintf(out, UNITS_MAX, "%.1fms", (double)us / 1000);
	else if (us < 1000000)
		snprintf(out, UNITS_MAX, "%llums", (unsigned long long)us / 1000);
	else
		units_age(us / 1000, out);
	return out;
}

struct unit {
	const char *name;
	double factor;
};

static int parse(const char *text, const struct unit *units, uint64_t *ret)
{
	char *end;
	double n;

	if (*text < '0' || *text > '9' || text[strspn(text, "0123456789.")] == 'x')
		return -EINVAL;
	n = strtod(text, &end);
	for (; units->name; units++)
		if (strcasecmp(end, units->name) == 0)
			break;
	if (!units->name || !isfinite(n) || n * units->factor > 1e18)
		return -EINVAL;
	*ret = (uint64_t)(n * units->factor + 0.5);
	return 0;
}

int units_parse_bytes(const char *text, uint64_t *ret)
{
	static const struct unit units[] = {{"", 1}, {"B", 1}, {"K", 1024}, {"KiB", 1024}, {"M", 1048576},
		{"MiB", 1048576}, {"G", 1073741824}, {"GiB", 1073741824}, {NULL, 0}};

	return parse(text, units, ret);
}

int units_parse_us(const char *text, uint64_t *ret)
{
	static const struct unit units[] = {{"", 1e6}, {"us", 1}, {"ms", 1e3}, {"s", 1e6}, {"m", 60e6},
		{"h", 3600e6}, {"d", 86400e6}, {NULL, 0}};

	return parse(text, units, ret);
}
