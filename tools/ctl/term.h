/* What stdout is: a terminal with a width and colours, or neither. */
#ifndef SLUICE_CTL_TERM_H
#define SLUICE_CTL_TERM_H

#include <stdbool.h>
#include <stdio.h>

/* How something stands, not which colour it has. */
enum mood { MOOD_PLAIN, MOOD_TITLE, MOOD_GOOD, MOOD_WARN, MOOD_BAD, MOOD_FAINT, MOOD_COUNT };

struct term {
	bool tty;
	bool colour; /* a terminal that knows colours, and NO_COLOR is not set (no-color.org) */
	int width;   /* columns; 0: as wide as it takes */
};

/* COLUMNS goes before what the terminal says. */
void term_init(struct term *t, FILE *to);
/* The sequences around text of this mood, "" without colours. */
const char *term_on(const struct term *t, enum mood mood);
const char *term_off(const struct term *t, enum mood mood);

#endif
