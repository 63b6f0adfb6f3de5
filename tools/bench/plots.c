#include "cli.h"
#include "commands.h"
#include "plot.h"
#include <limits.h>

static int draw_all(const char *from, const struct plot_dirs *dirs)
{
	char path[PATH_MAX];

	while (*from) {
		size_t n = strcspn(from, ",");
		int err;

		if (n >= sizeof(path))
			return -ENAMETOOLONG;
		memcpy(path, from, n);
		path[n] = 0;
		err = plot_file(path, dirs);
		if (err)
			return err;
		from += n + (from[n] ? 1 : 0);
	}
	return 0;
}

int command_plots(int argc, char **argv)
{
	char scripts[PATH_MAX + 64];
	const char *from = NULL;
	struct plot_dirs dirs = {plot_scripts(scripts, sizeof(scripts)), "."};
	const struct cli_option options[] = {
		{"from", CLI_TEXT, &from, "FILE,FILE,...", "JSON of compare or scale (must be given)", 0, 0,
			0, true},
		CLI_STRING("to", &dirs.to, "DIR", "where the SVG files go, each called after its file (.)"),
		CLI_STRING("scripts", &dirs.scripts, "DIR", "the gnuplot scripts (tools/bench/plots)"),
	};
	const struct cli cli = {"plots", "draws what compare and scale wrote, as SVG, with gnuplot", options,
		ARRAY_LEN(options)};
	int err = cli_parse(&cli, argc, argv);

	if (err)
		return err < 0 ? 2 : 0;
	if (plot_folder(dirs.to))
		return 1;
	return draw_all(from, &dirs) ? 1 : 0;
}
