/* `sluicectl doctor`: opens a stream through a chain of proxies and says what is wrong, where, and what to
 * write to mend it. Needs no running sluice. */
#ifndef SLUICE_DOCTOR_DOCTOR_H
#define SLUICE_DOCTOR_DOCTOR_H

#include "doctor/judge.h"
#include "doctor/look.h"
#include <jansson.h>
#include <stdio.h>

#define DOCTOR_SECONDS 30

struct doctor_options {
	const char *url;
	const char *direct;	    /* the origin without the chain; NULL: not looked at */
	const char *const *headers; /* NULL-ended; NULL: none */
	uint64_t ms;
	bool insecure, json, colour;
	unsigned width; /* of the terminal; 0: unknown */
};

/* Looks, judges, and reports to stdout. 0: healthy, 1: findings, 2: it could not look (said on stderr). */
int doctor_run(const struct doctor_options *o);

/* ---- reports */

void report_text(FILE *to, const struct doctor_options *o, const struct looks *l, const struct verdict *v);
/* A new reference; NULL without memory. */
json_t *report_json(const struct doctor_options *o, const struct looks *l, const struct verdict *v);
/* The timelines of all looks, drawn over the same seconds, `width` columns wide. */
void picture_draw(FILE *to, const struct looks *l, unsigned width, bool utf8);

#endif
