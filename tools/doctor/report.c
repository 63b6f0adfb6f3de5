/* The report for eyes. */
#include "doctor/doctor.h"
#include <langinfo.h>
#include <locale.h>

static const char *const where_words[] = {[WHERE_UNKNOWN] = "",
	[WHERE_CHAIN] = " [in the chain: the origin does not do this]",
	[WHERE_ORIGIN] = " [at the origin: it does this without the chain too]"};

static void say_indented(FILE *to, const char *text)
{
	while (*text) {
		size_t n = strcspn(text, "\n");

		fprintf(to, "        %.*s\n", (int)n, text);
		text += n + (text[n] == '\n');
	}
}

static bool is_seen(const struct verdict *v, enum hop_id id)
{
	for (size_t i = 0; i < v->nhops; i++)
		if (v->hops[i].id == id)
			return true;
	return false;
}

static void say_fix(FILE *to, const char *name, const char *text)
{
	fprintf(to, "      %s:\n", name);
	say_indented(to, text);
}

/* The hops that were recognised first; then those that hide, or all when none was recognised with a part in
 * this. */
static void say_fixes(FILE *to, const struct finding *f, const struct verdict *v)
{
	enum fix_kind kind = finding_kinds[f->id].fix;
	bool known = false;

	if (f->where != WHERE_ORIGIN) {
		for (int id = 0; id < HOP_COUNT; id++)
			if (is_seen(v, (enum hop_id)id) && fix_text(kind, (enum hop_id)id)) {
				say_fix(to, hops[id].name, fix_text(kind, (enum hop_id)id));
				known = true;
			}
		for (int id = 0; id < HOP_COUNT; id++)
			if (!is_seen(v, (enum hop_id)id) && (!known || hops[id].silent) && id != HOP_SLUICE &&
				finding_kinds[f->id].weight != WEIGHT_ADVICE &&
				fix_text(kind, (enum hop_id)id))
				say_fix(to, hops[id].name, fix_text(kind, (enum hop_id)id));
	}
	if (f->where != WHERE_CHAIN && fix_text(kind, HOP_COUNT))
		say_fix(to, "the application", fix_text(kind, HOP_COUNT));
}

/* Of an earlier finding with the same cure; NULL: this is the first. */
static const char *told_with(const struct finding *f, const struct verdict *v)
{
	for (const struct finding *e = v->findings; e < f; e++)
		if (finding_kinds[e->id].fix == finding_kinds[f->id].fix && e->where == f->where)
			return finding_kinds[e->id].word;
	return NULL;
}

static void say_finding(FILE *to, const struct finding *f, const struct verdict *v, bool colour)
{
	static const char *const weights[] = {"PROBLEM", "WARNING", "ADVICE"};
	static const char *const styles[] = {"\033[1;31m", "\033[1;33m", "\033[36m"};
	const struct finding_kind *kind = &finding_kinds[f->id];

	fprintf(to, "\n%s%s%s %s (%s)%s\n", colour ? styles[kind->weight] : "", weights[kind->weight],
		colour ? "\033[0m" : "", kind->title, kind->word, where_words[f->where]);
	fprintf(to, "    seen:  %s\n    cause: %s\n", f->evidence, f->cause);
	if (kind->fix == FIX_NONE)
		return;
	if (told_with(f, v)) {
		fprintf(to, "    fix:   the same as for %s\n", told_with(f, v));
		return;
	}
	fprintf(to, "    fix:\n");
	say_fixes(to, f, v);
}

static void say_look(FILE *to, const char *label, const struct observation *o)
{
	static const char *const ends[] = {
		[OBSERVE_OPEN] = "still open", [OBSERVE_CLEAN] = "ended", [OBSERVE_CUT] = "broken off"};

	fprintf(to, "  %-7s%s", label, o->url);
	if (o->head_ms == OBSERVE_NEVER)
		fprintf(to, ": no head");
	else
		fprintf(to, ": HTTP/%d%s %d, head after %lld ms", o->http / 10,
			o->http == 11	? ".1"
			: o->http == 10 ? ".0"
					: "",
			o->status, (long long)(o->head_ms - o->sent_ms));
	if (o->event_ms != OBSERVE_NEVER)
		fprintf(to, ", first event after %lld ms", (long long)(o->event_ms - o->sent_ms));
	fprintf(to, "; %llu events, %llu comments, %llu bytes; %s after %.1f s\n",
		(unsigned long long)o->events, (unsigned long long)o->comments, (unsigned long long)o->bytes,
		ends[o->end], (double)o->end_ms / 1000);
}

static void say_hops(FILE *to, const struct verdict *v)
{
	if (!v->nhops)
		fprintf(to,
			"  hops   none shows itself in the head (HAProxy and plain load balancers do not)\n");
	for (size_t i = 0; i < v->nhops; i++)
		fprintf(to, "  %-7s%s (%s)\n", i ? "" : "hops", hops[v->hops[i].id].name,
			v->hops[i].evidence);
}

static void say_limits(FILE *to, const struct looks *l)
{
	if (l->chain->end == OBSERVE_OPEN)
		fprintf(to,
			"\nLooked for %.0f s: a timeout longer than that is not seen; known ones are 60, "
			"100, 240 and 300 s "
			"(--seconds 310).\n",
			(double)l->chain->end_ms / 1000);
}

static void say_sum(FILE *to, const struct looks *l, const struct verdict *v)
{
	unsigned n[WEIGHT_COUNT] = {0};

	for (size_t i = 0; i < v->nfindings; i++)
		n[finding_kinds[v->findings[i].id].weight]++;
	if (v->healthy)
		fprintf(to, "healthy: nothing is held, compressed or cut%s\n",
			n[WEIGHT_ADVICE] ? "; some advice" : "");
	else
		fprintf(to, "not healthy: %u problem%s, %u warning%s%s\n", n[WEIGHT_PROBLEM],
			n[WEIGHT_PROBLEM] == 1 ? "" : "s", n[WEIGHT_WARNING],
			n[WEIGHT_WARNING] == 1 ? "" : "s",
			v->origin_ok ? "; the origin itself is fine: it is the chain"
			: l->direct  ? "; the origin has findings of its own"
				     : "");
}

void report_text(FILE *to, const struct doctor_options *o, const struct looks *l, const struct verdict *v)
{
	setlocale(LC_CTYPE, "");
	say_sum(to, l, v);
	say_look(to, l->direct ? "chain" : "stream", l->chain);
	if (l->direct)
		say_look(to, "origin", l->direct);
	say_hops(to, v);
	fputc('\n', to);
	picture_draw(to, l, o->width ? o->width : 100, strcmp(nl_langinfo(CODESET), "UTF-8") == 0);
	for (size_t i = 0; i < v->nfindings; i++)
		say_finding(to, &v->findings[i], v, o->colour);
	say_limits(to, l);
}
