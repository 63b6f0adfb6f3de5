/* Linear least squares with a few unknowns: y = c[0]*x[0] + c[1]*x[1] + …, each row with a weight. Pure. */
#ifndef SLUICE_BENCH_FIT_H
#define SLUICE_BENCH_FIT_H

#include "base/util.h"

#define FIT_TERMS_MAX 3

struct fit_row {
	double x[FIT_TERMS_MAX];
	double y;
	double weight; /* 1 over the variance that this y is thought to have; > 0 */
};

struct fit {
	double c[FIT_TERMS_MAX];
	double error[FIT_TERMS_MAX]; /* standard error of each, from how far the rows lie off */
	double off;   /* root mean square of (y - fitted)/y: a share; over the rows whose y is at least twice
			 what its weight   says it is uncertain by */
	double worst; /* the greatest of those shares, without its sign */
	double left;  /* weighted sum of squares that the fit leaves */
	size_t rows;
};

/* Needs more rows than terms: -EINVAL. -EDOM when the rows do not tell the terms apart. */
must_check int fit_rows(const struct fit_row *rows, size_t count, size_t terms, struct fit *ret);
/* The fitted y. */
double fit_at(const struct fit *f, const double *x, size_t terms);

#endif
