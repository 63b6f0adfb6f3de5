/* upstreams: the servers as the workers see them, their sums. The rows are each worker's of the last second.
 */
#include "ctl/cells.h"
#include "ctl/verbs.h"
#include "sluice/counters.h"

struct sum {
	struct sluice_server s; /* of all workers */
	unsigned workers, up;
};

static bool row_read(const struct sluice_server *from, struct sluice_server *ret)
{
	for (int tries = 0; tries < 1000; tries++) {
		uint32_t turn = __atomic_load_n(&from->turn, __ATOMIC_ACQUIRE);

		memcpy(ret, from, sizeof(*ret));
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
		if (!(turn & 1) && __atomic_load_n(&from->turn, __ATOMIC_RELAXED) == turn)
			return ret->upstream[0] != '\0';
	}
	return false;
}

static struct sum *sum_of(struct sum *sums, size_t *n, const struct sluice_server *s)
{
	for (size_t i = 0; i < *n; i++)
		if (strcmp(sums[i].s.upstream, s->upstream) == 0 &&
			strcmp(sums[i].s.address, s->address) == 0)
			return &sums[i];
	sums[*n].s = (struct sluice_server){.checked = s->checked};
	memcpy(sums[*n].s.upstream, s->upstream, sizeof(s->upstream));
	memcpy(sums[*n].s.address, s->address, sizeof(s->address));
	return &sums[(*n)++];
}

/* The sums in the order of the rows. Returns how many. */
static size_t collect(const struct sluice_server *rows, uint32_t count, struct sum *sums)
{
	size_t n = 0;

	for (uint32_t i = 0; i < count; i++) {
		struct sluice_server s;
		struct sum *to;

		if (!row_read(&rows[i], &s))
			continue;
		to = sum_of(sums, &n, &s);
		to->workers++;
		to->up += s.up;
		to->s.resolved |= s.resolved;
		to->s.connections += s.connections;
		to->s.idle += s.idle;
		to->s.picks += s.picks;
		to->s.failures += s.failures;
		to->s.checks += s.checks;
	}
	return n;
}

static const char *state_of(const struct sum *s)
{
	return s->up == s->workers ? "up" : s->up ? "partly" : s->s.resolved ? "down" : "no address";
}

static int print_json(const struct sum *sums, size_t n)
{
	json_t *list = json_array();

	for (size_t i = 0; list && i < n; i++) {
		const struct sluice_server *s = &sums[i].s;

		json_array_append_new(list,
			json_pack("{s:s,s:s,s:s,s:b,s:b,s:i,s:i,s:i,s:i,s:I,s:I,s:I}", "upstream",
				s->upstream, "server", s->address, "state", state_of(&sums[i]), "resolved",
				(int)s->resolved, "health_checked", (int)s->checked, "workers",
				(int)sums[i].workers, "workers_up", (int)sums[i].up, "connections",
				(int)s->connections, "idle", (int)s->idle, "requests", (json_int_t)s->picks,
				"failures", (json_int_t)s->failures, "checks", (json_int_t)s->checks));
	}
	return ctl_print_json(list);
}

static int print_table(const struct ctl *c, const struct sum *sums, size_t n)
{
	static const char *const titles[] = {"UPSTREAM", "SERVER", "STATE", "HEALTH", "CONNECTIONS", "IDLE",
		"REQUESTS", "FAILURES", "CHECKS", NULL};
	struct table t = {0};

	cells_head(&t, titles, 4);
	for (size_t i = 0; i < n; i++) {
		const struct sluice_server *s = &sums[i].s;
		bool up = sums[i].up == sums[i].workers;

		table_cell(&t, MOOD_PLAIN, s->upstream);
		table_cell(&t, MOOD_PLAIN, s->address);
		table_cell(&t, up ? MOOD_GOOD : sums[i].up ? MOOD_WARN : MOOD_BAD, state_of(&sums[i]));
		table_cell(&t, MOOD_PLAIN, s->checked ? "checked" : "passive");
		cell_count(&t, MOOD_PLAIN, s->connections);
		cell_count(&t, MOOD_PLAIN, s->idle);
		cell_count(&t, MOOD_PLAIN, s->picks);
		cell_count(&t, s->failures ? MOOD_WARN : MOOD_PLAIN, s->failures);
		cell_count(&t, MOOD_PLAIN, s->checks);
	}
	return cells_print(&t, c);
}

int verb_upstreams(struct ctl *c, char **words)
{
	_cleanup_free_ struct sum *sums = NULL;
	struct view *v = ctl_open(c);
	const struct sluice_server *rows;
	uint32_t count = 0;
	int status;
	size_t n;

	(void)words;
	if (!v)
		return 1;
	rows = view_section(v, "servers", sizeof(*rows), &count);
	sums = calloc(MAX(count, 1U), sizeof(*sums));
	if (!rows || !sums) {
		status = ctl_fail(
			"%s", rows ? "out of memory" : "the daemon shows no servers: is its master stopped?");
	} else {
		n = collect(rows, count, sums);
		status = c->json ? print_json(sums, n) : print_table(c, sums, n);
	}
	view_close(v);
	return status;
}
