#include "cli.h"
#include <math.h>
#include <stdio.h>

int cli_wrong(const struct cli *cli, const char *name, const char *allowed, const char *found)
{
	fprintf(stderr, "sluice-bench %s: --%s: allowed: %s; found: %s\n", cli->command, name, allowed,
		found);
	return -EINVAL;
}

int cli_number(const char *text, double min, double max, double *ret)
{
	char *end = NULL;
	double v;

	if (!text || !((*text >= '0' && *text <= '9') || *text == '.'))
		return -EINVAL;
	v = strtod(text, &end);
	if (*end || !isfinite(v))
		return -EINVAL;
	if (v < min || v > max)
		return -ERANGE;
	*ret = v;
	return 0;
}

static void print_help(const struct cli *cli)
{
	printf("sluice-bench %s: %s\n\n", cli->command, cli->about);
	for (size_t i = 0; i < cli->count; i++) {
		const struct cli_option *o = &cli->options[i];
		char left[64];

		snprintf(left, sizeof(left), "--%s%s%s%s", o->name,
			o->kind == CLI_NUMBER_IF ? "[="
			: o->value		 ? " "
						 : "",
			o->value ? o->value : "", o->kind == CLI_NUMBER_IF ? "]" : "");
		printf("  %-26s %s\n", left, o->help);
	}
}

/* The option that `arg` names, "--name" or "--name=value"; *ret_value points behind '=' or is NULL. */
static const struct cli_option *find(const struct cli *cli, const char *arg, const char **ret_value)
{
	const char *equal = strchr(arg, '=');
	size_t n = equal ? (size_t)(equal - arg) : strlen(arg);

	if (strncmp(arg, "--", 2) != 0)
		return NULL;
	for (size_t i = 0; i < cli->count; i++) {
		const char *name = cli->options[i].name;

		if (strlen(name) == n - 2 && memcmp(name, arg + 2, n - 2) == 0) {
			*ret_value = equal ? equal + 1 : NULL;
			return &cli->options[i];
		}
	}
	return NULL;
}

static bool takes_value(const struct cli_option *o)
{
	return o->kind == CLI_COUNT || o->kind == CLI_NUMBER || o->kind == CLI_TEXT;
}

static int set_number(const struct cli *cli, const struct cli_option *o, const char *value)
{
	char allowed[96];
	double v;

	if (!cli_number(value, o->min, o->max, &v) && (o->kind != CLI_COUNT || v == floor(v))) {
		if (o->kind == CLI_COUNT)
			*(uint64_t *)o->to = (uint64_t)v;
		else
			*(double *)o->to = v;
		return 0;
	}
	snprintf(allowed, sizeof(allowed), "%s from %.12g to %.12g",
		o->kind == CLI_COUNT ? "a whole number" : "a number", o->min, o->max);
	return cli_wrong(cli, o->name, allowed, value);
}

static int set(const struct cli *cli, const struct cli_option *o, const char *value)
{
	switch (o->kind) {
	case CLI_ON:
	case CLI_OFF:
		if (value)
			return cli_wrong(cli, o->name, "no value", value);
		*(bool *)o->to = o->kind == CLI_ON;
		return 0;
	case CLI_TEXT:
		*(const char **)o->to = value;
		return 0;
	case CLI_NUMBER_IF:
		if (!value) {
			*(double *)o->to = o->bare;
			return 0;
		}
		return set_number(cli, o, value);
	default:
		return set_number(cli, o, value);
	}
}

static int check_required(const struct cli *cli)
{
	for (size_t i = 0; i < cli->count; i++) {
		const struct cli_option *o = &cli->options[i];

		if (o->required && !*(const char **)o->to)
			return cli_wrong(cli, o->name, o->value, "nothing; it must be given");
	}
	return 0;
}

int cli_parse(const struct cli *cli, int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		const char *value = NULL;
		const struct cli_option *o = find(cli, argv[i], &value);
		int err;

		if (!strcmp(argv[i], "--help") || !strcmp(argv[i], "-h")) {
			print_help(cli);
			return 1;
		}
		if (!o) {
			fprintf(stderr, "sluice-bench %s: unknown option %s; see sluice-bench %s --help\n",
				cli->command, argv[i], cli->command);
			return -EINVAL;
		}
		if (takes_value(o) && !value)
			value = i + 1 < argc ? argv[++i] : NULL;
		if (takes_value(o) && !value)
			return cli_wrong(cli, o->name, o->value, "nothing");
		err = set(cli, o, value);
		if (err)
			return err;
	}
	return check_required(cli);
}
