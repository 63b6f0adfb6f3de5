/* SVG plots by gnuplot from the JSON files of `compare` and `scale`. A plot is variables and data, written
 * here, and a script of tools/bench/plots that draws them. Owned by the command that draws; nothing is kept.
 */
#ifndef SLUICE_BENCH_PLOT_H
#define SLUICE_BENCH_PLOT_H

#include "base/util.h"
#include "scale.h"
#include <jansson.h>
#include <stdio.h>

/* One plot in the making: what is written to it goes to gnuplot. */
struct plot {
	FILE *to;
	char svg[512], script[512];
};

struct plot_dirs {
	const char *scripts, *to;
};

/* plot.c */
/* Starts gnuplot for DIR/STEM-NAME.svg, to be drawn by SCRIPT.gp. Negative errno. */
must_check int plot_begin(
	struct plot *p, const struct plot_dirs *dirs, const char *stem, const char *name, const char *script);
/* `name = "text"`, quoted for gnuplot. */
void plot_text(struct plot *p, const char *name, const char *text);
/* Draws and ends it. -EIO when gnuplot failed; it has said why on stderr. */
must_check int plot_end(struct plot *p);
/* All plots of a file, whatever kind it is, with its name before ".json" as their stem. Each one's path is
 * said on stdout. Negative errno, the reason said on stderr. */
must_check int plot_file(const char *path, const struct plot_dirs *dirs);
/* Makes the folder if it is not there; an error is said on stderr. */
must_check int plot_folder(const char *path);
/* Where the scripts lie: beside this program's tree, or where `make install` puts them. Returns `out`. */
const char *plot_scripts(char *out, size_t size);

/* plot_bars.c: a bar per contender, of up to three parts. */
#define PLOT_PARTS_MAX 3
struct plot_bar {
	const char *name;
	double parts[PLOT_PARTS_MAX];
	double least, most; /* of the whole bar, over the rounds; both 0: not known */
};
/* `parts`: their titles, NULL after the last; one only: no key is drawn. */
must_check int plot_bars(const struct plot_dirs *dirs, const char *stem, const char *name, const char *title,
	const char *ylabel, const char *const *parts, bool logarithmic, const char *caption,
	const struct plot_bar *bars, size_t count);
/* The plot of a scenario of compare other than "events"; 0 too when it has none. */
must_check int plot_scenario(
	json_t *o, const char *scenario, const struct plot_dirs *dirs, const char *stem, const char *caption);

/* Median, least and most of a figure of a contender in compare's file, above none's if `above` and the file
 * has that. */
bool plot_spread(json_t *contender, const char *key, bool above, struct spread *ret);

/* plot_compare.c, plot_scale.c: the plots of one file. */
must_check int plot_compare(json_t *o, const struct plot_dirs *dirs, const char *stem);
must_check int plot_scale(const struct scale_data *d, const struct plot_dirs *dirs, const char *stem);

/* Pure: lines for the caption, each begun with a newline: who has which version, the same one said once. A
 * version may be "": nothing is said of it. */
struct plot_version {
	const char *name, *version;
};
void plot_versions(const struct plot_version *list, size_t count, char *out, size_t size);

/* Pure: the rate (or, with by_rate, the number of streams) that most places of the grid share; those with
 * more events win. 0 when there is none with events. */
double plot_shared(const struct scale_data *d, bool by_rate);

#endif
