/* The two exposition formats, into one buffer: OpenMetrics 1.0 and Prometheus text 0.0.4. Pure. A family is
 * begun once, its samples follow; text_end() says whether all of it fitted into memory. */
#ifndef SLUICE_EXPORTER_TEXT_H
#define SLUICE_EXPORTER_TEXT_H

#include "base/buf.h"
#include "base/util.h"
#include "observe/histogram.h"

enum text_format { TEXT_PROMETHEUS, TEXT_OPENMETRICS };
enum text_type { TEXT_COUNTER, TEXT_GAUGE, TEXT_HISTOGRAM, TEXT_INFO };

struct text {
	struct buf out;
	enum text_format format;
	int err; /* the first that happened: later calls do nothing */
};

const char *text_content_type(enum text_format f);
/* What the client asks for (RFC 9110 12.5.1): OpenMetrics when it is named and not liked less than
 * text/plain. `accept` may be NULL. */
enum text_format text_negotiate(const char *accept);

/* `name` with _total and _info, as samples carry it. */
void text_family(struct text *t, const char *name, enum text_type type, const char *help);

struct text_label {
	const char *name, *value; /* any bytes: what is no printable UTF-8 is written as \xHH */
};
void text_sample(struct text *t, const char *name, const struct text_label *labels, size_t n, double value);
/* The same with labels as they stand between the braces; "": none. Counters keep all their digits. */
void text_count(struct text *t, const char *name, const char *labels, uint64_t value);
/* The buckets, sum and count of one histogram. */
void text_histogram(
	struct text *t, const char *name, const struct sluice_histogram *h, const struct histogram_bounds *b);

/* The end of the page. 0 or -ENOMEM. */
must_check int text_end(struct text *t);

/* Appends a label's value, escaped, without the quotes. */
void text_escape(struct text *t, const char *value);

#endif
