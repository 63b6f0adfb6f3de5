/* The command line: words in, a struct out. */
#ifndef SLUICE_MAIN_OPTIONS_H
#define SLUICE_MAIN_OPTIONS_H

#include "conf/settings.h"

struct options {
	struct proxy_options proxy;
	const char *config;
	bool json;
};

/* 0, or -EINVAL after it said on stderr what is wrong and what is allowed. Slices of argv, nothing is copied.
 */
must_check int options_parse(const char *command, int argc, char **argv, struct options *ret);

#endif
