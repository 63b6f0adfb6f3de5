#include "fit.h"
#include <math.h>

#define SINGULAR 1e-12 /* a pivot so small beside the diagonal it came from carries no information */

/* A y below so many of its standard deviations is near nothing: a share of it says nothing. */
#define CERTAIN 2

/* Gauss-Jordan on [a | identity]: a becomes its own inverse. -EDOM when it has none. The matrix is symmetric
 * and positive, so its pivots may be taken in order. */
static int invert(double a[FIT_TERMS_MAX][FIT_TERMS_MAX], size_t n)
{
	double inv[FIT_TERMS_MAX][FIT_TERMS_MAX] = {{0}}, scale[FIT_TERMS_MAX];

	for (size_t i = 0; i < n; i++) {
		inv[i][i] = 1;
		scale[i] = a[i][i];
	}
	for (size_t k = 0; k < n; k++) {
		double pivot = a[k][k];

		if (!(pivot > scale[k] * SINGULAR))
			return -EDOM;
		for (size_t j = 0; j < n; j++) {
			a[k][j] /= pivot;
			inv[k][j] /= pivot;
		}
		for (size_t i = 0; i < n; i++) {
			double factor = a[i][k];

			for (size_t j = 0; i != k && j < n; j++) {
				a[i][j] -= factor * a[k][j];
				inv[i][j] -= factor * inv[k][j];
			}
		}
	}
	memcpy(a, inv, sizeof(inv));
	return 0;
}

double fit_at(const struct fit *f, const double *x, size_t terms)
{
	double y = 0;

	for (size_t i = 0; i < terms; i++)
		y += f->c[i] * x[i];
	return y;
}

/* How far the rows lie off: fills f's shares, returns the weighted sum of squares. */
static double judge(const struct fit_row *rows, size_t count, size_t terms, struct fit *f)
{
	double sum = 0, shares = 0;
	size_t n = 0;

	for (size_t r = 0; r < count; r++) {
		double off = rows[r].y - fit_at(f, rows[r].x, terms), share;

		sum += rows[r].weight * off * off;
		if (fabs(rows[r].y) * sqrt(rows[r].weight) < CERTAIN)
			continue;
		share = fabs(off / rows[r].y);
		shares += share * share;
		f->worst = MAX(f->worst, share);
		n++;
	}
	f->off = n ? sqrt(shares / (double)n) : 0;
	return sum;
}

int fit_rows(const struct fit_row *rows, size_t count, size_t terms, struct fit *ret)
{
	double m[FIT_TERMS_MAX][FIT_TERMS_MAX] = {{0}}, v[FIT_TERMS_MAX] = {0}, variance;
	struct fit f = {.rows = count};
	int err;

	if (!terms || terms > FIT_TERMS_MAX || count <= terms)
		return -EINVAL;
	for (size_t r = 0; r < count; r++)
		for (size_t i = 0; i < terms; i++) {
			v[i] += rows[r].weight * rows[r].x[i] * rows[r].y;
			for (size_t j = 0; j < terms; j++)
				m[i][j] += rows[r].weight * rows[r].x[i] * rows[r].x[j];
		}
	err = invert(m, terms);
	if (err)
		return err;
	for (size_t i = 0; i < terms; i++)
		for (size_t j = 0; j < terms; j++)
			f.c[i] += m[i][j] * v[j];
	f.left = judge(rows, count, terms, &f);
	variance = f.left / (double)(count - terms);
	for (size_t i = 0; i < terms; i++)
		f.error[i] = sqrt(variance * m[i][i]);
	*ret = f;
	return 0;
}
