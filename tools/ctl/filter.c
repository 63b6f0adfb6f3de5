#include "ctl/filter.h"
#include "ctl/units.h"
#include <stdio.h>

/* The longer ones first. */
static const struct {
	const char *text;
	enum filter_op op;
	bool for_text, for_numbers;
} ops[] = {
	{"!=", FILTER_NE, true, true},
	{"!~", FILTER_HAS_NOT, true, false},
	{"<=", FILTER_LE, false, true},
	{">=", FILTER_GE, false, true},
	{"=", FILTER_EQ, true, true},
	{"~", FILTER_HAS, true, false},
	{"<", FILTER_LT, false, true},
	{">", FILTER_GT, false, true},
};

static int parse_value(struct filter *f, char *why, size_t size)
{
	char *end;

	switch (f->column->kind) {
	case COLUMN_TEXT:
	case COLUMN_ADDRESS:
		return 0;
	case COLUMN_BYTES:
	case COLUMN_RATE:
		if (units_parse_bytes(f->text, &f->number) == 0)
			return 0;
		snprintf(why, size, "%s takes bytes like 100, 64K, 1.5M; not '%s'", f->column->name, f->text);
		return -EINVAL;
	case COLUMN_AGE:
	case COLUMN_MICROS:
		if (units_parse_us(f->text, &f->number)) {
			snprintf(why, size, "%s takes a time like 100ms, 5s, 10m, 2h; not '%s'",
				f->column->name, f->text);
			return -EINVAL;
		}
		f->number /= f->column->kind == COLUMN_MICROS ? 1 : 1000;
		return 0;
	case COLUMN_PACE:
	case COLUMN_NUMBER:
		errno = 0;
		f->number = f->column->kind == COLUMN_PACE ? (uint64_t)(strtod(f->text, &end) * 1000)
							   : strtoull(f->text, &end, 10);
		if (*f->text >= '0' && *f->text <= '9' && !*end && !errno)
			return 0;
		snprintf(why, size, "%s takes a number; not '%s'", f->column->name, f->text);
		return -EINVAL;
	}
	return -EINVAL;
}

static int unknown_column(const char *text, size_t n, char *why, size_t size)
{
	int at = snprintf(why, size, "there is no column '%.*s'; there are", (int)n, text);

	for (size_t i = 0; i < ncolumns && at < (int)size; i++)
		at += snprintf(why + at, size - (size_t)at, "%s %s", i ? "," : "", columns[i].name);
	return -EINVAL;
}

static int parse(struct filter *f, const char *text, char *why, size_t size)
{
	size_t n = strcspn(text, "=!<>~"), i;

	for (i = 0; i < ARRAY_LEN(ops); i++)
		if (strncmp(text + n, ops[i].text, strlen(ops[i].text)) == 0)
			break;
	if (!n || i == ARRAY_LEN(ops)) {
		snprintf(why, size,
			"'%s' is no expression: COLUMN, one of = != < <= > >= ~ !~, and a value, as in "
			"lag>1s",
			text);
		return -EINVAL;
	}
	f->column = column_find(text, n);
	if (!f->column)
		return unknown_column(text, n, why, size);
	f->op = ops[i].op;
	f->text = text + n + strlen(ops[i].text);
	if (f->column->text ? !ops[i].for_text : !ops[i].for_numbers) {
		snprintf(why, size, "%s is %s: it takes %s, and not %s", f->column->name,
			f->column->text ? "text" : "a number",
			f->column->text ? "= != ~ !~" : "= != < <= > >=", ops[i].text);
		return -EINVAL;
	}
	return parse_value(f, why, size);
}

int filters_add(struct filters *f, const char *expression, char *why, size_t size)
{
	int err;

	if (f->n == FILTERS_MAX) {
		snprintf(why, size, "at most %d expressions", FILTERS_MAX);
		return -EINVAL;
	}
	err = parse(&f->list[f->n], expression, why, size);
	if (!err)
		f->n++;
	return err;
}

static bool number_fits(uint64_t n, enum filter_op op, uint64_t than)
{
	if (n == ROW_NEVER)
		return op == FILTER_NE;
	switch (op) {
	case FILTER_EQ:
		return n == than;
	case FILTER_NE:
		return n != than;
	case FILTER_LT:
		return n < than;
	case FILTER_LE:
		return n <= than;
	case FILTER_GT:
		return n > than;
	default:
		return n >= than;
	}
}

static bool text_is(const struct filter *f, const char *text)
{
	size_t n = strlen(f->text);
	const char *port = strrchr(text, ':');

	if (strcmp(text, f->text) == 0)
		return true;
	if (f->column->kind != COLUMN_ADDRESS || !port)
		return false;
	if (*text == '[')
		return strncmp(text + 1, f->text, n) == 0 && strncmp(text + 1 + n, "]:", 2) == 0;
	return (size_t)(port - text) == n && strncmp(text, f->text, n) == 0;
}

static bool fits(const struct filter *f, const struct row *r)
{
	char text[COLUMN_TEXT_MAX];

	if (f->column->number)
		return number_fits(f->column->number(r), f->op, f->number);
	f->column->text(r, text);
	switch (f->op) {
	case FILTER_EQ:
		return text_is(f, text);
	case FILTER_NE:
		return !text_is(f, text);
	case FILTER_HAS:
		return strstr(text, f->text) != NULL;
	default:
		return strstr(text, f->text) == NULL;
	}
}

bool filters_match(const struct filters *f, const struct row *r)
{
	for (size_t i = 0; i < f->n; i++)
		if (!fits(&f->list[i], r))
			return false;
	return true;
}

bool filters_need_rates(const struct filters *f)
{
	for (size_t i = 0; i < f->n; i++)
		if (column_is_rate(f->list[i].column))
			return true;
	return false;
}
