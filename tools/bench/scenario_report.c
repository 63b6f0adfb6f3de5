#include "scenario.h"
#include "term.h"

#define NAME_WIDTH 16
#define CELL_WIDTH 12

static bool value_of(const struct compare *cmp, const struct contest *c, const struct scenario_column *column,
	struct spread *ret)
{
	const struct contest *none = compare_find(cmp, "none");

	if (column->above)
		return c != none && compare_above(c, none, column->metric, ret);
	return compare_measured(c, column->metric, ret);
}

static int digits(double v)
{
	double size = v < 0 ? -v : v;

	return size < 10 ? 2 : size < 1000 ? 1 : 0;
}

/* Medians, and from least to most below them; "-" for what was not measured. */
static void print_rows(FILE *to, const struct compare *cmp, const struct contest *c)
{
	const struct scenario *sc = cmp->scenario;
	struct spread s;
	char text[48];

	fprintf(to, "%-*s", NAME_WIDTH, c->peer->name);
	for (size_t i = 0; i < sc->column_count; i++)
		if (value_of(cmp, c, &sc->columns[i], &s))
			fprintf(to, " %*.*f", CELL_WIDTH, digits(s.median), s.median);
		else
			fprintf(to, " %*s", CELL_WIDTH, "-");
	fprintf(to, "\n%s%-*s", term_style(to, TERM_DIM), NAME_WIDTH, "");
	for (size_t i = 0; i < sc->column_count; i++) {
		if (value_of(cmp, c, &sc->columns[i], &s))
			snprintf(text, sizeof(text), "%.*f-%.*f", digits(s.min), s.min, digits(s.max), s.max);
		else
			text[0] = 0;
		fprintf(to, " %*s", CELL_WIDTH, text);
	}
	fprintf(to, "%s\n", term_style(to, TERM_PLAIN));
}

static void print_titles(FILE *to, const struct compare *cmp, const char *what)
{
	fprintf(to, "\n%s%-*s", term_style(to, TERM_BOLD), NAME_WIDTH, what);
	for (size_t i = 0; i < cmp->scenario->column_count; i++)
		fprintf(to, " %*s", CELL_WIDTH, cmp->scenario->columns[i].title);
	fprintf(to, "%s\n", term_style(to, TERM_PLAIN));
}

static void print_ratios(FILE *to, const struct compare *cmp)
{
	const struct contest *by = compare_find(cmp, COMPARE_REFERENCE);
	const struct scenario *sc = cmp->scenario;

	if (!by)
		return;
	print_titles(to, cmp, "of " COMPARE_REFERENCE "'s");
	for (size_t i = 0; i < cmp->count; i++) {
		const struct contest *c = &cmp->contests[i];

		if (c == by || !c->count || !c->peer->argv[0])
			continue;
		fprintf(to, "%-*s", NAME_WIDTH, c->peer->name);
		for (size_t k = 0; k < sc->column_count; k++) {
			struct spread s;

			if (!sc->columns[k].above && compare_ratio(c, by, sc->columns[k].metric, &s))
				fprintf(to, " %*.3f", CELL_WIDTH, s.median);
			else
				fprintf(to, " %*s", CELL_WIDTH, "-");
		}
		fputc('\n', to);
	}
}

void scenario_print(FILE *to, const struct compare *cmp)
{
	fprintf(to, "%s: %s\n", cmp->scenario->name, cmp->scenario->about);
	print_titles(to, cmp, cmp->scenario->name);
	for (size_t i = 0; i < cmp->count; i++)
		if (cmp->contests[i].count)
			print_rows(to, cmp, &cmp->contests[i]);
	print_ratios(to, cmp);
}
