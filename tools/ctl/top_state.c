#include "ctl/top.h"
#include "ctl/units.h"

const char *const top_columns[] = {"id", "lane", "client", "route", "age", "last", "lag", "rate", "pace",
	"pending", "unsent", "unacked", "srtt", "events", "bytes", "spills", "dropped", "reason", "request",
	NULL};

const struct top_key_help top_help[] = {
	{"l r a p", "sort by lag, rate, age, pending bytes"},
	{"e b u", "sort by events a second, bytes sent, unsent bytes in the socket"},
	{"< >", "sort by the column to the left, to the right"},
	{"R", "turn the order round"},
	{"/", "choose streams: expressions as `sluicectl streams` takes them, such as lag>1s route=chat"},
	{"space", "stop and go on"},
	{"+ -", "look more often, less often"},
	{"arrows PgUp PgDn Home End", "scroll"},
	{"h ?", "this; any key goes back"},
	{"q", "leave"},
	{NULL, NULL},
};

static const struct {
	int key;
	const char *column;
} sorts[] = {{'l', "lag"}, {'r', "rate"}, {'a', "age"}, {'p', "pending"}, {'e', "pace"}, {'b', "bytes"},
	{'u', "unsent"}};

static void sort_by(struct top *t, const char *name)
{
	t->order.by = column_find(name, strlen(name));
	t->order.reverse = false;
	t->first = 0;
}

void top_init(struct top *t)
{
	*t = (struct top){.interval_ms = 1000};
	sort_by(t, "lag");
}

/* One column to the left or right of the one that orders. */
static void sort_beside(struct top *t, int step)
{
	int n = 0, at = 0;

	for (; top_columns[n]; n++)
		if (strcmp(top_columns[n], t->order.by->name) == 0)
			at = n;
	sort_by(t, top_columns[(at + step + n) % n]);
}

/* Cuts `words` up; the filters point into it. */
static int filters_of(struct filters *f, char *words, char *why, size_t size)
{
	char *save = NULL;
	int err = 0;

	*f = (struct filters){0};
	for (char *w = strtok_r(words, " ", &save); w && !err; w = strtok_r(NULL, " ", &save))
		err = filters_add(f, w, why, size);
	return err;
}

bool top_choose(struct top *t, const char *expressions)
{
	char words[TOP_INPUT_MAX];
	struct filters tried;

	if (snprintf(words, sizeof(words), "%s", expressions) >= (int)sizeof(words)) {
		snprintf(t->message, sizeof(t->message), "too long");
		return false;
	}
	if (filters_of(&tried, words, t->message, sizeof(t->message)))
		return false;
	memmove(t->filter_text, expressions, strlen(expressions) + 1);
	strcpy(t->filter_words, t->filter_text);
	t->first = 0;
	return filters_of(&t->filters, t->filter_words, t->message, sizeof(t->message)) == 0;
}

static enum top_todo on_typed(struct top *t, int key)
{
	size_t n = strlen(t->input);

	if (key == '\n' || key == '\r') {
		if (!top_choose(t, t->input))
			return TOP_PAINT;
		t->mode = TOP_ROWS;
		return TOP_ARRANGE;
	}
	if (key == 27)
		t->mode = TOP_ROWS;
	else if (key == TOP_KEY_BACK || key == 127 || key == 8)
		t->input[n ? n - 1 : 0] = '\0';
	else if (key >= ' ' && key < 127 && n + 1 < sizeof(t->input))
		memcpy(t->input + n, (char[]){(char)key, '\0'}, 2);
	return TOP_PAINT;
}

void top_scroll_fit(struct top *t, size_t rows, size_t page)
{
	size_t last = rows > page ? rows - page : 0;

	t->first = MIN(t->first, last);
}

static bool on_scroll(struct top *t, int key, size_t rows, size_t page)
{
	size_t step = page > 1 ? page - 1 : 1;

	switch (key) {
	case TOP_KEY_UP:
		t->first -= t->first ? 1 : 0;
		break;
	case TOP_KEY_DOWN:
		t->first++;
		break;
	case TOP_KEY_PAGE_UP:
		t->first -= MIN(t->first, step);
		break;
	case TOP_KEY_PAGE_DOWN:
		t->first += step;
		break;
	case TOP_KEY_HOME:
		t->first = 0;
		break;
	case TOP_KEY_END:
		t->first = rows;
		break;
	default:
		return false;
	}
	top_scroll_fit(t, rows, page);
	return true;
}

static enum top_todo on_command(struct top *t, int key)
{
	for (size_t i = 0; i < ARRAY_LEN(sorts); i++)
		if (sorts[i].key == key) {
			sort_by(t, sorts[i].column);
			return TOP_ARRANGE;
		}
	switch (key) {
	case 'q':
		return TOP_QUIT;
	case '<':
	case '>':
		sort_beside(t, key == '<' ? -1 : 1);
		return TOP_ARRANGE;
	case 'R':
		t->order.reverse = !t->order.reverse;
		return TOP_ARRANGE;
	case '/':
		t->mode = TOP_FILTER;
		strcpy(t->input, t->filter_text);
		return TOP_PAINT;
	case ' ':
		t->paused = !t->paused;
		return t->paused ? TOP_PAINT : TOP_LOOK;
	case '+':
		t->interval_ms = MAX(t->interval_ms / 2, (unsigned)TOP_FASTEST_MS);
		return TOP_LOOK;
	case '-':
		t->interval_ms = MIN(t->interval_ms * 2, (unsigned)TOP_SLOWEST_MS);
		return TOP_PAINT;
	case 'h':
	case '?':
		t->mode = TOP_HELP;
		return TOP_PAINT;
	default:
		return TOP_PAINT;
	}
}

enum top_todo top_on_key(struct top *t, int key, size_t rows, size_t page)
{
	t->message[0] = '\0';
	if (t->mode == TOP_FILTER)
		return on_typed(t, key);
	if (t->mode == TOP_HELP) {
		t->mode = TOP_ROWS;
		return key == 'q' ? TOP_QUIT : TOP_PAINT;
	}
	return on_scroll(t, key, rows, page) ? TOP_PAINT : on_command(t, key);
}
