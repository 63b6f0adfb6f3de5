#include "compare.h"
#include "base/clock.h"
#include "commands.h"
#include "compare_setup.h"
#include "load_job.h"
#include "plot.h"
#include "scenario.h"
#include "term.h"
#include <limits.h>

static void print_run(const struct compare *cmp, const struct contest *c)
{
	const double *v = c->runs[c->count - 1].values;
	const struct scenario *sc = cmp->scenario;

	term_progress_done();
	fprintf(stderr, "round %zu of %llu  %-16s ", cmp->round + 1, (unsigned long long)cmp->rounds,
		c->peer->name);
	if (!sc->column_count)
		fprintf(stderr, "%6.2f us CPU per event, machine %6.2f; p50 %7.1f us, p99 %8.1f us",
			v[METRIC_CONTENDER], v[METRIC_MACHINE], v[METRIC_P50], v[METRIC_P99]);
	for (size_t i = 0; i < sc->column_count; i++)
		if (!sc->columns[i].above)
			fprintf(stderr, " %s %.5g", sc->columns[i].title, v[sc->columns[i].metric]);
	fputc('\n', stderr);
}

static int run_rounds(struct compare *cmp)
{
	double each = cmp->seconds + compare_overhead(cmp);

	cmp->progress =
		(struct progress){clock_mono_ns(), each * (double)(cmp->rounds * cmp->count), each, 0};
	for (cmp->round = 0; cmp->round < cmp->rounds; cmp->round++) {
		for (size_t i = 0; i < cmp->count; i++) {
			struct contest *c = &cmp->contests[i];
			int err = c->left_out[0] ? -ECANCELED : compare_run(cmp, c);

			cmp->progress.done_s += each;
			if (err == -EINTR)
				return err;
			if (!err)
				print_run(cmp, c);
			else if (err != -ECANCELED) {
				term_progress_done();
				fprintf(stderr, "sluice-bench compare: %s is left out: %s\n", c->peer->name,
					c->left_out);
			}
		}
	}
	return 0;
}

/* The figures as a file, and the plots of that file. */
static int keep(const struct compare *cmp)
{
	char json[PATH_MAX], scripts[PATH_MAX + 64];
	const struct plot_dirs dirs = {plot_scripts(scripts, sizeof(scripts)), cmp->plots};
	const char *path = cmp->json_path;
	int err = cmp->plots ? plot_folder(cmp->plots) : 0;

	if (!path && cmp->plots) {
		snprintf(json, sizeof(json), "%s/%s-%s%s.json", cmp->plots, cmp->scenario->name,
			cmp->client->name, strcmp(cmp->topology_name, "remote") == 0 ? "-remote" : "");
		path = json;
	}
	if (err || !path)
		return err;
	err = compare_write_json(cmp, path);
	if (err)
		fprintf(stderr, "sluice-bench compare: cannot write %s: %s\n", path, strerror(-err));
	return err || !cmp->plots ? err : plot_file(path, &dirs);
}

static int run_all(struct compare *cmp, bool remote)
{
	char time_text[24];
	int err;

	compare_prepare(cmp);
	fprintf(stderr, "sluice-bench compare: %s, %llu rounds of %.3g s: %s in all\n", cmp->contenders,
		(unsigned long long)cmp->rounds, cmp->seconds,
		progress_time((double)(cmp->rounds * cmp->count) * (cmp->seconds + compare_overhead(cmp)),
			time_text));
	if (topology_open(&cmp->topology, remote)) {
		fprintf(stderr, "sluice-bench compare: --topology remote: %s\n", cmp->topology.why);
		topology_close(&cmp->topology);
		return 1;
	}
	err = run_rounds(cmp);
	topology_close(&cmp->topology);
	term_progress_done();
	if (err) {
		fprintf(stderr, "sluice-bench compare: stopped\n");
		return 1;
	}
	compare_print(stdout, cmp);
	err = keep(cmp);
	for (size_t i = 0; i < cmp->count; i++)
		if (cmp->contests[i].count)
			return err ? 1 : 0;
	return 1;
}

