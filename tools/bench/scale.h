/* How cost grows with streams and events: a grid of runs, the model that is fitted to them, and what a larger
 * host would then carry. Private to the files of `scale`; the rows come from a measurement or from its JSON
 * file. */
#ifndef SLUICE_BENCH_SCALE_H
#define SLUICE_BENCH_SCALE_H

#include "compare.h"
#include "fit.h"
#include "machine.h"

/* One run of one contender at one place of the grid. */
struct scale_row {
	char contender[24];
	double streams, rate;
	unsigned round;
	double values[METRICS]; /* as compare's */
};

struct scale_data {
	struct machine machine; /* where it was measured */
	char topology[16];
	double size, seconds, idle_seconds; /* of an event in bytes; of a window with and without events */
	struct {
		char name[24], version[96];
	} contenders[COMPARE_CONTENDERS_MAX];
	size_t contender_count;
	struct scale_row *rows;
	size_t count, cap;
};

/* What one contender costs above no proxy at all. Each fit's rows are 0 when it could not be made. */
struct scale_model {
	/* c[0]: CPU seconds per event at the busiest place of the grid; c[1]: CPU seconds per second and open
	 * stream; c[2]: what an event costs more than c[0] where it is nearly alone, see scale_event() */
	struct fit cpu;
	double half; /* events a second at which half of an idle CPU's extra cost is gone; 0: there is none */
	double busiest;	   /* events a second of the busiest place that counted */
	struct fit user;   /* c[0]: bytes per stream; c[1]: bytes without streams */
	struct fit kernel; /* c[0]: bytes per stream, of slab and socket memory */
};

/* A host to be filled, and how far. */
struct scale_host {
	double cpus, memory; /* bytes */
	double cpu_share, memory_share;
};

/* Streams that it carries; INFINITY where the model sets no bound. */
struct scale_capacity {
	double by_cpu, by_cpu_low, by_cpu_high; /* with the coefficients two standard errors off */
	double by_memory;
};

/* scale_grid.c: pure. */
#define GRID_MAX 32 /* values on a side */
struct grid {
	double streams[GRID_MAX], rates[GRID_MAX];
	size_t stream_count, rate_count;
	double max_events; /* a second, over all streams: places above it are left out */
};
/* "a,b,…", numbers from `least` to `most`. -EINVAL. */
must_check int grid_parse(const char *text, double least, double most, double *out, size_t *ret_n);
bool grid_has(const struct grid *g, size_t stream, size_t rate);

/* scale_data.c */
must_check int scale_add(struct scale_data *d, const struct scale_row *row);
void scale_data_done(struct scale_data *d);
/* Negative errno. */
must_check int scale_write(const struct scale_data *d, const char *path);
/* Reads what scale_write() wrote. Free it with scale_data_done(). -EBADMSG with `why` (of `size` bytes)
 * filled, or another negative errno. */
must_check int scale_read(const char *path, struct scale_data *ret, char *why, size_t size);

/* scale_model.c: pure. */
/* Fits what it can from the rows of this contender and of "none". False when it could fit nothing. */
bool scale_fit(const struct scale_data *d, const char *contender, struct scale_model *ret);
/* The row of "none" beside `row`, or NULL. */
const struct scale_row *scale_none_of(const struct scale_data *d, const struct scale_row *row);
/* CPU seconds per second that putting this contender in between costs: the machine's above that of none.
 * False without such a row. */
bool scale_cores(const struct scale_data *d, const struct scale_row *row, double *ret);
/* CPU seconds per event when there are so many a second: an event that finds the CPUs asleep pays for waking
 * them, up to c[2]; the more there are, the fewer do. Beyond the busiest place it stays what it was there. */
double scale_event(const struct scale_model *m, double events);
/* Were the origin and the load too near the end of their own CPUs for this place to count? */
bool scale_crowded(const struct scale_data *d, const struct scale_row *row);
/* What the host carries when each stream has `rate` events a second. */
struct scale_capacity scale_capacity(const struct scale_model *m, const struct scale_host *host, double rate);
/* Bytes of memory for `streams` idle streams, without what the daemon has before the first. */
double scale_memory(const struct scale_model *m, double streams);

/* scale_report.c: Markdown, for the terminal and for the page alike. */
void scale_print(FILE *to, const struct scale_data *d, const struct scale_host *host);
/* Puts that text between the page's lines SCALE_BEGIN and SCALE_END. Negative errno; -ENOENT: no such file;
 * -EBADMSG: the lines are not there, and the page stays as it was. */
#define SCALE_BEGIN "<!-- scale: begin; written by `make bench-scale` -->\n"
#define SCALE_END   "<!-- scale: end -->\n"
must_check int scale_write_page(const struct scale_data *d, const struct scale_host *host, const char *path);

/* scale_kernel.c: the kernel's settings for so many streams. */
void scale_print_kernel(FILE *to, const struct scale_model *m, double streams, const struct scale_host *host);

#endif
