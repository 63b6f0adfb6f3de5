/* stream ID: everything of one stream. */
#include "ctl/stream_json.h"
#include "ctl/verbs.h"
#include "ctl/watch.h"

/* Where a line begins a new part. */
static const struct {
	const char *title, *columns;
} parts[] = {
	{"request", "id,client,proto,request,route,upstream,server,status,requests,worker"},
	{"lane", "lane,reason,state,flips,spills"},
	{"carried", "events,chunks,bytes,in,spliced,rate,pace,hearts,drops,dropped"},
	{"times", "age,head,first,last,sent"},
	{"client", "lag,pending,pendmax,blocked,sndbuf,unsent,unacked,queued,srtt,retrans"},
};

static void print_part(const struct ctl *c, const struct row *r, const char *list)
{
	while (*list) {
		size_t n = strcspn(list, ",");
		const struct column *col = column_find(list, n);
		char text[COLUMN_TEXT_MAX];
		enum mood mood = column_mood(col, r);

		column_format(col, r, text);
		for (char *p = text; *p; p++)
			if ((unsigned char)*p < ' ' || *p == 0x7f)
				*p = '?';
		printf("  %-10s %s%-24s%s %s%s%s\n", col->name, term_on(&c->term, mood), text,
			term_off(&c->term, mood), term_on(&c->term, MOOD_FAINT), col->about,
			term_off(&c->term, MOOD_FAINT));
		list += n + (list[n] ? 1 : 0);
	}
}

static int print(const struct ctl *c, const struct row *r)
{
	for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
		printf("%s%s%s\n", term_on(&c->term, MOOD_TITLE), parts[i].title,
			term_off(&c->term, MOOD_TITLE));
		print_part(c, r, parts[i].columns);
	}
	return 0;
}

static int show(const struct ctl *c, struct watch *w, uint64_t id)
{
	int err = watch_look(w, false);

	if (!err) {
		watch_pause();
		err = watch_look(w, true);
	}
	if (err)
		return ctl_fail("%s", strerror(-err));
	for (size_t i = 0; i < w->n; i++)
		if (w->rows[i].s->c.id == id)
			return c->json ? ctl_print_json(stream_json(&w->rows[i])) : print(c, &w->rows[i]);
	return ctl_fail("no stream has the id %llu; it may have ended: the access log has its last line",
		(unsigned long long)id);
}

int verb_stream(struct ctl *c, char **words)
{
	uint64_t id = ctl_id(c, words[0]);
	struct watch w;
	struct view *v;
	int status;

	if (!id)
		return 2;
	v = ctl_open(c);
	if (!v)
		return 1;
	status = watch_init(&w, v) ? ctl_fail("out of memory") : show(c, &w, id);
	watch_done(&w);
	view_close(v);
	return status;
}
