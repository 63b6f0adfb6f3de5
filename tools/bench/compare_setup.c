#include "compare_setup.h"
#include "scenario.h"
#include "spawn.h"
#include <libgen.h>
#include <limits.h>
#include <signal.h>

#define FDS_WANTED 1000000

static void on_signal(int signo)
{
	(void)signo;
	compare_interrupted = 1;
}

static void catch_signals(void)
{
	struct sigaction act = {.sa_handler = on_signal};

	sigaction(SIGINT, &act, NULL);
	sigaction(SIGTERM, &act, NULL);
}

/* The contender gets the first CPU to itself, all else the others: with one CPU only there is nothing to
 * part. */
static void choose_cpus(struct compare *cmp)
{
	cpu_set_t all;
	int first = 0;

	if (cmp->unpinned || sched_getaffinity(0, sizeof(all), &all) || CPU_COUNT(&all) < 2)
		return;
	while (!CPU_ISSET(first, &all))
		first++;
	CPU_ZERO(&cmp->contender_cpus);
	CPU_SET(first, &cmp->contender_cpus);
	cmp->other_cpus = all;
	CPU_CLR(first, &cmp->other_cpus);
	cmp->pinned = sched_setaffinity(0, sizeof(cmp->other_cpus), &cmp->other_cpus) == 0;
}

/* Paths that follow from where this program lies: build/sluice-bench beside build/sluice, in the tree of
 * tools/. */
static void choose_paths(struct compare *cmp)
{
	static char sluice[PATH_MAX + 16], peers[PATH_MAX + 32], program[PATH_MAX];
	char self[PATH_MAX] = "";
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	char *dir;

	self[MAX(n, (ssize_t)0)] = 0;
	snprintf(program, sizeof(program), "%s", self);
	dir = dirname(self);
	snprintf(sluice, sizeof(sluice), "%s/sluice", dir);
	snprintf(peers, sizeof(peers), "%s/../tools/bench/peers", dir);
	cmp->self = program;
	if (!cmp->sluice)
		cmp->sluice = sluice;
	if (!cmp->peers_dir)
		cmp->peers_dir = peers;
}

static int choose_client(struct compare *cmp, const struct cli *cli)
{
	cmp->client = client_find(cmp->client_name);
	if (!cmp->client)
		return cli_wrong(cli, "client", "h1 tls h2", cmp->client_name);
	if (!cmp->contenders)
		cmp->contenders = cmp->client->contenders;
	return 0;
}

static int choose_scenario(struct compare *cmp, const struct cli *cli)
{
	char names[128];

	scenario_names(names, sizeof(names));
	cmp->scenario = cmp->scenario_name ? scenario_find(cmp->scenario_name) : &scenario_events;
	return cmp->scenario ? 0 : cli_wrong(cli, "scenario", names, cmp->scenario_name);
}

static int choose_contenders(struct compare *cmp, const struct cli *cli)
{
	struct slice rest = slice_of(cmp->contenders);
	char names[256];

	peer_names(names, sizeof(names));
	while (rest.n) {
		const char *comma = memchr(rest.p, ',', rest.n);
		struct slice name = {rest.p, comma ? (size_t)(comma - rest.p) : rest.n};
		const struct peer *p = peer_find(name);

		if (!p || cmp->count == COMPARE_CONTENDERS_MAX)
			return cli_wrong(cli, "contenders", names, cmp->contenders);
		if (!p->argv[0] && cmp->client->http == 2)
			return cli_wrong(
				cli, "contenders", "relays: the origin itself speaks no HTTP/2", p->name);
		cmp->contests[cmp->count++].peer = p;
		rest.n -= name.n + (comma ? 1 : 0);
		rest.p += name.n + (comma ? 1 : 0);
	}
	return cmp->count ? 0 : cli_wrong(cli, "contenders", names, "none");
}

int compare_choose(struct compare *cmp, const struct cli *cli)
{
	int err = choose_scenario(cmp, cli);

	if (!err)
		err = choose_client(cmp, cli);
	return err ? err : choose_contenders(cmp, cli);
}

/* Asks every contender for its version, once. */
static void ask_versions(struct compare *cmp)
{
	const struct peer_vars vars = {
		.listen = "", .origin = "", .dir = "", .conf = "", .sluice = cmp->sluice};

	for (size_t i = 0; i < cmp->count; i++) {
		struct contest *c = &cmp->contests[i];
		char *argv[PEER_ARGS_MAX] = {NULL};

		if (c->peer->version[0] && !peer_argv(c->peer->version, &vars, argv))
			spawn_first_line(argv, c->version, sizeof(c->version));
		peer_argv_free(argv);
	}
}

void compare_prepare(struct compare *cmp)
{
	/* Whom we start inherits the limit, so it is the same for all. */
	net_raise_fd_limit(FDS_WANTED);
	choose_paths(cmp);
	ask_versions(cmp);
	choose_cpus(cmp);
	catch_signals();
}
