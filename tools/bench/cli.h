/* Command lines of sluice-bench: options as a table, so that the parser, the errors and --help agree.
 * Pointers in the table are the caller's; texts point into argv. */
#ifndef SLUICE_BENCH_CLI_H
#define SLUICE_BENCH_CLI_H

#include "base/util.h"

enum cli_kind {
	CLI_ON,	       /* bool, no value: true */
	CLI_OFF,       /* bool, no value: false */
	CLI_COUNT,     /* uint64_t */
	CLI_NUMBER,    /* double */
	CLI_NUMBER_IF, /* double, value optional and only as --name=VALUE; without: `bare` */
	CLI_TEXT,      /* const char * */
};

struct cli_option {
	const char *name; /* without the dashes */
	enum cli_kind kind;
	void *to;
	const char *value; /* what help calls the value: "SECONDS" */
	const char *help;
	double min, max; /* of COUNT, NUMBER and NUMBER_IF */
	double bare;
	bool required; /* CLI_TEXT only */
};

/* The rows of a table. */
#define CLI_SWITCH(n, k, t, h)                                                                               \
	{                                                                                                    \
		.name = (n), .kind = (k), .to = (t), .help = (h)                                             \
	}
#define CLI_STRING(n, t, v, h)                                                                               \
	{                                                                                                    \
		.name = (n), .kind = CLI_TEXT, .to = (t), .value = (v), .help = (h)                          \
	}
#define CLI_RANGE(n, k, t, v, h, lo, hi)                                                                     \
	{                                                                                                    \
		.name = (n), .kind = (k), .to = (t), .value = (v), .help = (h), .min = (lo), .max = (hi)     \
	}

struct cli {
	const char *command; /* "origin" */
	const char *about;   /* one sentence */
	const struct cli_option *options;
	size_t count;
};

/* Fills the options from argv (argv[0] is the command). 0: go on; 1: help was printed, exit 0; -EINVAL: an
 * error was printed, exit 2. */
must_check int cli_parse(const struct cli *cli, int argc, char **argv);
/* Prints "sluice-bench COMMAND: --NAME: allowed: …, found: …" and returns -EINVAL. */
int cli_wrong(const struct cli *cli, const char *name, const char *allowed, const char *found);

/* A whole decimal number. -EINVAL or -ERANGE. */
must_check int cli_number(const char *text, double min, double max, double *ret);

#endif
