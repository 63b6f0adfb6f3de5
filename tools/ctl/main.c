/* A table and a loop: finds the verb and runs it. */
#include "ctl/ctl.h"
#include <stdio.h>

static void say_flags(FILE *to, const struct flag *flags)
{
	for (; flags->name; flags++) {
		char left[40];

		snprintf(left, sizeof(left), "--%s%s%s", flags->name, flags->value ? " " : "",
			flags->value ? flags->value : "");
		fprintf(to, "  %-22s %s\n", left, flags->about);
	}
}

static void say_help(FILE *to)
{
	fprintf(to, "sluicectl: looks at a running sluice, and tells it what to do\n\n"
		    "usage: sluicectl [FLAGS] VERB [WORDS]\n\n");
	for (size_t i = 0; i < nverbs; i++) {
		char left[40];

		snprintf(left, sizeof(left), "%s%s%s", verbs[i].name, *verbs[i].words ? " " : "",
			verbs[i].words);
		fprintf(to, "  %-22s %s\n", left, verbs[i].about);
	}
	fputs("\n", to);
	say_flags(to, common_flags);
	fprintf(to, "\n`sluicectl VERB --help` tells a verb's own flags; sluicectl(8) tells all.\n");
}

static void say_verb(FILE *to, const struct verb *v)
{
	fprintf(to, "usage: sluicectl %s%s%s\n\n%s\n\n", v->name, *v->words ? " " : "", v->words, v->about);
	say_flags(to, v->flags);
	say_flags(to, common_flags);
	if (v->more)
		v->more(to);
}

int main(int argc, char **argv)
{
	struct ctl c = {0};
	char why[256];

	(void)argc;
	term_init(&c.term, stdout);
	if (command_parse(&c, argv, why, sizeof(why)))
		return ctl_misuse(&c, "%s", why);
	if (c.help) {
		c.verb ? say_verb(stdout, c.verb) : say_help(stdout);
		return 0;
	}
	if (c.version) {
		puts("sluicectl " SLUICE_VERSION);
		return 0;
	}
	if (!c.verb) {
		say_help(stderr);
		return 2;
	}
	return c.verb->run(&c, argv);
}
