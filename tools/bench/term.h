/* Text for eyes: numbers with units, colours where the terminal wants them, a progress line. Owned by the
 * command that runs; progress goes to stderr, so that stdout can be piped. */
#ifndef SLUICE_BENCH_TERM_H
#define SLUICE_BENCH_TERM_H

#include "base/util.h"
#include <stdio.h>

enum term_style { TERM_PLAIN, TERM_BOLD, TERM_DIM, TERM_GREEN, TERM_YELLOW, TERM_RED, TERM_CYAN };

#define TERM_NUMBER_MAX 32

/* "" where colours are not wanted: no terminal, TERM=dumb or NO_COLOR. */
const char *term_style(FILE *to, enum term_style style);
/* Columns of the terminal behind `to`; 100 when it is none. */
unsigned term_width(FILE *to);

/* "1,234,567". Each returns `out`, of TERM_NUMBER_MAX bytes. */
const char *term_count(uint64_t v, char *out);
/* "38.2 us", "4.07 ms", "1.20 s": three digits. */
const char *term_ns(uint64_t ns, char *out);

/* Shows one line that replaces the one before. `share` (0..1) draws a bar; < 0: none. Nothing when stderr is
 * no terminal. */
void term_progress(double share, const char *fmt, ...) printf_like(2, 3);
/* Wipes it. */
void term_progress_done(void);

#endif
