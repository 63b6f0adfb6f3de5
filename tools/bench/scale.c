#include "scale.h"
#include "base/clock.h"
#include "cli.h"
#include "commands.h"
#include "compare_setup.h"
#include "load_job.h"
#include "plot.h"
#include "term.h"
#include <limits.h>

#define IDLE_WINDOW  15.0   /* s: one heartbeat of every stream, at sluice's default */
#define OPENED_PER_S 1500.0 /* streams, about: for the time that is announced */

struct options {
	const char *streams, *rates, *json, *from, *page, *plots;
	uint64_t rounds;
	double seconds, idle_seconds, warmup, host_memory_gib;
	struct scale_host host;
	bool quick, remote;
};

static double window_of(const struct options *o, double rate)
{
	return rate > 0 ? o->seconds : o->idle_seconds;
}

/* Seconds that a place is meant to take, for one contender. */
static double place_seconds(const struct options *o, double streams, double rate)
{
	return window_of(o, rate) + o->warmup + COMPARE_OVERHEAD_S + streams / OPENED_PER_S;
}

/* Seconds that the whole grid is meant to take, for one contender and one round. */
static double grid_seconds(const struct grid *g, const struct options *o)
{
	double sum = 0;

	for (size_t s = 0; s < g->stream_count; s++)
		for (size_t r = 0; r < g->rate_count; r++)
			if (grid_has(g, s, r))
				sum += place_seconds(o, g->streams[s], g->rates[r]);
	return sum;
}

static void say_run(const struct compare *cmp, const struct contest *c, const struct scale_row *row)
{
	term_progress_done();
	fprintf(stderr,
		"%6.0f streams x %5g events/s  %-16s machine %5.3f CPUs, p99 %8.1f us, user %6.1f MiB\n",
		row->streams, row->rate, c->peer->name, row->values[METRIC_CORES], row->values[METRIC_P99],
		row->values[METRIC_MEMORY_USER] / 1048576);
	if (row->values[METRIC_WRONG] > 0)
		fprintf(stderr,
			"sluice-bench scale: %s, %g streams x %g: %.0f streams or events went wrong; this "
			"run is not "
			"used (round %zu)\n",
			c->peer->name, row->streams, row->rate, row->values[METRIC_WRONG], cmp->round + 1);
}

/* One place of the grid, all contenders. Whoever fails there is asked again at the next: a place may be too
 * much for it. */
static int run_place(struct compare *cmp, const struct options *o, struct scale_data *d)
{
	double each = place_seconds(o, (double)cmp->streams, cmp->rate);

	for (size_t i = 0; i < cmp->count; i++) {
		struct contest *c = &cmp->contests[i];
		struct scale_row row = {
			.streams = (double)cmp->streams, .rate = cmp->rate, .round = (unsigned)cmp->round};
		int err;

		c->count = 0;
		c->left_out[0] = 0;
		cmp->progress.run_s = each;
		err = compare_run(cmp, c);
		cmp->progress.done_s += each;
		if (err == -EINTR)
			return err;
		if (err) {
			term_progress_done();
			fprintf(stderr, "sluice-bench scale: %s is left out at %g streams x %g: %s\n",
				c->peer->name, row.streams, row.rate, c->left_out);
			continue;
		}
		snprintf(row.contender, sizeof(row.contender), "%s", c->peer->name);
		memcpy(row.values, c->runs[0].values, sizeof(row.values));
		say_run(cmp, c, &row);
		err = scale_add(d, &row);
		if (err)
			return err;
	}
	return 0;
}

static int run_grid(struct compare *cmp, const struct options *o, const struct grid *g, struct scale_data *d)
{
	int err = 0;

	cmp->progress = (struct progress){.begin_ns = clock_mono_ns(),
		.total_s = grid_seconds(g, o) * (double)(o->rounds * cmp->count)};
	for (cmp->round = 0; cmp->round < o->rounds; cmp->round++)
		for (size_t s = 0; s < g->stream_count; s++)
			for (size_t r = 0; r < g->rate_count; r++) {
				if (!grid_has(g, s, r))
					continue;
				cmp->streams = (uint64_t)g->streams[s];
				cmp->rate = g->rates[r];
				cmp->seconds = window_of(o, cmp->rate);
				err = run_place(cmp, o, d);
				if (err)
					return err;
			}
	return 0;
}