/* What the user did not say. */
static void set_defaults(struct compare *cmp)
{
	const struct scenario *sc = cmp->scenario;

	cmp->streams = cmp->streams ? cmp->streams : sc->streams;
	cmp->size = cmp->size ? cmp->size : sc->size;
	cmp->rate = cmp->rate >= 0 ? cmp->rate : sc->rate;
	cmp->rounds = cmp->rounds ? cmp->rounds : cmp->quick ? 3 : 5;
	cmp->warmup = cmp->warmup >= 0 ? cmp->warmup : cmp->quick ? 1 : 2;
	if (cmp->pause < 0)
		cmp->pause = sc == &scenario_events && !cmp->client->tls ? 1 : 0;
	if (cmp->seconds <= 0)
		cmp->seconds = cmp->quick ? progress_window((double)(cmp->rounds * cmp->count),
						    compare_overhead(cmp), COMPARE_QUICK_S, 1, 4)
					  : sc->seconds;
	cmp->processes = MIN(cmp->processes, cmp->streams);
}

int command_compare(int argc, char **argv)
{
	static struct contest contests[COMPARE_CONTENDERS_MAX];
	struct compare cmp = {.processes = 1,
		.workers = 1,
		.rate = -1,
		.seconds = -1,
		.warmup = -1,
		.pause = -1,
		.client_name = "h1",
		.per_connection = 50,
		.topology_name = "local",
		.contests = contests};
	bool remote = false;
	const struct cli_option options[] = {
		CLI_SWITCH("quick", CLI_ON, &cmp.quick, "three short rounds: a picture within two minutes"),
		CLI_RANGE("streams", CLI_COUNT, &cmp.streams, "N", "event streams (events: 1000)", 1, 1e6),
		CLI_RANGE("rate", CLI_NUMBER, &cmp.rate, "N",
			"events a second on each (events: 40); 0: idle streams", 0, 100000),
		CLI_RANGE("size", CLI_COUNT, &cmp.size, "BYTES", "of an event (events: 200)", 1, 1048576),
		CLI_RANGE("rounds", CLI_COUNT, &cmp.rounds, "N", "rounds of every contender in turn (5)", 1,
			COMPARE_ROUNDS_MAX),
		CLI_RANGE("seconds", CLI_NUMBER, &cmp.seconds, "S", "measured in each run (events: 8)", 0.5,
			3600),
		CLI_RANGE("warmup", CLI_NUMBER, &cmp.warmup, "S", "before that (2)", 0, 3600),
		CLI_RANGE("pause", CLI_NUMBER, &cmp.pause, "S",
			"after that the contender is stopped so long, the load goes on (h1: 1; 0: not)", 0,
			60),
		CLI_STRING("scenario", &cmp.scenario_name, "NAME",
			"what is measured: events idle setup abort stall saturate (events); sets the "
			"defaults"),
		CLI_STRING("client", &cmp.client_name, "KIND", "how clients come: h1, tls or h2 (h1)"),
		CLI_RANGE("streams-per-connection", CLI_COUNT, &cmp.per_connection, "N",
			"with h2: streams that share a connection (50)", 1, 10000),
		CLI_RANGE("processes", CLI_COUNT, &cmp.processes, "P", "of the load, and of the origin (1)",
			1, LOAD_PROCESSES_MAX),
		CLI_RANGE("workers", CLI_COUNT, &cmp.workers, "N",
			"of every contender: processes or threads that share the streams (1)", 1, 64),
		CLI_STRING("contenders", &cmp.contenders, "A,B,...",
			"of: none sluice-copy sluice-splice nginx nginx-unchunked haproxy caddy h2o envoy"),
		CLI_STRING("topology", &cmp.topology_name, "NAME",
			"local (loopback) or remote (three network namespaces; root) (local)"),
		CLI_SWITCH("no-pin", CLI_ON, &cmp.unpinned, "let every process run on any CPU"),
		CLI_STRING("json", &cmp.json_path, "FILE", "write all figures there"),
		CLI_STRING("plots", &cmp.plots, "DIR",
			"draw them there; without --json: as DIR/SCENARIO-CLIENT.json"),
		CLI_STRING("sluice", &cmp.sluice, "PATH", "the relay (sluice beside this program)"),
		CLI_STRING("peers", &cmp.peers_dir, "DIR", "the peers' config files (tools/bench/peers)"),
	};
	const struct cli cli = {"compare",
		"runs relays in turn under the same load; CPU per event, latency, ratios", options,
		ARRAY_LEN(options)};
	int err = cli_parse(&cli, argc, argv);

	if (!err)
		err = compare_choose(&cmp, &cli);
	if (!err && topology_parse(cmp.topology_name, &remote))
		err = cli_wrong(&cli, "topology", "local remote", cmp.topology_name);
	if (err)
		return err < 0 ? 2 : 0;
	set_defaults(&cmp);
	return run_all(&cmp, remote);
}
