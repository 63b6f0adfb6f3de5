/* The numeric kinds: each reads a text to the end or says in a few words why not. */
#include "conf/address.h"
#include "conf/number.h"

struct unit {
	const char *name;
	uint64_t factor;
};

static const struct unit duration_units[] = {
	{"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}, {"d", 86400000}};
static const struct unit size_units[] = {{"", 1}, {"B", 1}, {"K", 1 << 10}, {"KiB", 1 << 10}, {"M", 1 << 20},
	{"MiB", 1 << 20}, {"G", 1 << 30}, {"GiB", 1 << 30}, {"T", 1ULL << 40}, {"TiB", 1ULL << 40}};

static const struct choice methods[] = {{"GET", H1_GET}, {"HEAD", H1_HEAD}, {"POST", H1_POST},
	{"PUT", H1_PUT}, {"DELETE", H1_DELETE}, {"OPTIONS", H1_OPTIONS}, {"PATCH", H1_PATCH}, {NULL, 0}};

static int with_unit(
	struct slice text, const struct unit *units, size_t n, uint64_t *ret, const char **ret_hint)
{
	struct slice digits = {text.p, 0}, unit;
	uint64_t value;

	while (digits.n < text.n && text.p[digits.n] >= '0' && text.p[digits.n] <= '9')
		digits.n++;
	unit = (struct slice){text.p + digits.n, text.n - digits.n};
	if (!digits.n)
		return -EINVAL;
	if (decimal_parse(digits, UINT64_MAX, &value) < 0) {
		*ret_hint = "too large";
		return -EINVAL;
	}
	for (size_t i = 0; i < n; i++) {
		if (!slice_eq_nocase(unit, slice_of(units[i].name)))
			continue;
		if (__builtin_mul_overflow(value, units[i].factor, ret)) {
			*ret_hint = "too large";
			return -EINVAL;
		}
		return 0;
	}
	if (!unit.n && value == 0) {
		*ret = 0;
		return 0;
	}
	*ret_hint = unit.n ? "unknown unit" : "no unit";
	return -EINVAL;
}

int number_duration(struct slice text, uint64_t *ret, const char **ret_hint)
{
	return with_unit(text, duration_units, ARRAY_LEN(duration_units), ret, ret_hint);
}

int number_size(struct slice text, uint64_t *ret, const char **ret_hint)
{
	return with_unit(text, size_units, ARRAY_LEN(size_units), ret, ret_hint);
}

int number_octal(struct slice text, uint64_t *ret)
{
	uint64_t value = 0;

	if (!text.n || text.n > 5)
		return -EINVAL;
	for (size_t i = 0; i < text.n; i++) {
		if (text.p[i] < '0' || text.p[i] > '7')
			return -EINVAL;
		value = value * 8 + (uint64_t)(text.p[i] - '0');
	}
	*ret = value;
	return 0;
}

int number_status(struct slice text, uint64_t *ret)
{
	const char *dash = text.n ? memchr(text.p, '-', text.n) : NULL;
	struct slice low = dash ? (struct slice){text.p, (size_t)(dash - text.p)} : text;
	struct slice high = dash ? (struct slice){dash + 1, text.n - low.n - 1} : text;
	uint64_t min, max;

	if (decimal_parse(low, 599, &min) < 0 || decimal_parse(high, 599, &max) < 0 || min < 200 || max < min)
		return -EINVAL;
	*ret = min << 16 | max;
	return 0;
}

int number_choice(const struct choice *list, struct slice text, uint64_t *ret)
{
	for (; list->word; list++) {
		if (slice_eq(text, slice_of(list->word))) {
			*ret = list->value;
			return 0;
		}
	}
	return -EINVAL;
}

int number_method(struct slice text, uint64_t *ret)
{
	uint64_t method;

	if (number_choice(methods, text, &method) < 0)
		return -EINVAL;
	*ret = 1ULL << method;
	return 0;
}

/* In the largest unit that leaves no rest. */
static int print_unit(struct buf *out, uint64_t value, const struct unit *units, size_t n)
{
	const struct unit *best = &units[0];

	for (size_t i = 0; i < n && value; i++) {
		if (value % units[i].factor == 0)
			best = &units[i];
	}
	return buf_printf(out, "%llu%s", (unsigned long long)(value / best->factor), best->name);
}

int number_print_duration(struct buf *out, uint64_t ms)
{
	return print_unit(out, ms, duration_units, ARRAY_LEN(duration_units));
}

int number_print_size(struct buf *out, uint64_t bytes)
{
	return print_unit(out, bytes, size_units, ARRAY_LEN(size_units));
}
