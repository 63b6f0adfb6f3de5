/* What can be shown, sorted and filtered of a stream: one list for `streams` and `top`. */
#ifndef SLUICE_CTL_COLUMN_H
#define SLUICE_CTL_COLUMN_H

#include "ctl/row.h"
#include "ctl/term.h"

enum column_kind {
	COLUMN_TEXT,
	COLUMN_ADDRESS, /* text; without its port it is equal too */
	COLUMN_NUMBER,
	COLUMN_BYTES,
	COLUMN_AGE,    /* ms */
	COLUMN_RATE,   /* bytes a second */
	COLUMN_PACE,   /* events in 1000 seconds */
	COLUMN_MICROS, /* us */
};

#define COLUMN_TEXT_MAX 192

struct column {
	const char *name; /* for --columns, --sort and filters */
	const char *title;
	const char *about;
	enum column_kind kind;
	int least, weight; /* ctl/table.h */
	/* one of them; a number may be ROW_NEVER */
	uint64_t (*number)(const struct row *r);
	void (*text)(const struct row *r, char out[COLUMN_TEXT_MAX]);
};

extern const struct column columns[];
extern const size_t ncolumns;

/* All of them, one a line, for help. */
void columns_say(FILE *to);
/* NULL: there is none. */
const struct column *column_find(const char *name, size_t n);
/* The cell as a table shows it. Returns `out`. */
const char *column_format(const struct column *col, const struct row *r, char out[COLUMN_TEXT_MAX]);
enum mood column_mood(const struct column *col, const struct row *r);
/* Does it need two looks at the streams? */
bool column_is_rate(const struct column *col);

#endif
