/* Cells of tables, and fields of JSON objects that the daemon sent. */
#ifndef SLUICE_CTL_CELLS_H
#define SLUICE_CTL_CELLS_H

#include "ctl/ctl.h"
#include "ctl/table.h"

void cell_count(struct table *t, enum mood mood, uint64_t n);
void cell_bytes(struct table *t, enum mood mood, uint64_t n);
/* "-" for 0 */
void cell_age(struct table *t, enum mood mood, uint64_t ms);
/* The columns are titled by `titles`, up to a NULL: the first `texts` are text that may shrink, the others
 * numbers. */
void cells_head(struct table *t, const char *const *titles, size_t texts);
/* Prints and frees the table; the exit status. */
int cells_print(struct table *t, const struct ctl *c);

/* 0 and "" for what is not there. */
long long json_number(const json_t *o, const char *key);
const char *json_text(const json_t *o, const char *key);

#endif
