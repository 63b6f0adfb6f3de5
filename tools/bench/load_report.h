/* What a load found, for eyes and for programs. Pure, but for writing to the file given. */
#ifndef SLUICE_BENCH_LOAD_REPORT_H
#define SLUICE_BENCH_LOAD_REPORT_H

#include "load_job.h"
#include <jansson.h>
#include <stdio.h>

/* Every stream opened and stayed, events came, none was lost, repeated or damaged. */
bool load_result_good(const struct load_result *r);
void load_report_table(FILE *to, const struct load_result *r, const char *url, double seconds);
void load_report_json(FILE *to, const struct load_result *r, double seconds);
/* A new reference, or NULL without memory. */
json_t *load_result_to_json(const struct load_result *r, double seconds);

#endif
