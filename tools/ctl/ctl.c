/* What every verb needs: opening, asking, failing. */
#include "ctl/ctl.h"
#include <stdarg.h>
#include <stdio.h>

#define WHY_BYTES 512

static void say(const char *fmt, va_list ap)
{
	fflush(stdout);
	fputs("sluicectl: ", stderr);
	vfprintf(stderr, fmt, ap);
	fputc('\n', stderr);
}

int ctl_fail(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say(fmt, ap);
	va_end(ap);
	return 1;
}

int ctl_misuse(const struct ctl *c, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say(fmt, ap);
	va_end(ap);
	if (c->verb)
		fprintf(stderr, "usage: sluicectl %s%s%s; `sluicectl %s --help` tells more\n", c->verb->name,
			*c->verb->words ? " " : "", c->verb->words, c->verb->name);
	else
		fprintf(stderr, "`sluicectl --help` lists the verbs\n");
	return 2;
}

struct view *ctl_open(const struct ctl *c)
{
	char why[WHY_BYTES] = "";
	struct view *v = NULL;

	if (view_open(&c->where, &v, why, sizeof(why)))
		ctl_fail("%s", why);
	return v;
}

json_t *ctl_ask(const struct ctl *c, const char *fmt, ...)
{
	_cleanup_free_ char *answer = NULL, *line = NULL;
	char why[WHY_BYTES] = "";
	json_error_t err;
	json_t *json, *ok;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&line, fmt, ap);
	va_end(ap);
	if (n < 0) {
		line = NULL;
		ctl_fail("out of memory");
		return NULL;
	}
	if (view_ask(&c->where, line, &answer, NULL, why, sizeof(why))) {
		ctl_fail("%s", why);
		return NULL;
	}
	json = json_loads(answer, 0, &err);
	if (!json) {
		ctl_fail("the daemon's answer is not JSON (%s): is it of another version?", err.text);
		return NULL;
	}
	ok = json_object_get(json, "ok");
	if (json_is_false(ok)) {
		const char *text = json_string_value(json_object_get(json, "error"));

		ctl_fail("%s: %s", c->verb->name, text ? text : "the daemon refuses, and does not say why");
		json_decref(json);
		return NULL;
	}
	return json;
}

int ctl_print_json(json_t *json)
{
	int err = json ? json_dumpf(json, stdout, JSON_COMPACT | JSON_REAL_PRECISION(9)) : -1;

	json_decref(json);
	if (err)
		return ctl_fail("out of memory");
	putchar('\n');
	return fflush(stdout) ? ctl_fail("stdout: %s", strerror(errno)) : 0;
}

uint64_t ctl_id(const struct ctl *c, const char *word)
{
	char *end;
	uint64_t id;

	errno = 0;
	id = strtoull(word, &end, 10);
	if (*word < '0' || *word > '9' || *end || errno || !id) {
		ctl_misuse(c, "'%s' is no stream's id: a number, as `sluicectl streams` shows it", word);
		return 0;
	}
	return id;
}
