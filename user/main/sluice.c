/* The program: a table of subcommands. */
#include "base/log.h"
#include "main/commands.h"
#include <stdio.h>

static const struct command {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *help;
} commands[] = {
	{"proxy", command_proxy,
		"--listen ADDR:PORT --to URL   relay one address to one upstream, no config file"},
	{"run", command_run, "--config FILE                 run from a config file"},
	{"check", command_check,
		"--config FILE                 say every mistake in a config file; exit 1 if there is one"},
	{"probe", command_probe, "[--json]                      what this kernel and host can do for sluice"},
};

static int usage(FILE *to, int status)
{
	fprintf(to, "sluice " SLUICE_VERSION ", a reverse proxy for Server-Sent Events\n\n");
	for (size_t i = 0; i < ARRAY_LEN(commands); i++)
		fprintf(to, "  sluice %-6s %s\n", commands[i].name, commands[i].help);
	fprintf(to, "\nManual: sluice(8), sluice.yaml(5)\n");
	return status;
}

int main(int argc, char **argv)
{
	if (argc < 2)
		return usage(stderr, 2);
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "help") == 0 || strcmp(argv[1], "-h") == 0)
		return usage(stdout, 0);
	if (strcmp(argv[1], "--version") == 0) {
		puts("sluice " SLUICE_VERSION);
		return 0;
	}
	for (size_t i = 0; i < ARRAY_LEN(commands); i++)
		if (strcmp(argv[1], commands[i].name) == 0)
			return commands[i].run(argc - 1, argv + 1);
	fprintf(stderr, "sluice: there is no command '%s'\n\n", argv[1]);
	return usage(stderr, 2);
}
