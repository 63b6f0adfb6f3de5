#include "load_report.h"
#include "term.h"

static const struct {
	const char *name;
	double q;
} quantiles[] = {{"p50", 0.5}, {"p90", 0.9}, {"p99", 0.99}, {"p99.9", 0.999}, {"max", 1}};

bool load_result_good(const struct load_result *r)
{
	return r->opened && r->latency.count && !r->failed && !r->ended && !r->silent && !r->lost &&
	       !r->repeated && !r->damaged;
}

static double open_seconds(const struct load_result *r)
{
	return r->open_last_ns > r->open_first_ns ? (double)(r->open_last_ns - r->open_first_ns) / 1e9 : 0;
}

static void print_hist(FILE *to, const char *name, const struct hist *h)
{
	char text[TERM_NUMBER_MAX];

	fprintf(to, "  %-9s", name);
	for (size_t i = 0; i < ARRAY_LEN(quantiles); i++)
		fprintf(to, " %10s", h->count ? term_ns(hist_quantile(h, quantiles[i].q), text) : "-");
	fputc('\n', to);
}

void load_report_table(FILE *to, const struct load_result *r, const char *url, double seconds)
{
	char a[TERM_NUMBER_MAX], b[TERM_NUMBER_MAX], c[TERM_NUMBER_MAX];
	double opening = open_seconds(r);
	const char *style = term_style(to, load_result_good(r) ? TERM_GREEN : TERM_RED);

	fprintf(to, "%s%s%s, measured for %g s\n\n", term_style(to, TERM_BOLD), url,
		term_style(to, TERM_PLAIN), seconds);
	fprintf(to, "  streams   %s opened in %.2f s (%s a second), %s failed", term_count(r->opened, a),
		opening, term_count(opening > 0 ? (uint64_t)((double)r->opened / opening) : r->opened, b),
		term_count(r->failed, c));
	fprintf(to, " on %s connections, %s ended early, %s silent\n", term_count(r->connect.count, c),
		term_count(r->ended, a), term_count(r->silent, b));
	fprintf(to, "  events    %s (%s a second, %.2f MB/s of payload)\n", term_count(r->events, a),
		term_count((uint64_t)((double)r->events / seconds), b), (double)r->bytes / seconds / 1e6);
	fprintf(to, "  %sjudged    %s lost, %s repeated or out of order, ", style, term_count(r->lost, a),
		term_count(r->repeated, b));
	fprintf(to, "%s damaged%s; %s comments\n", term_count(r->damaged, a), term_style(to, TERM_PLAIN),
		term_count(r->comments, b));
	if (r->why[0])
		fprintf(to, "  first     %s\n", r->why);
	fprintf(to, "\n  %-9s", "");
	for (size_t i = 0; i < ARRAY_LEN(quantiles); i++)
		fprintf(to, " %10s", quantiles[i].name);
	fputc('\n', to);
	print_hist(to, "latency", &r->latency);
	print_hist(to, "head", &r->head);
	print_hist(to, "connect", &r->connect);
}

static json_t *hist_to_json(const struct hist *h)
{
	json_t *o = json_object();

	for (size_t i = 0; i < ARRAY_LEN(quantiles); i++)
		json_object_set_new(
			o, quantiles[i].name, json_integer((json_int_t)hist_quantile(h, quantiles[i].q)));
	json_object_set_new(o, "count", json_integer((json_int_t)h->count));
	return o;
}

json_t *load_result_to_json(const struct load_result *r, double seconds)
{
	return json_pack("{s:I, s:I, s:I, s:I, s:f, s:I, s:f, s:I, s:I, s:I, s:I, s:I, s:s, s:o, s:o, s:o}",
		"opened", (json_int_t)r->opened, "failed", (json_int_t)r->failed, "ended_early",
		(json_int_t)r->ended, "silent", (json_int_t)r->silent, "opening_s", open_seconds(r), "events",
		(json_int_t)r->events, "events_per_s", (double)r->events / seconds, "payload_bytes",
		(json_int_t)r->bytes, "lost", (json_int_t)r->lost, "repeated", (json_int_t)r->repeated,
		"damaged", (json_int_t)r->damaged, "comments", (json_int_t)r->comments, "first_failure",
		r->why, "latency_ns", hist_to_json(&r->latency), "head_ns", hist_to_json(&r->head),
		"connect_ns", hist_to_json(&r->connect));
}

void load_report_json(FILE *to, const struct load_result *r, double seconds)
{
	json_t *o = load_result_to_json(r, seconds);

	if (o)
		json_dumpf(o, to, JSON_INDENT(2) | JSON_REAL_PRECISION(6));
	fputc('\n', to);
	json_decref(o);
}