static void describe(const struct compare *cmp, const struct options *o, struct scale_data *d)
{
	machine_describe(&d->machine);
	snprintf(d->topology, sizeof(d->topology), "%s", cmp->topology_name);
	d->size = (double)cmp->size;
	d->seconds = o->seconds;
	d->idle_seconds = window_of(o, 0);
	for (size_t i = 0; i < cmp->count; i++) {
		snprintf(d->contenders[i].name, sizeof(d->contenders[i].name), "%s",
			cmp->contests[i].peer->name);
		memcpy(d->contenders[i].version, cmp->contests[i].version, sizeof(d->contenders[i].version));
	}
	d->contender_count = cmp->count;
}

static int measure(struct compare *cmp, const struct options *o, const struct grid *g, struct scale_data *d)
{
	char text[24];
	int err;

	compare_prepare(cmp);
	describe(cmp, o, d);
	cmp->warmup = o->warmup;
	cmp->rounds = o->rounds;
	fprintf(stderr, "sluice-bench scale: %s: %s in all\n", cmp->contenders,
		progress_time(grid_seconds(g, o) * (double)(o->rounds * cmp->count), text));
	err = topology_open(&cmp->topology, o->remote);
	if (err)
		fprintf(stderr, "sluice-bench scale: --topology remote: %s\n", cmp->topology.why);
	else
		err = run_grid(cmp, o, g, d);
	topology_close(&cmp->topology);
	term_progress_done();
	if (err == -EINTR)
		fprintf(stderr, "sluice-bench scale: stopped\n");
	return err;
}

static int draw(const struct options *o)
{
	char scripts[PATH_MAX + 64];
	const struct plot_dirs dirs = {plot_scripts(scripts, sizeof(scripts)), o->plots};

	return plot_file(o->from ? o->from : o->json, &dirs);
}

static int report(const struct scale_data *d, const struct options *o)
{
	int err = o->json && !o->from ? scale_write(d, o->json) : 0;

	if (err) {
		fprintf(stderr, "sluice-bench scale: cannot write %s: %s\n", o->json, strerror(-err));
		return err;
	}
	scale_print(stdout, d, &o->host);
	err = o->page ? scale_write_page(d, &o->host, o->page) : 0;
	if (err == -EBADMSG)
		fprintf(stderr, "sluice-bench scale: %s has no lines between which to write:\n%s%s", o->page,
			SCALE_BEGIN, SCALE_END);
	else if (err)
		fprintf(stderr, "sluice-bench scale: cannot write %s: %s\n", o->page, strerror(-err));
	if (!err && o->plots)
		err = draw(o);
	return err;
}

static int parse_grid(const struct cli *cli, const struct options *o, struct grid *g)
{
	if (grid_parse(o->streams, 1, 1e6, g->streams, &g->stream_count))
		return cli_wrong(
			cli, "streams", "whole numbers from 1 to 1000000 with commas between", o->streams);
	if (grid_parse(o->rates, 0, 1e5, g->rates, &g->rate_count))
		return cli_wrong(cli, "rates", "numbers from 0 to 100000 with commas between", o->rates);
	return 0;
}

static bool has_none(const struct compare *cmp)
{
	for (size_t i = 0; i < cmp->count; i++)
		if (!cmp->contests[i].peer->argv[0])
			return true;
	return false;
}

static int run(struct compare *cmp, const struct options *o, const struct grid *g)
{
	struct scale_data d = {.count = 0};
	char why[200];
	int err;

	if (o->from) {
		err = scale_read(o->from, &d, why, sizeof(why));
		if (err)
			fprintf(stderr, "sluice-bench scale: --from %s: %s\n", o->from, why);
	} else {
		err = measure(cmp, o, g, &d);
	}
	if (!err)
		err = report(&d, o);
	scale_data_done(&d);
	return err ? 1 : 0;
}

