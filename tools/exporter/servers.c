/* The workers' views of the upstreams' servers, put together; and the certificates. */
#include "exporter/families.h"
#include "exporter/page.h"

#define PATIENCE 64 /* times that the tables are read again because their writers were at work */

struct server_sum {
	struct sluice_server s; /* sums; up and resolved of all workers */
	unsigned views;
};

/* A copy of all rows in which no writer was at work: rows change places at a reload. NULL without memory. */
static struct sluice_server *rows_read(const struct sluice_server *rows, uint32_t count)
{
	struct sluice_server *copy = malloc(MAX(count, 1U) * sizeof(*copy));

	for (int i = 0; copy && i < PATIENCE; i++) {
		bool whole = true;

		memcpy(copy, rows, count * sizeof(*copy));
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
		for (uint32_t k = 0; k < count && whole; k++)
			whole = !(copy[k].turn & 1) &&
				__atomic_load_n(&rows[k].turn, __ATOMIC_RELAXED) == copy[k].turn;
		if (whole)
			break;
	}
	return copy;
}

static struct server_sum *sum_of(struct server_sum *sums, uint32_t *n, const struct sluice_server *row)
{
	for (uint32_t i = 0; i < *n; i++)
		if (strcmp(sums[i].s.upstream, row->upstream) == 0 &&
			strcmp(sums[i].s.address, row->address) == 0)
			return &sums[i];
	sums[*n] = (struct server_sum){.s = *row};
	return &sums[(*n)++];
}

static uint32_t rows_sum(const struct sluice_server *rows, uint32_t count, struct server_sum *sums)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < count; i++) {
		struct server_sum *sum;

		if (!rows[i].upstream[0])
			continue;
		sum = sum_of(sums, &n, &rows[i]);
		if (!sum->views++)
			continue;
		sum->s.up &= rows[i].up;
		sum->s.connections += rows[i].connections;
		sum->s.idle += rows[i].idle;
		sum->s.picks += rows[i].picks;
		sum->s.failures += rows[i].failures;
		sum->s.checks += rows[i].checks;
	}
	return n;
}

void servers_write(const struct sluice_server *rows, uint32_t count, struct text *t)
{
	_cleanup_free_ struct sluice_server *copy = rows_read(rows, count);
	_cleanup_free_ struct server_sum *sums = calloc(MAX(count, 1U), sizeof(*sums));
	uint32_t n;

	if (!copy || !sums) {
		t->err = t->err ? t->err : -ENOMEM;
		return;
	}
	n = rows_sum(copy, count, sums);
#define EACH(family, value)                                                                                  \
	family_begin(t, family);                                                                             \
	for (uint32_t i = 0; i < n; i++)                                                                     \
		family_sample(t, family, (double)sums[i].s.value, sums[i].s.upstream, sums[i].s.address);
	EACH(FAMILY_SERVER_UP, up)
	EACH(FAMILY_SERVER_CONNECTIONS, connections)
	EACH(FAMILY_SERVER_IDLE, idle)
	EACH(FAMILY_SERVER_PICKS, picks)
	EACH(FAMILY_SERVER_FAILURES, failures)
	EACH(FAMILY_SERVER_CHECKS, checks)
#undef EACH
}

void certs_write(const struct sluice_cert *rows, uint32_t count, struct text *t)
{
	family_begin(t, FAMILY_CERT);
	for (uint32_t i = 0; i < count; i++) {
		struct sluice_cert c;
		uint32_t turn = __atomic_load_n(&rows[i].turn, __ATOMIC_ACQUIRE);

		memcpy(&c, &rows[i], sizeof(c));
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
		if (!(turn & 1) && __atomic_load_n(&rows[i].turn, __ATOMIC_RELAXED) == turn && c.file[0])
			family_sample(t, FAMILY_CERT, (double)c.not_after, c.file, c.names);
	}
}
