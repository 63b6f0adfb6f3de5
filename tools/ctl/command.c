/* The command line: words in, a struct out. */
#include "ctl/ctl.h"
#include <stdio.h>

const struct flag common_flags[] = {
	{"instance", "NAME", "which sluice of this host (default: default)"},
	{"admin", "PATH",
		"its admin socket, when that is not "
		"/run/sluice/NAME.sock"},
	{"json", NULL, "one JSON document instead of a table"},
	{"help", NULL, "this"},
	{"version", NULL, "the version of this program"},
	{NULL, NULL, NULL},
};

static const struct verb *verb_find(const char *name)
{
	for (size_t i = 0; i < nverbs; i++)
		if (strcmp(verbs[i].name, name) == 0)
			return &verbs[i];
	return NULL;
}

static const struct flag *flag_find(const struct flag *flags, const char *name, size_t n)
{
	for (; flags && flags->name; flags++)
		if (strlen(flags->name) == n && memcmp(flags->name, name, n) == 0)
			return flags;
	return NULL;
}

static void common_set(struct ctl *c, const char *name, const char *value)
{
	if (strcmp(name, "instance") == 0)
		c->where.instance = value;
	else if (strcmp(name, "admin") == 0)
		c->where.admin = value;
	else if (strcmp(name, "json") == 0)
		c->json = true;
	else if (strcmp(name, "help") == 0)
		c->help = true;
	else
		c->version = true;
}

/* One flag at *argv; returns how many words it took, 0 after filling `why`. */
static int flag_take(struct ctl *c, char **argv, char *why, size_t size)
{
	const char *name = strcmp(argv[0], "-h") == 0 ? "help" : argv[0] + 2;
	size_t n = strcspn(name, "=");
	const struct flag *common = flag_find(common_flags, name, n), *f = common;
	const char *value = name[n] ? name + n + 1 : NULL;
	int took = 1;

	if (!f && c->verb)
		f = flag_find(c->verb->flags, name, n);
	if (!f) {
		snprintf(why, size, "there is no flag --%.*s%s%s", (int)n, name, c->verb ? " of " : "",
			c->verb ? c->verb->name : " in front of the verb");
		return 0;
	}
	if (value && !f->value) {
		snprintf(why, size, "--%s takes no value", f->name);
		return 0;
	}
	if (f->value && !value) {
		value = argv[1];
		took = 2;
	}
	if (f->value && (!value || !*value)) {
		snprintf(why, size, "--%s takes a value: %s", f->name, f->value);
		return 0;
	}
	if (common) {
		common_set(c, f->name, value);
		return took;
	}
	if (c->ngiven == CTL_MAX_GIVEN) {
		snprintf(why, size, "more than %d flags", CTL_MAX_GIVEN);
		return 0;
	}
	c->values[f - c->verb->flags] = value ? value : "";
	c->given[c->ngiven].flag = f;
	c->given[c->ngiven++].value = value;
	return took;
}

static int count_check(const struct ctl *c, int n, char *why, size_t size)
{
	if (!c->verb || c->help || c->version ||
		(n >= c->verb->min && (c->verb->max < 0 || n <= c->verb->max)))
		return 0;
	if (n < c->verb->min)
		snprintf(why, size, "%s takes %s", c->verb->name, c->verb->words);
	else if (c->verb->max == 0)
		snprintf(why, size, "%s takes nothing behind it", c->verb->name);
	else
		snprintf(why, size, "%s takes %s and no more", c->verb->name, c->verb->words);
	return -EINVAL;
}

int command_parse(struct ctl *c, char **argv, char *why, size_t size)
{
	bool flags_over = false;
	int n = 0;

	for (char **at = argv[0] ? argv + 1 : argv; *at;) {
		if (!flags_over && strcmp(*at, "--") == 0) {
			flags_over = true;
			at++;
		} else if (!flags_over && (strncmp(*at, "--", 2) == 0 || strcmp(*at, "-h") == 0)) {
			int took = flag_take(c, at, why, size);

			if (!took)
				return -EINVAL;
			at += took;
		} else if (!c->verb) {
			c->verb = verb_find(*at);
			if (!c->verb) {
				snprintf(why, size, "there is no verb '%s'", *at);
				return -EINVAL;
			}
			at++;
		} else {
			argv[n++] = *at++;
		}
	}
	argv[n] = NULL;
	return count_check(c, n, why, size);
}

const char *ctl_flag(const struct ctl *c, const char *name)
{
	const struct flag *f = flag_find(c->verb->flags, name, strlen(name));

	return f ? c->values[f - c->verb->flags] : NULL;
}

const char *ctl_flag_nth(const struct ctl *c, const char *name, size_t n)
{
	for (size_t i = 0; i < c->ngiven; i++)
		if (strcmp(c->given[i].flag->name, name) == 0 && n-- == 0)
			return c->given[i].value;
	return NULL;
}
