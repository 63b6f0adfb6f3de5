#include "commands.h"
#include "base/util.h"
#include <signal.h>
#include <stdio.h>

static const struct {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *about;
} commands[] = {
	{"origin", command_origin, "an event source: numbered, timestamped events for thousands of streams"},
	{"load", command_load, "opens many streams; order, loss, latency"},
	{"watch", command_watch, "opens one stream and shows each event and the time it took"},
	{"compare", command_compare, "runs the contenders in turn and compares CPU per event and latency"},
	{"scale", command_scale,
		"runs a grid of streams and rates, fits what each costs, tells what a larger host would "
		"carry"},
	{"plots", command_plots, "draws the files of compare and scale"},
};

static void usage(FILE *to)
{
	fprintf(to, "sluice-bench %s: measures relays of event streams\n\n", SLUICE_VERSION);
	for (size_t i = 0; i < ARRAY_LEN(commands); i++)
		fprintf(to, "  sluice-bench %-8s  %s\n", commands[i].name, commands[i].about);
	fprintf(to, "\nsluice-bench COMMAND --help tells each one's options.\n");
}

int main(int argc, char **argv)
{
	const char *name = argc > 1 ? argv[1] : "";

	/* OpenSSL writes without MSG_NOSIGNAL. */
	signal(SIGPIPE, SIG_IGN);
	for (size_t i = 0; i < ARRAY_LEN(commands); i++)
		if (!strcmp(name, commands[i].name))
			return commands[i].run(argc - 1, argv + 1);
	if (!strcmp(name, "--help") || !strcmp(name, "-h") || !strcmp(name, "--version")) {
		usage(stdout);
		return 0;
	}
	usage(stderr);
	return 2;
}
