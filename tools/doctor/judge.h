/* From observations to findings: what is wrong with a stream, where, by which evidence. Pure: no I/O, no
 * clock. */
#ifndef SLUICE_DOCTOR_JUDGE_H
#define SLUICE_DOCTOR_JUDGE_H

#include "doctor/hops.h"
#include "doctor/observe.h"

enum weight { WEIGHT_PROBLEM, WEIGHT_WARNING, WEIGHT_ADVICE, WEIGHT_COUNT };

enum finding_id {
#define FINDING(id, word, weight, title, fix) FINDING_##id,
#include "doctor/findings.def"
#undef FINDING
	FINDING_COUNT
};

/* Whose fault it is, as far as the looks tell. */
enum where {
	WHERE_UNKNOWN, /* nobody looked at the origin */
	WHERE_CHAIN,   /* the origin does not have it */
	WHERE_ORIGIN,  /* the origin has it too */
};

struct finding {
	enum finding_id id;
	enum where where;
	char evidence[256]; /* what was measured */
	char cause[512];    /* what makes such a thing */
};

struct finding_kind {
	const char *word, *title;
	enum weight weight;
	enum fix_kind fix;
};

extern const struct finding_kind finding_kinds[FINDING_COUNT];

/* What was looked at. `chain` is always there; the second looks exist when the first ended by itself, the
 * third when those two ended in different ways; the
 * direct ones when the operator named the origin. */
struct looks {
	const struct observation *chain, *chain_again, *chain_third, *direct, *direct_again, *direct_third;
	uint64_t looked_ms;	    /* how long a look may take */
	const char *request_origin; /* the Origin field that was sent; NULL: none */
};

struct verdict {
	struct finding findings[FINDING_COUNT]; /* the gravest first, each kind at most once */
	size_t nfindings;
	struct hop_seen hops[HOP_COUNT]; /* of the chain */
	size_t nhops;
	bool healthy;	/* nothing above advice */
	bool origin_ok; /* the origin was looked at, and has nothing above advice */
};

void judge(const struct looks *l, struct verdict *ret);
/* Both ended in a way that wants an explanation, and the two ends have nothing in common: a third look helps.
 */
bool judge_disagree(const struct observation *a, const struct observation *b);

/* ---- between the judge's files */

/* The findings of one side, chain or origin. */
struct side {
	const struct observation *first, *again, *third; /* all but `first` may be NULL */
	const struct looks *looks;
	struct finding found[FINDING_COUNT];
	bool has[FINDING_COUNT];
};

/* The finding to write into, marked as found. */
struct finding *side_find(struct side *s, enum finding_id id);
void finding_evidence(struct finding *f, const char *fmt, ...) printf_like(2, 3);
void finding_cause(struct finding *f, const char *fmt, ...) printf_like(2, 3);

void judge_head(struct side *s);
void judge_batches(struct side *s);
void judge_end(struct side *s);

#endif
