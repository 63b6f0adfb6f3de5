/* top: the streams of an instance, full-screen and refreshing. Reads the records itself, so it goes on when
 * the master is busy, and waits for a successor when the daemon has ended. */
#include "ctl/top.h"
#include "base/clock.h"
#include "ctl/verbs.h"
#include <langinfo.h>
#include <locale.h>
#include <ncurses.h>

#define RETRY_MS 500 /* between looks for a daemon that is not there */

struct session {
	const struct ctl *c;
	struct top top;
	struct view *view; /* NULL: the daemon has ended */
	struct watch watch;
	const char *instance;
	uint64_t next_ms; /* the next look */
};

static uint64_t now_ms(void)
{
	return clock_mono_ns() / NS_PER_MS;
}

static void leave(struct session *s)
{
	watch_done(&s->watch);
	view_close(s->view);
	s->view = NULL;
}

static void find_again(struct session *s)
{
	char why[256];

	if (view_open(&s->c->where, &s->view, why, sizeof(why)) == 0 && watch_init(&s->watch, s->view) == 0)
		return;
	leave(s);
	snprintf(s->top.message, sizeof(s->top.message), "waiting: %.200s", why);
}

/* 0 or -ENOMEM. */
static int look(struct session *s)
{
	int err;

	if (s->view && !view_alive(s->view))
		leave(s);
	if (!s->view)
		find_again(s);
	s->next_ms = now_ms() + (s->view ? s->top.interval_ms : RETRY_MS);
	if (!s->view)
		return 0;
	err = watch_look(&s->watch, true);
	return err ? err : watch_arrange(&s->watch, &s->top.filters, &s->top.order);
}

static int key_of(int key)
{
	static const struct {
		int from, to;
	} keys[] = {{KEY_UP, TOP_KEY_UP}, {KEY_DOWN, TOP_KEY_DOWN}, {KEY_PPAGE, TOP_KEY_PAGE_UP},
		{KEY_NPAGE, TOP_KEY_PAGE_DOWN}, {KEY_HOME, TOP_KEY_HOME}, {KEY_END, TOP_KEY_END},
		{KEY_BACKSPACE, TOP_KEY_BACK}, {KEY_ENTER, '\n'}};

	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		if (keys[i].from == key)
			return keys[i].to;
	return key;
}

/* Returns false at the end. */
static bool on_key(struct session *s, int key, int *ret_err)
{
	size_t rows = s->view ? s->watch.nshown : 0;

	if (key == KEY_RESIZE) {
		memset(s->top.widths, 0, sizeof(s->top.widths));
		return true;
	}
	switch (top_on_key(&s->top, key_of(key), rows, top_page())) {
	case TOP_QUIT:
		return false;
	case TOP_LOOK:
		s->next_ms = 0;
		break;
	case TOP_ARRANGE:
		memset(s->top.widths, 0, sizeof(s->top.widths));
		if (s->view)
			*ret_err = watch_arrange(&s->watch, &s->top.filters, &s->top.order);
		break;
	case TOP_PAINT:
		break;
	}
	return true;
}

static int run(struct session *s)
{
	int err = 0;

	for (;;) {
		uint64_t now = now_ms();
		int key;

		if (now >= s->next_ms && !s->top.paused)
			err = look(s);
		if (err)
			return err;
		top_scroll_fit(&s->top, s->view ? s->watch.nshown : 0, top_page());
		top_paint(&s->top, &s->watch, s->view, s->instance);
		now = now_ms();
		timeout(s->top.paused ? -1 : s->next_ms > now ? (int)(s->next_ms - now) : 0);
		key = getch();
		/* All that was typed meanwhile, before the next painting. */
		for (timeout(0); key != ERR; key = getch())
			if (!on_key(s, key, &err))
				return 0;
	}
}

static void screen_open(void)
{
	setlocale(LC_CTYPE, "");
	if (strcmp(nl_langinfo(CODESET), "UTF-8") != 0)
		setlocale(LC_CTYPE, "C.UTF-8");
	initscr();
	cbreak();
	noecho();
	nonl();
	curs_set(0);
	keypad(stdscr, TRUE);
	set_escdelay(50);
	top_paint_init();
}

int verb_top(struct ctl *c, char **words)
{
	struct session s = {
		.c = c, .instance = c->where.instance ? c->where.instance : SLUICE_DEFAULT_INSTANCE};
	char name[SLUICE_MAX_INSTANCE], text[TOP_INPUT_MAX] = "";
	size_t at = 0;
	int err;

	if (c->json || !c->term.tty || !isatty(STDIN_FILENO))
		return ctl_misuse(c, "top is for a terminal; `sluicectl streams --json` is for scripts");
	top_init(&s.top);
	for (; *words; words++)
		at += (size_t)snprintf(text + MIN(at, sizeof(text) - 1),
			sizeof(text) - MIN(at, sizeof(text) - 1), "%s%s", at ? " " : "", *words);
	if (at >= sizeof(text))
		return ctl_misuse(c, "the expressions are too long");
	if (!top_choose(&s.top, text))
		return ctl_misuse(c, "%s", s.top.message);
	s.view = ctl_open(c);
	if (!s.view)
		return 1;
	snprintf(name, sizeof(name), "%s", view_about(s.view)->instance);
	s.instance = name;
	if (watch_init(&s.watch, s.view)) {
		view_close(s.view);
		return ctl_fail("out of memory");
	}
	screen_open();
	err = run(&s);
	endwin();
	leave(&s);
	return err ? ctl_fail("%s", strerror(-err)) : 0;
}
