/* streams [EXPRESSION…]: one line per live stream. */
#include "ctl/stream_json.h"
#include "ctl/table.h"
#include "ctl/verbs.h"
#include "ctl/watch.h"

#define DEFAULT_COLUMNS                                                                                      \
	"id,lane,reason,client,route,age,last,events,bytes,pending,lag,sndbuf,unsent,unacked,request"

struct wanted {
	const struct column *columns[TABLE_MAX_COLUMNS];
	size_t n;
	struct filters filters;
	struct order order;
	bool rates;
};

static const struct column *column_named(const struct ctl *c, const char *name, size_t n)
{
	const struct column *col = column_find(name, n);

	if (col)
		return col;
	ctl_misuse(c, "there is no column '%.*s'", (int)n, name);
	columns_say(stderr);
	return NULL;
}

static int want_columns(const struct ctl *c, struct wanted *w, const char *list)
{
	while (*list) {
		size_t n = strcspn(list, ",");
		const struct column *col = column_named(c, list, n);

		if (!col)
			return 2;
		if (w->n == TABLE_MAX_COLUMNS)
			return ctl_misuse(c, "at most %d columns", TABLE_MAX_COLUMNS);
		w->columns[w->n++] = col;
		w->rates = w->rates || column_is_rate(col);
		list += n + (list[n] ? 1 : 0);
	}
	return w->n ? 0 : ctl_misuse(c, "--columns takes at least one");
}

static int want(const struct ctl *c, struct wanted *w, char **words)
{
	const char *list = ctl_flag(c, "columns"), *by = ctl_flag(c, "sort"), *limit = ctl_flag(c, "limit");
	char why[512], *end = NULL;
	int status = want_columns(c, w, list ? list : DEFAULT_COLUMNS);

	for (; !status && *words; words++)
		if (filters_add(&w->filters, *words, why, sizeof(why)))
			status = ctl_misuse(c, "%s", why);
	if (!status && by) {
		w->order.by = column_named(c, by, strlen(by));
		status = w->order.by ? 0 : 2;
	}
	if (!status && limit) {
		w->order.limit = strtoul(limit, &end, 10);
		if (!w->order.limit || *end)
			status = ctl_misuse(c, "--limit takes a number of streams, not '%s'", limit);
	}
	w->order.reverse = ctl_flag(c, "reverse") != NULL;
	w->rates = w->rates || ctl_flag(c, "rates") || (w->order.by && column_is_rate(w->order.by)) ||
		   filters_need_rates(&w->filters);
	return status;
}

/* One by one: a list of ten thousand in memory would take longer to build than to print. */
static int print_json(const struct watch *w)
{
	char *text;

	putchar('[');
	for (size_t i = 0; i < w->nshown; i++) {
		json_t *o = stream_json(&w->shown[i]);

		text = json_dumps(o, JSON_COMPACT | JSON_REAL_PRECISION(9));
		json_decref(o);
		if (!text)
			return ctl_fail("out of memory");
		printf("%s%s", i ? "," : "", text);
		free(text);
	}
	puts("]");
	return fflush(stdout) ? ctl_fail("stdout: %s", strerror(errno)) : 0;
}

static int print_rows(const struct ctl *c, const struct wanted *want, const struct watch *w)
{
	struct table t = {0};
	char text[COLUMN_TEXT_MAX];
	int err;

	for (size_t i = 0; i < want->n; i++) {
		const struct column *col = want->columns[i];

		table_column(&t, col->title, col->number != NULL, col->least, col->weight);
	}
	for (size_t i = 0; i < w->nshown; i++)
		for (size_t k = 0; k < want->n; k++)
			table_cell(&t, column_mood(want->columns[k], &w->shown[i]),
				column_format(want->columns[k], &w->shown[i], text));
	err = table_print(&t, &c->term, stdout);
	table_done(&t);
	if (w->socks_err)
		ctl_fail("the client's sockets cannot be looked at (%s): unsent and unacked bytes are not "
			 "known",
			strerror(-w->socks_err));
	return err ? ctl_fail("out of memory") : 0;
}

static int look(struct watch *w, const struct wanted *want)
{
	int err = 0;

	if (want->rates) {
		err = watch_look(w, false);
		watch_pause();
	}
	if (!err)
		err = watch_look(w, true);
	return err ? err : watch_arrange(w, &want->filters, &want->order);
}

int verb_streams(struct ctl *c, char **words)
{
	struct wanted w = {0};
	struct watch watch;
	struct view *v;
	int status = want(c, &w, words);

	if (status)
		return status;
	v = ctl_open(c);
	if (!v)
		return 1;
	status = watch_init(&watch, v);
	if (!status)
		status = look(&watch, &w);
	if (status)
		status = ctl_fail("%s", strerror(-status));
	else
		status = c->json ? print_json(&watch) : print_rows(c, &w, &watch);
	watch_done(&watch);
	view_close(v);
	return status;
}
