/* A table for eyes: collects cells, then prints them as wide as they are, or as the terminal is. Text columns
 * shrink first, then columns of little weight go. */
#ifndef SLUICE_CTL_TABLE_H
#define SLUICE_CTL_TABLE_H

#include "base/buf.h"
#include "ctl/term.h"

#define TABLE_MAX_COLUMNS 48

struct table_column {
	const char *title;
	bool right;  /* numbers */
	int least;   /* columns below which it does not shrink; 0: never shrinks */
	int weight;  /* when there is no room, the lightest goes first; 0: never goes */
	int width;   /* of its widest cell so far */
	int printed; /* what it gets; 0: left out */
};

struct table {
	struct table_column columns[TABLE_MAX_COLUMNS];
	size_t ncolumns;
	struct buf text;  /* the cells, row by row, each NUL-terminated */
	struct buf moods; /* a byte per cell */
	size_t cells;
	bool failed; /* memory ran out */
};

void table_column(struct table *t, const char *title, bool right, int least, int weight);
/* The next cell, in rows of ncolumns; control characters are shown as '?'. Copied. */
void table_cell(struct table *t, enum mood mood, const char *text);
/* How wide text is on a screen: characters, not bytes. */
int table_width(const char *text);
/* Fills `printed` for a screen of `width` columns; 0: no limit. */
void table_fit(struct table *t, int width);
/* Where a table is written: pieces of text, each of one mood, and line ends. */
struct table_out {
	void (*text)(void *arg, enum mood mood, const char *text, int bytes);
	void (*line_end)(void *arg);
	void *arg;
};
/* Writes title and rows; table_fit() came before. */
void table_write(const struct table *t, const struct table_out *out);
/* Fits and prints to a stream. 0 or -ENOMEM. */
must_check int table_print(struct table *t, const struct term *term, FILE *to);
void table_done(struct table *t);

#endif
