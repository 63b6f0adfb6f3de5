#include "compare.h"
#include "machine.h"
#include "scenario.h"
#include "term.h"

#define NAME_WIDTH 16
#define CELL_WIDTH 12

#define RATE_SHARE 0.99 /* of the events asked for; below it a reader should know */

struct column {
	const char *title;
	enum metric metric;
};

static const struct column cpu_columns[] = {{"contender", METRIC_CONTENDER}, {"origin", METRIC_ORIGIN},
	{"load", METRIC_LOAD}, {"kworker", METRIC_KWORKER}, {"kernel", METRIC_KERNEL},
	{"machine", METRIC_MACHINE}};
static const struct column latency_columns[] = {{"p50", METRIC_P50}, {"p90", METRIC_P90}, {"p99", METRIC_P99},
	{"p99.9", METRIC_P999}, {"max", METRIC_MAX}, {"head p50", METRIC_HEAD_P50}};
static const struct column pause_columns[] = {{"p50", METRIC_PAUSE_P50}, {"p90", METRIC_PAUSE_P90},
	{"p99", METRIC_PAUSE_P99}, {"max", METRIC_PAUSE_MAX}, {"events/s", METRIC_PAUSE_RATE}};
static const struct column ratio_columns[] = {{"CPU", METRIC_CONTENDER}, {"machine", METRIC_MACHINE},
	{"p50", METRIC_P50}, {"p90", METRIC_P90}, {"p99", METRIC_P99}, {"p99.9", METRIC_P999}};

static int digits(double v)
{
	double size = v < 0 ? -v : v;

	return size < 10 ? 2 : size < 1000 ? 1 : 0;
}

static void print_value(FILE *to, double v)
{
	fprintf(to, " %*.*f", CELL_WIDTH, digits(v), v);
}

static void print_range(FILE *to, struct spread s)
{
	char text[48];

	snprintf(text, sizeof(text), "%.*f-%.*f", digits(s.min), s.min, digits(s.max), s.max);
	fprintf(to, " %*s", CELL_WIDTH, text);
}

static void print_titles(FILE *to, const char *what, const struct column *columns, size_t n, const char *last)
{
	fprintf(to, "\n%s%-*s", term_style(to, TERM_BOLD), NAME_WIDTH, what);
	for (size_t i = 0; i < n; i++)
		fprintf(to, " %*s", CELL_WIDTH, columns[i].title);
	if (last)
		fprintf(to, " %*s", CELL_WIDTH, last);
	fprintf(to, "%s\n", term_style(to, TERM_PLAIN));
}

/* Two lines: medians, and from least to most below them. */
static void print_rows(
	FILE *to, const struct contest *c, const struct column *columns, size_t n, const struct spread *last)
{
	fprintf(to, "%-*s", NAME_WIDTH, c->peer->name);
	for (size_t i = 0; i < n; i++)
		print_value(to, compare_spread(c, columns[i].metric).median);
	if (last)
		print_value(to, last->median);
	fprintf(to, "\n%s%-*s", term_style(to, TERM_DIM), NAME_WIDTH, "");
	for (size_t i = 0; i < n; i++)
		print_range(to, compare_spread(c, columns[i].metric));
	if (last)
		print_range(to, *last);
	fprintf(to, "%s\n", term_style(to, TERM_PLAIN));
}

static void print_cpu(FILE *to, const struct compare *cmp)
{
	const struct contest *none = compare_find(cmp, "none");

	print_titles(to, "CPU, us/event", cpu_columns, ARRAY_LEN(cpu_columns), none ? "above none" : NULL);
	for (size_t i = 0; i < cmp->count; i++) {
		struct spread above;
		bool has = compare_above(&cmp->contests[i], none, METRIC_MACHINE, &above);

		if (cmp->contests[i].count)
			print_rows(to, &cmp->contests[i], cpu_columns, ARRAY_LEN(cpu_columns),
				has ? &above : NULL);
	}
}

static void print_latency(FILE *to, const struct compare *cmp)
{
	print_titles(to, "latency, us", latency_columns, ARRAY_LEN(latency_columns), "events/s");
	for (size_t i = 0; i < cmp->count; i++) {
		struct spread rate = compare_spread(&cmp->contests[i], METRIC_RATE);

		if (cmp->contests[i].count)
			print_rows(to, &cmp->contests[i], latency_columns, ARRAY_LEN(latency_columns), &rate);
	}
}

/* While the contender's processes stand still. `none` has none, and shows what the two ends do by themselves.
 */
static void print_pause(FILE *to, const struct compare *cmp)
{
	char title[32];

	if (cmp->pause <= 0)
		return;
	snprintf(title, sizeof(title), "%g s stopped, ms", cmp->pause);
	print_titles(to, title, pause_columns, ARRAY_LEN(pause_columns), NULL);
	for (size_t i = 0; i < cmp->count; i++)
		if (cmp->contests[i].count)
			print_rows(to, &cmp->contests[i], pause_columns, ARRAY_LEN(pause_columns), NULL);
}

