/* The families of include/sluice/counters.def, in its order. */
#include "exporter/page.h"
#include "observe/names.h"
#include "proto/h1.h"

/* The words of the lists; NULL or "": there is no such. */
static const char *const phases[] = {
#define STATE(id, text, ...) text,
#include "stream/states.def"
#undef STATE
};

static const char *const rejects[] = {
#define SLUICE_REJECT(id, text) text,
#include "sluice/rejects.def"
#undef SLUICE_REJECT
};

static const char *const tls_fails[] = {
#define SLUICE_TLS_FAIL(id, text) text,
#include "sluice/tls_fails.def"
#undef SLUICE_TLS_FAIL
};

static const char *const h2_codes[] = {
#define SLUICE_H2_CODE(id, text) text,
#include "sluice/h2_codes.def"
#undef SLUICE_H2_CODE
};

static const char *const h2_ends[] = {
#define SLUICE_H2_END(id, text) text,
#include "sluice/h2_ends.def"
#undef SLUICE_H2_END
};

/* A family begins with its first row. */
static void begin(
	struct text *t, const char **last, const char *family, enum text_type type, const char *help)
{
	if (*last && strcmp(*last, family) == 0)
		return;
	*last = family;
	text_family(t, family, type, help);
}

static void put_list(struct text *t, const char *family, const char *label, const char *const *words,
	size_t n, const __u64 *values)
{
	for (size_t i = 0; i < n; i++)
		text_sample(t, family, &(struct text_label){label, words[i]}, 1, (double)values[i]);
}

static void put_RULES(struct text *t, const char *family, const char *label, const __u64 *values)
{
	for (enum h1_rule r = H1_OK + 1; r < H1_RULE_COUNT; r++)
		text_sample(t, family, &(struct text_label){label, h1_rule_label(r)}, 1, (double)values[r]);
}

static void put_REJECTS(struct text *t, const char *family, const char *label, const __u64 *values)
{
	put_list(t, family, label, rejects, ARRAY_LEN(rejects), values);
}

static void put_TLS_FAILS(struct text *t, const char *family, const char *label, const __u64 *values)
{
	put_list(t, family, label, tls_fails, ARRAY_LEN(tls_fails), values);
}

static void put_H2_CODES(struct text *t, const char *family, const char *label, const __u64 *values)
{
	put_list(t, family, label, h2_codes, ARRAY_LEN(h2_codes), values);
}

static void put_H2_ENDS(struct text *t, const char *family, const char *label, const __u64 *values)
{
	put_list(t, family, label, h2_ends, ARRAY_LEN(h2_ends), values);
}

/* The phases in which a stream can end; the others only lead there (stream/end.c). */
static bool is_phase(size_t phase)
{
	const char *name = phases[phase];

	return strcmp(name, "settle") != 0 && strcmp(name, "reply") != 0 && strcmp(name, "drain") != 0 &&
	       strcmp(name, "end") != 0;
}

/* Every pair that can be, from the start: a series that begins at 1 hides its first increase. */
static void put_ENDS(
	struct text *t, const char *family, const char *label, const __u64 (*values)[SLUICE_MAX_PHASES])
{
	for (unsigned by = SLUICE_BY_NOBODY + 1; by < SLUICE_END_BY_COUNT; by++)
		for (size_t phase = 0; phase < ARRAY_LEN(phases); phase++) {
			struct text_label labels[] = {{label, names_end_by(by)}, {"phase", phases[phase]}};

			if (is_phase(phase) || values[by][phase])
				text_sample(t, family, labels, 2, (double)values[by][phase]);
		}
}

void counts_write(const struct sluice_counters *c, const struct sluice_totals *kernel, struct text *t)
{
	const char *last = NULL;

#define COUNTER(id, family, labels, help)                                                                    \
	begin(t, &last, family, TEXT_COUNTER, help);                                                         \
	text_count(t, family, labels, c->id);
#define GAUGE(id, family, labels, help)                                                                      \
	begin(t, &last, family, TEXT_GAUGE, help);                                                           \
	text_count(t, family, labels, c->id);
#define KERNEL(id, family, labels, help)                                                                     \
	begin(t, &last, family, TEXT_COUNTER, help);                                                         \
	text_count(t, family, labels, kernel->id);
#define LIST(id, words, family, label, help)                                                                 \
	begin(t, &last, family, TEXT_COUNTER, help);                                                         \
	put_##words(t, family, label, c->id);
#define HISTOGRAM(id, bounds, family, help)                                                                  \
	begin(t, &last, family, TEXT_HISTOGRAM, help);                                                       \
	text_histogram(t, family, &c->id, &bounds_of_##id);
#include "sluice/counters.def"
}