int command_scale(int argc, char **argv)
{
	static struct contest contests[COMPARE_CONTENDERS_MAX];
	struct compare cmp = {.size = 200,
		.processes = 1,
		.workers = 1,
		.contenders = "none,sluice-copy,sluice-splice,nginx",
		.topology_name = "local",
		.client_name = "h1",
		.per_connection = 50,
		.contests = contests};
	struct options o = {.seconds = -1,
		.idle_seconds = IDLE_WINDOW,
		.warmup = 1,
		.host_memory_gib = 256,
		.host = {32, 0, 0.7, 0.8}};
	struct grid g = {.max_events = 40000};
	char json[PATH_MAX];
	const struct cli_option options[] = {
		CLI_SWITCH(
			"quick", CLI_ON, &o.quick, "a small grid, once: tries the command, gives no figures"),
		CLI_STRING("streams", &o.streams, "N,N,...", "of the grid (250,1000,4000,8000)"),
		CLI_STRING("rates", &o.rates, "N,N,...", "events a second on each stream (0,1,5,20,40)"),
		CLI_RANGE("max-events", CLI_NUMBER, &g.max_events, "N",
			"leave out places with more events a second in all (40000)", 1, 1e9),
		CLI_RANGE("size", CLI_COUNT, &cmp.size, "BYTES", "of an event (200)", 1, 1048576),
		CLI_RANGE("rounds", CLI_COUNT, &o.rounds, "N", "times through the grid (2)", 1, 100),
		CLI_RANGE("seconds", CLI_NUMBER, &o.seconds, "S", "measured in each run (5)", 0.5, 3600),
		CLI_RANGE("idle-seconds", CLI_NUMBER, &o.idle_seconds, "S",
			"measured where the rate is 0 (15: one heartbeat of each stream)", 0.5, 3600),
		CLI_RANGE("warmup", CLI_NUMBER, &o.warmup, "S", "before that (1)", 0, 3600),
		CLI_RANGE("processes", CLI_COUNT, &cmp.processes, "P", "of the load (1)", 1,
			LOAD_PROCESSES_MAX),
		CLI_RANGE("workers", CLI_COUNT, &cmp.workers, "N",
			"of every contender: processes or threads that share the streams (1)", 1, 64),
		CLI_STRING("contenders", &cmp.contenders, "A,B,...",
			"none, which the others are set against, and at least one more"),
		CLI_STRING("client", &cmp.client_name, "KIND", "of clients: h1 or tls, as of compare (h1)"),
		CLI_STRING("topology", &cmp.topology_name, "NAME", "local or remote, as of compare (local)"),
		CLI_SWITCH("no-pin", CLI_ON, &cmp.unpinned, "let every process run on any CPU"),
		CLI_STRING("json", &o.json, "FILE", "write every run there"),
		CLI_STRING("from", &o.from, "FILE", "measure nothing: take the runs from such a file"),
		CLI_STRING("page", &o.page, "FILE", "put the tables into this page, between its two marks"),
		CLI_STRING("plots", &o.plots, "DIR", "draw them there; without --json: as DIR/scale.json"),
		CLI_RANGE("host-cpus", CLI_NUMBER, &o.host.cpus, "N", "of the host that is asked about (32)",
			1, 4096),
		CLI_RANGE("host-memory", CLI_NUMBER, &o.host_memory_gib, "GIB", "of that host (256)", 0.1,
			65536),
		CLI_STRING("sluice", &cmp.sluice, "PATH", "the relay (sluice beside this program)"),
		CLI_STRING("peers", &cmp.peers_dir, "DIR", "the peers' config files (tools/bench/peers)"),
	};
	const struct cli cli = {"scale",
		"measures a grid of streams and rates; fits CPU per event and per stream, memory per stream; "
		"extrapolates",
		options, ARRAY_LEN(options)};
	int err = cli_parse(&cli, argc, argv);

	if (!err)
		err = compare_choose(&cmp, &cli);
	if (!err && !has_none(&cmp))
		err = cli_wrong(&cli, "contenders", "a list with none in it", cmp.contenders);
	if (!err && topology_parse(cmp.topology_name, &o.remote))
		err = cli_wrong(&cli, "topology", "local remote", cmp.topology_name);
	o.streams = o.streams ? o.streams : o.quick ? "200,1000,2000" : "250,1000,4000,8000";
	o.rates = o.rates ? o.rates : o.quick ? "0,2,10" : "0,1,5,20,40";
	if (!err)
		err = parse_grid(&cli, &o, &g);
	if (err)
		return err < 0 ? 2 : 0;
	o.rounds = o.rounds ? o.rounds : o.quick ? 1 : 2;
	o.seconds = o.seconds > 0 ? o.seconds : o.quick ? 2 : 5;
	o.host.memory = o.host_memory_gib * 1024 * 1024 * 1024;
	if (o.plots && plot_folder(o.plots))
		return 1;
	if (o.plots && !o.json) {
		snprintf(json, sizeof(json), "%s/scale.json", o.plots);
		o.json = json;
	}
	return run(&cmp, &o, &g);
}