static void print_ratios(FILE *to, const struct compare *cmp)
{
	const struct contest *by = compare_find(cmp, COMPARE_REFERENCE);

	if (!by)
		return;
	print_titles(to, "of " COMPARE_REFERENCE "'s", ratio_columns, ARRAY_LEN(ratio_columns), NULL);
	for (size_t i = 0; i < cmp->count; i++) {
		const struct contest *c = &cmp->contests[i];
		struct spread s[ARRAY_LEN(ratio_columns)] = {{0}};

		if (c == by || !c->count || !c->peer->argv[0])
			continue;
		for (size_t k = 0; k < ARRAY_LEN(ratio_columns); k++)
			if (!compare_ratio(c, by, ratio_columns[k].metric, &s[k]))
				s[k] = (struct spread){0};
		fprintf(to, "%-*s", NAME_WIDTH, c->peer->name);
		for (size_t k = 0; k < ARRAY_LEN(s); k++)
			fprintf(to, " %*.3f", CELL_WIDTH, s[k].median);
		fprintf(to, "\n%s%-*s", term_style(to, TERM_DIM), NAME_WIDTH, "");
		for (size_t k = 0; k < ARRAY_LEN(s); k++) {
			char text[48];

			snprintf(text, sizeof(text), "%.2f-%.2f", s[k].min, s[k].max);
			fprintf(to, " %*s", CELL_WIDTH, text);
		}
		fprintf(to, "%s\n", term_style(to, TERM_PLAIN));
	}
}

static void print_verdict(FILE *to, const struct verdict *v)
{
	fprintf(to, "  %-43s %.*f %s, target <= %g: %s%s%s%s\n", v->what, v->value < 10 ? 3 : 0, v->value,
		v->unit, v->limit,
		term_style(to, v->unreliable ? TERM_YELLOW
			       : v->pass     ? TERM_GREEN
					     : TERM_RED),
		v->pass ? "PASS" : "over target", v->unreliable ? ", unreliable: the machine was busy" : "",
		term_style(to, TERM_PLAIN));
}

static void print_targets(FILE *to, const struct compare *cmp)
{
	struct verdict verdicts[COMPARE_VERDICTS_MAX];
	size_t n = compare_judge(cmp, verdicts);

	for (size_t i = 0; i < n; i++) {
		if (i == 0 || strcmp(verdicts[i].of, verdicts[i - 1].of))
			fprintf(to, "\n%s%s%s\n", term_style(to, TERM_BOLD), verdicts[i].of,
				term_style(to, TERM_PLAIN));
		print_verdict(to, &verdicts[i]);
	}
}

static void warn(FILE *to, const char *who, const char *what)
{
	fprintf(to, "%s!%s %s: %s\n", term_style(to, TERM_YELLOW), term_style(to, TERM_PLAIN), who, what);
}

/* What would make these figures worth less. */
static void print_warnings(FILE *to, const struct compare *cmp)
{
	double asked = (double)cmp->streams * cmp->rate;
	char text[160];

	for (size_t i = 0; i < cmp->count; i++) {
		const struct contest *c = &cmp->contests[i];
		const char *name = c->peer->name;
		double rate = compare_spread(c, METRIC_RATE).min;
		double noise = compare_noise_worst(cmp, c);
		double late = compare_spread(c, METRIC_LATE_P99).max;

		if (c->left_out[0])
			warn(to, name, c->left_out);
		if (!c->count)
			continue;
		if (compare_spread(c, METRIC_WRONG).max > 0)
			warn(to, name,
				"streams or events went wrong: its figures are of less work (see the JSON)");
		if (cmp->scenario == &scenario_events && rate < asked * RATE_SHARE) {
			snprintf(text, sizeof(text), "only %.1f %% of the events asked for came through",
				rate / asked * 100);
			warn(to, name, text);
		}
		if (cmp->pause > 0 && compare_spread(c, METRIC_PAUSE_RATE).min < rate * COMPARE_PAUSE_SHARE)
			warn(to, name, "events made while it was stopped never came through");
		if (noise > COMPARE_NOISE_SHARE) {
			snprintf(text, sizeof(text), "unrelated work took up to %.0f %% of a CPU meanwhile",
				noise * 100);
			warn(to, name, text);
		}
		if (late > 1000) {
			snprintf(text, sizeof(text),
				"the origin was late, p99 %.1f ms: it is near its own limit", late / 1000);
			warn(to, name, text);
		}
	}
}

static bool any_runs(const struct compare *cmp)
{
	for (size_t i = 0; i < cmp->count; i++)
		if (cmp->contests[i].count)
			return true;
	return false;
}

void compare_print(FILE *to, const struct compare *cmp)
{
	struct machine m;

	machine_describe(&m);
	fprintf(to, "%llu streams x %g events/s x %llu B, %llu rounds of %g s in turn; %s\n",
		(unsigned long long)cmp->streams, cmp->rate, (unsigned long long)cmp->size,
		(unsigned long long)cmp->rounds, cmp->seconds,
		cmp->pinned ? "the contender on a CPU of its own, origin and load on the other(s)"
			    : "nothing pinned");
	if (cmp->workers > 1)
		fprintf(to, "every contender with %llu workers\n", (unsigned long long)cmp->workers);
	fprintf(to, "%s: %s\n", cmp->topology_name, topology_about(cmp->topology_name));
	fprintf(to, "%s, %d CPUs; %s\n", m.cpu, m.cpus, m.kernel);
	fprintf(to, "clients: %s", cmp->client->about);
	if (cmp->client->http == 2)
		fprintf(to, " (%llu)", (unsigned long long)cmp->per_connection);
	fputc('\n', to);
	for (size_t i = 0; i < cmp->count; i++)
		if (cmp->contests[i].version[0])
			fprintf(to, "%s: %s\n", cmp->contests[i].peer->name, cmp->contests[i].version);
	if (any_runs(cmp)) {
		if (cmp->scenario->column_count) {
			scenario_print(to, cmp);
		} else {
			print_cpu(to, cmp);
			print_latency(to, cmp);
			print_pause(to, cmp);
			print_ratios(to, cmp);
		}
		print_targets(to, cmp);
	}
	print_warnings(to, cmp);
}
