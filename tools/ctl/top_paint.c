#include "ctl/top.h"
#include "base/clock.h"
#include "ctl/units.h"
#include "observe/names.h"
#include <ncurses.h>

static bool colours;

static attr_t attr_of(enum mood mood)
{
	switch (mood) {
	case MOOD_TITLE:
		return A_REVERSE;
	case MOOD_GOOD:
		return colours ? COLOR_PAIR(1) : A_NORMAL;
	case MOOD_WARN:
		return colours ? COLOR_PAIR(2) : A_BOLD;
	case MOOD_BAD:
		return colours ? COLOR_PAIR(3) | A_BOLD : A_BOLD;
	case MOOD_FAINT:
		return A_DIM;
	default:
		return A_NORMAL;
	}
}

void top_paint_init(void)
{
	const char *no_color = getenv("NO_COLOR");

	colours = has_colors() && !(no_color && *no_color);
	if (!colours)
		return;
	start_color();
	use_default_colors();
	init_pair(1, COLOR_GREEN, -1);
	init_pair(2, COLOR_YELLOW, -1);
	init_pair(3, COLOR_RED, -1);
}

size_t top_page(void)
{
	return LINES > TOP_HEAD_LINES + 1 ? (size_t)(LINES - TOP_HEAD_LINES - 1) : 1;
}

/* ---- the lines above */

struct sums {
	size_t lanes[4], blocked;
	uint64_t rate, pace, pending, lag_ms;
	bool rates; /* known */
};

static struct sums sum(const struct watch *w)
{
	struct sums s = {0};

	for (size_t i = 0; i < w->n; i++) {
		const struct row *r = &w->rows[i];

		s.lanes[MIN(r->s->c.lane, ARRAY_LEN(s.lanes) - 1)]++;
		s.blocked += r->s->c.flags & SLUICE_CTL_BLOCKED ? 1 : 0;
		s.pending += row_pending(r);
		s.lag_ms = MAX(s.lag_ms, row_lag_ms(r));
		if (r->rate == ROW_NEVER)
			continue;
		s.rates = true;
		s.rate += r->rate;
		s.pace += r->events;
	}
	return s;
}

static void paint_who(const struct top *t, const struct view *v, const char *instance)
{
	char up[UNITS_MAX] = "", every[UNITS_MAX], now[16];
	time_t wall = time(NULL);
	struct tm tm;

	localtime_r(&wall, &tm);
	strftime(now, sizeof(now), "%H:%M:%S", &tm);
	if (v)
		units_age((clock_mono_ns() - view_about(v)->start_ns) / NS_PER_MS, up);
	attron(A_BOLD);
	mvprintw(0, 0, "sluice %s", instance);
	attroff(A_BOLD);
	if (v)
		printw("  pid %u  up %s  %u workers", view_about(v)->pid, up, view_about(v)->workers);
	printw("  %s  every %s%s", now, units_age(t->interval_ms, every), t->paused ? "  STOPPED" : "");
}

static void paint_sums(const struct watch *w)
{
	struct sums s = sum(w);
	char rate[UNITS_MAX], pending[UNITS_MAX], lag[UNITS_MAX];

	mvprintw(1, 0, "%zu streams", w->n);
	for (unsigned lane = 0; lane < ARRAY_LEN(s.lanes); lane++)
		if (s.lanes[lane])
			printw("  %s %zu", names_lane(lane), s.lanes[lane]);
	if (s.rates)
		printw("  %.1f events/s  %s/s", (double)s.pace / 1000, units_bytes(s.rate, rate));
	printw("  blocked %zu  pending %s  most lag %s", s.blocked, units_bytes(s.pending, pending),
		s.lag_ms ? units_age(s.lag_ms, lag) : "-");
}

static void paint_choice(const struct top *t, const struct watch *w)
{
	size_t page = top_page(), last = MIN(t->first + page, w->nshown);

	if (t->mode == TOP_FILTER) {
		mvprintw(2, 0, "choose: %s", t->input);
		return;
	}
	mvprintw(2, 0, "by %s%s  %zu-%zu of %zu", t->order.by->name, t->order.reverse ? ", turned round" : "",
		w->nshown ? t->first + 1 : 0, last, w->nshown);
	if (*t->filter_text)
		printw("  chosen: %s", t->filter_text);
	if (w->socks_err)
		printw("  (sockets: %s)", strerror(-w->socks_err));
}

/* ---- the rows */

static void put_text(void *arg, enum mood mood, const char *text, int bytes)
{
	(void)arg;
	attron(attr_of(mood));
	addnstr(text, bytes);
	attroff(attr_of(mood));
}

static void put_line_end(void *arg)
{
	int *y = arg;

	if (++*y < LINES - 1)
		move(*y, 0);
}

static void paint_rows(struct top *t, const struct watch *w)
{
	size_t end = MIN(t->first + top_page(), w->nshown), n = 0;
	int y = TOP_HEAD_LINES - 1;
	struct table_out out = {put_text, put_line_end, &y};
	struct table table = {0};
	const struct column *cols[TABLE_MAX_COLUMNS];
	char text[COLUMN_TEXT_MAX];

	for (; top_columns[n]; n++) {
		cols[n] = column_find(top_columns[n], strlen(top_columns[n]));
		table_column(&table, cols[n]->title, cols[n]->number != NULL, cols[n]->least,
			cols[n] == t->order.by ? 0 : cols[n]->weight);
		table.columns[n].width = MAX(table.columns[n].width, t->widths[n]);
	}
	for (size_t i = t->first; i < end; i++)
		for (size_t k = 0; k < n; k++)
			table_cell(&table, column_mood(cols[k], &w->shown[i]),
				column_format(cols[k], &w->shown[i], text));
	for (size_t k = 0; k < n; k++)
		t->widths[k] = cols[k]->least ? 0 : table.columns[k].width;
	table_fit(&table, COLS);
	move(y, 0);
	if (!table.failed)
		table_write(&table, &out);
	table_done(&table);
}

static void paint_help(void)
{
	mvprintw(2, 0, "keys");
	for (int i = 0; top_help[i].keys; i++) {
		mvprintw(4 + i, 2, "%-26s", top_help[i].keys);
		printw("%s", top_help[i].what);
	}
}

static void paint_foot(const struct top *t)
{
	attron(A_REVERSE);
	if (*t->message)
		mvprintw(LINES - 1, 0, "%.*s", COLS - 1, t->message);
	else if (t->mode == TOP_FILTER)
		mvprintw(
			LINES - 1, 0, "%.*s", COLS - 1, "Enter: choose   Esc: leave it   empty: all streams");
	else
		mvprintw(LINES - 1, 0, "%.*s", COLS - 1,
			"l lag  r rate  a age  p pending  e ev/s  < > column  R round  / choose  space stop  "
			"+ - pace  h help  q quit");
	attroff(A_REVERSE);
}

void top_paint(struct top *t, const struct watch *w, const struct view *view, const char *instance)
{
	erase();
	paint_who(t, view, instance);
	if (view) {
		paint_sums(w);
		if (t->mode == TOP_HELP)
			paint_help();
		else
			paint_choice(t, w);
		if (t->mode != TOP_HELP)
			paint_rows(t, w);
	}
	paint_foot(t);
	refresh();
}
