#include "ctl/watch.h"
#include "base/clock.h"

#define SAMPLE_MS   500
#define SOCKS_SHARE 20 /* of the time, one part may go into listing sockets */

struct past {
	uint64_t id, bytes, events;
};

int watch_init(struct watch *w, const struct view *view)
{
	*w = (struct watch){.view = view};
	w->past = calloc(view_about(view)->slots, sizeof(*w->past));
	return w->past ? 0 : -ENOMEM;
}

void watch_done(struct watch *w)
{
	view_shot_done(&w->shot);
	socks_done(&w->socks);
	free(w->past);
	free(w->rows);
	free(w->shown);
	*w = (struct watch){0};
}

/* `n` more in `ns`, as so many in `per` ns. */
static uint64_t per(uint64_t n, uint64_t ns, uint64_t per_ns)
{
	return (uint64_t)((double)n * (double)per_ns / (double)ns);
}

static void set_rates(const struct watch *w, struct row *r)
{
	struct past *p = &w->past[r->s->slot];
	const struct sluice_ctl *c = &r->s->c;
	uint64_t ns = r->now_ns - w->past_ns;

	r->rate = r->events = ROW_NEVER;
	if (w->past_ns && ns) {
		/* One that was not there at the last look has done all of it since. */
		if (p->id != c->id)
			*p = (struct past){.id = c->id};
		r->rate = per(c->bytes_out - MIN(p->bytes, c->bytes_out), ns, NS_PER_S);
		r->events = per(c->events - MIN(p->events, c->events), ns, 1000 * NS_PER_S);
	}
	*p = (struct past){.id = c->id, .bytes = c->bytes_out, .events = c->events};
}

static int rows_reserve(struct watch *w)
{
	struct row *rows, *shown;

	if (w->cap >= w->shot.cap)
		return 0;
	rows = realloc(w->rows, w->shot.cap * sizeof(*rows));
	if (rows)
		w->rows = rows;
	shown = rows ? realloc(w->shown, w->shot.cap * sizeof(*shown)) : NULL;
	if (!shown)
		return -ENOMEM;
	w->shown = shown;
	w->cap = w->shot.cap;
	return 0;
}

int watch_look(struct watch *w, bool sockets)
{
	int err = view_snapshot(w->view, &w->shot);

	if (err)
		return err;
	if (sockets && w->shot.now_ns >= w->socks_due_ns) {
		uint64_t began = clock_mono_ns();

		w->socks_err = socks_read(&w->socks, view_about(w->view)->pid);
		w->socks_due_ns = began + SOCKS_SHARE * (clock_mono_ns() - began);
	}
	err = rows_reserve(w);
	if (err)
		return err;
	w->n = w->shot.n;
	for (size_t i = 0; i < w->n; i++) {
		struct row *r = &w->rows[i];

		*r = (struct row){.s = &w->shot.streams[i], .now_ns = w->shot.now_ns};
		if (sockets && !w->socks_err)
			r->sock = socks_find(&w->socks, r->s->c.client_cookie);
		set_rates(w, r);
	}
	w->past_ns = w->shot.now_ns;
	return 0;
}

void watch_pause(void)
{
	const struct timespec pause = {.tv_nsec = SAMPLE_MS * (long)NS_PER_MS};

	nanosleep(&pause, NULL);
}

/* ---- order */

struct key {
	struct row row;
	uint64_t number;
	char *text; /* NULL: by number */
};

static int by_number(const void *a, const void *b)
{
	const struct key *x = a, *y = b;

	/* the largest first; what is not known is least */
	uint64_t n = x->number == ROW_NEVER ? 0 : x->number + 1,
		 m = y->number == ROW_NEVER ? 0 : y->number + 1;

	if (n != m)
		return n > m ? -1 : 1;
	return x->row.s->slot < y->row.s->slot ? -1 : x->row.s->slot > y->row.s->slot;
}

static int by_text(const void *a, const void *b)
{
	const struct key *x = a, *y = b;
	int order = strcmp(x->text, y->text);

	return order ? order : x->row.s->slot < y->row.s->slot ? -1 : x->row.s->slot > y->row.s->slot;
}

static int keys_fill(const struct watch *w, const struct column *by, struct key *keys)
{
	char text[COLUMN_TEXT_MAX];

	for (size_t i = 0; i < w->nshown; i++) {
		keys[i].row = w->shown[i];
		if (by->number) {
			keys[i].number = by->number(&w->shown[i]);
			continue;
		}
		by->text(&w->shown[i], text);
		keys[i].text = strdup(text);
		if (!keys[i].text)
			return -ENOMEM;
	}
	return 0;
}

static int sort(struct watch *w, const struct column *by, bool reverse)
{
	struct key *keys = calloc(w->nshown, sizeof(*keys));
	int err = keys ? keys_fill(w, by, keys) : -ENOMEM;

	if (!err) {
		qsort(keys, w->nshown, sizeof(*keys), by->number ? by_number : by_text);
		for (size_t i = 0; i < w->nshown; i++)
			w->shown[reverse ? w->nshown - 1 - i : i] = keys[i].row;
	}
	for (size_t i = 0; keys && i < w->nshown; i++)
		free(keys[i].text);
	free(keys);
	return err;
}

int watch_arrange(struct watch *w, const struct filters *f, const struct order *o)
{
	int err = 0;

	w->nshown = 0;
	for (size_t i = 0; i < w->n; i++)
		if (filters_match(f, &w->rows[i]))
			w->shown[w->nshown++] = w->rows[i];
	if (o->by && w->nshown > 1)
		err = sort(w, o->by, o->reverse);
	if (o->limit)
		w->nshown = MIN(w->nshown, o->limit);
	return err;
}
