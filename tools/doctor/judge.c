#include "doctor/judge.h"
#include <stdarg.h>
#include <stdio.h>

const struct finding_kind finding_kinds[FINDING_COUNT] = {
#define FINDING(id, word_, weight_, title_, fix_)                                                            \
	[FINDING_##id] = {.word = word_, .title = title_, .weight = WEIGHT_##weight_, .fix = FIX_##fix_},
#include "doctor/findings.def"
#undef FINDING
};

struct finding *side_find(struct side *s, enum finding_id id)
{
	s->has[id] = true;
	s->found[id] = (struct finding){.id = id};
	return &s->found[id];
}

void finding_evidence(struct finding *f, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(f->evidence, sizeof(f->evidence), fmt, ap);
	va_end(ap);
}

void finding_cause(struct finding *f, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(f->cause, sizeof(f->cause), fmt, ap);
	va_end(ap);
}

static void judge_side(struct side *s)
{
	judge_head(s);
	judge_batches(s);
	judge_end(s);
}

/* The same thing under another name counts as the same: an origin that is cut after silence is cut. */
static bool origin_has(const struct side *origin, enum finding_id id)
{
	static const enum finding_id ends[] = {
		FINDING_DROP_SILENCE, FINDING_DROP_AGE, FINDING_CUT, FINDING_MID_EVENT};

	for (size_t i = 0; i < ARRAY_LEN(ends); i++)
		if (ends[i] == id)
			return origin->has[FINDING_DROP_SILENCE] || origin->has[FINDING_DROP_AGE] ||
			       origin->has[FINDING_CUT] || origin->has[FINDING_MID_EVENT];
	return origin->has[id];
}

static void place(struct side *chain, const struct side *origin)
{
	for (int id = 0; id < FINDING_COUNT; id++)
		if (chain->has[id])
			chain->found[id].where =
				!origin ? WHERE_UNKNOWN
					: (origin_has(origin, (enum finding_id)id) ? WHERE_ORIGIN
										   : WHERE_CHAIN);
}

static bool has_above_advice(const struct side *s)
{
	for (int id = 0; id < FINDING_COUNT; id++)
		if (s->has[id] && finding_kinds[id].weight != WEIGHT_ADVICE)
			return true;
	return false;
}

/* findings.def is in order of weight already. */
static void collect(const struct side *s, struct verdict *ret)
{
	for (int id = 0; id < FINDING_COUNT; id++)
		if (s->has[id])
			ret->findings[ret->nfindings++] = s->found[id];
}

void judge(const struct looks *l, struct verdict *ret)
{
	struct side chain = {.first = l->chain, .again = l->chain_again, .third = l->chain_third, .looks = l};
	struct side origin = {
		.first = l->direct, .again = l->direct_again, .third = l->direct_third, .looks = l};

	*ret = (struct verdict){0};
	judge_side(&chain);
	if (l->direct)
		judge_side(&origin);
	place(&chain, l->direct ? &origin : NULL);
	collect(&chain, ret);
	ret->nhops = hops_see(l->chain, ret->hops);
	ret->healthy = !has_above_advice(&chain);
	ret->origin_ok = l->direct && !has_above_advice(&origin);
}
