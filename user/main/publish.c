#include "main/publish.h"
#include "base/clock.h"
#include <stdio.h>

#define EVERY_MS MS_PER_S

static void row_begin(struct sluice_server *row)
{
	__atomic_store_n(&row->turn, row->turn + 1, __ATOMIC_RELEASE);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

static void row_end(struct sluice_server *row)
{
	__atomic_store_n(&row->turn, row->turn + 1, __ATOMIC_RELEASE);
}

/* Everything but the turn, which belongs to the place. */
static void row_set(struct sluice_server *row, const struct sluice_server *to)
{
	row_begin(row);
	memcpy((char *)row + sizeof(row->turn), (const char *)to + sizeof(row->turn),
		sizeof(*row) - sizeof(row->turn));
	row_end(row);
}

static bool row_is(const struct sluice_server *row, const struct server_view *v)
{
	return strncmp(row->upstream, v->upstream, sizeof(row->upstream) - 1) == 0 &&
	       strncmp(row->address, v->address, sizeof(row->address) - 1) == 0;
}

/* The row of `v` from `from` on, or a free one, or `from`. */
static uint32_t row_find(const struct publisher *p, uint32_t from, const struct server_view *v)
{
	uint32_t unused = from;

	for (uint32_t i = from; i < p->count; i++) {
		if (row_is(&p->rows[i], v))
			return i;
		if (p->rows[unused].upstream[0] && !p->rows[i].upstream[0])
			unused = i;
	}
	return unused;
}

/* Brings what is already counted of each server to its new place; what is no more goes. */
static void rows_arrange(struct publisher *p, uint32_t n)
{
	struct sluice_server none = {0};

	for (uint32_t i = 0; i < n; i++) {
		uint32_t at = row_find(p, i, &p->views[i]);
		struct sluice_server here = p->rows[i], there = p->rows[at];

		row_set(&p->rows[at], &here);
		row_set(&p->rows[i], row_is(&there, &p->views[i]) ? &there : &none);
	}
	for (uint32_t i = n; i < p->count; i++)
		if (p->rows[i].upstream[0])
			row_set(&p->rows[i], &none);
}

static void row_update(struct sluice_server *row, const struct server_view *v, struct server_view *last)
{
	struct sluice_server r = *row;

	r.up = v->up;
	r.resolved = v->resolved;
	r.checked = v->checked;
	r.connections = v->connections;
	r.idle = v->idle;
	r.picks += v->picks - last->picks;
	r.failures += v->failures - last->failures;
	r.checks += v->checks - last->checks;
	snprintf(r.upstream, sizeof(r.upstream), "%s", v->upstream);
	snprintf(r.address, sizeof(r.address), "%s", v->address);
	row_set(row, &r);
	*last = *v;
}

static uint32_t look(struct publisher *p)
{
	return (uint32_t)upstreams_view(p->env->now->upstreams, p->views, p->count);
}

static void publish(struct publisher *p, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		row_update(&p->rows[i], &p->views[i], &p->last[i]);
	timer_in(p->env->loop, &p->timer, EVERY_MS);
}

static void on_timer(struct timer *t)
{
	struct publisher *p = container_of(t, struct publisher, timer);

	publish(p, look(p));
}

void publisher_restart(struct publisher *p)
{
	uint32_t n = look(p);

	memset(p->last, 0, p->count * sizeof(*p->last));
	rows_arrange(p, n);
	publish(p, n);
}

int publisher_init(struct publisher *p, struct env *env, struct sluice_server *rows, uint32_t count)
{
	*p = (struct publisher){.env = env, .rows = rows, .count = count};
	timer_init(&p->timer, on_timer);
	p->last = calloc(count, sizeof(*p->last));
	p->views = calloc(count, sizeof(*p->views));
	if (!p->last || !p->views)
		return -ENOMEM;
	publisher_restart(p);
	return 0;
}

void publisher_done(struct publisher *p)
{
	free(p->last);
	free(p->views);
}
