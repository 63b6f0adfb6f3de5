/* top, split: its state, which keys change (top_state.c, pure), what is painted (top_paint.c), and the loop
 * around them (top.c). */
#ifndef SLUICE_CTL_TOP_H
#define SLUICE_CTL_TOP_H

#include "ctl/table.h"
#include "ctl/watch.h"

#define TOP_INPUT_MAX  128
#define TOP_HEAD_LINES 4 /* above the rows, the titles included */
#define TOP_FASTEST_MS 250
#define TOP_SLOWEST_MS 16000

enum top_mode { TOP_ROWS, TOP_FILTER, TOP_HELP };

struct top {
	struct order order;
	struct filters filters;
	char filter_text[TOP_INPUT_MAX];  /* as typed */
	char filter_words[TOP_INPUT_MAX]; /* cut into the expressions that `filters` points into */
	char input[TOP_INPUT_MAX];	  /* being typed */
	char message[256];		  /* for the operator, until the next key */
	enum top_mode mode;
	bool paused;
	unsigned interval_ms;
	size_t first;		       /* row at the top */
	int widths[TABLE_MAX_COLUMNS]; /* of the columns so far, so that they do not dance */
};

enum top_todo { TOP_PAINT, TOP_ARRANGE, TOP_LOOK, TOP_QUIT };

/* Keys that curses gives no character for. */
enum top_key {
	TOP_KEY_UP = 1000,
	TOP_KEY_DOWN,
	TOP_KEY_PAGE_UP,
	TOP_KEY_PAGE_DOWN,
	TOP_KEY_HOME,
	TOP_KEY_END,
	TOP_KEY_BACK
};

struct top_key_help {
	const char *keys, *what;
};
extern const struct top_key_help top_help[]; /* up to NULL */
extern const char *const top_columns[];	     /* what is shown, up to NULL */

void top_init(struct top *t);
/* Chooses by these expressions, space-separated. False: `message` says what is wrong, and nothing has
 * changed. */
bool top_choose(struct top *t, const char *expressions);
/* A key was pressed while `rows` streams are chosen and `page` of them fit the screen. */
enum top_todo top_on_key(struct top *t, int key, size_t rows, size_t page);
/* Keeps the first row where there is one. */
void top_scroll_fit(struct top *t, size_t rows, size_t page);

/* Paints all of it with curses. `view` NULL: nobody is there, `message` says what is waited for. */
void top_paint(struct top *t, const struct watch *w, const struct view *view, const char *instance);
void top_paint_init(void);
/* How many rows fit. */
size_t top_page(void);

#endif
