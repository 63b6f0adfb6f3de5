/* sluicectl: one file per verb, and a table of them (verbs.c). A verb is a row there and a function
 *
 *	int verb_NAME(struct ctl *c, char **words)
 *
 * that gets the words behind its name and returns the exit status: 0, 1 for a failure that ctl_fail() has
 *told, 2 for a mistake of usage. Flags are declared beside the row, and asked for with ctl_flag(); help, the
 *shell completions and sluicectl(8) are checked against the table by tools/lint/ctl_doc.py. Results go to
 *stdout, as a table for eyes or, with --json, as one JSON document; everything else goes to stderr. */
#ifndef SLUICE_CTL_CTL_H
#define SLUICE_CTL_CTL_H

#include "base/util.h"
#include "ctl/term.h"
#include "view/view.h"
#include <jansson.h>

#define CTL_MAX_FLAGS 8
#define CTL_MAX_GIVEN 32

struct flag {
	const char *name;  /* without the dashes; NULL ends the list */
	const char *value; /* what it takes, as help shows it; NULL: nothing */
	const char *about;
};

struct ctl;

struct verb {
	const char *name;
	const char *words; /* what comes behind, as help shows it; "": nothing */
	const char *about; /* one line */
	int (*run)(struct ctl *c, char **words);
	int min, max; /* how many words; max -1: any number */
	struct flag flags[CTL_MAX_FLAGS];
	void (*more)(FILE *to); /* what its help tells behind the flags; NULL: nothing */
};

/* The command line, and where results go. */
struct ctl {
	struct view_params where;
	bool json;
	bool help, version;
	const struct verb *verb;
	const char *values[CTL_MAX_FLAGS]; /* of verb->flags; NULL: not given, "": given and takes none */
	struct {
		const struct flag *flag;
		const char *value;
	} given[CTL_MAX_GIVEN]; /* the verb's flags in their order, for those that may be given several times
				 */
	size_t ngiven;
	struct term term;
};

extern const struct verb verbs[];
extern const size_t nverbs;
extern const struct flag common_flags[];

/* Fills `c` and leaves the verb's words, NULL-ended, at the front of argv. 0, or -EINVAL with one line in
 * `why`. Pure. */
must_check int command_parse(struct ctl *c, char **argv, char *why, size_t size);
const char *ctl_flag(const struct ctl *c, const char *name);
/* Its value when it was given the n-th time, from 0; NULL: not so often. */
const char *ctl_flag_nth(const struct ctl *c, const char *name, size_t n);

/* "sluicectl: …" on stderr; returns 1. */
int ctl_fail(const char *fmt, ...) printf_like(1, 2);
/* The same for a mistake on the command line, with how the verb is used; returns 2. */
int ctl_misuse(const struct ctl *c, const char *fmt, ...) printf_like(2, 3);
/* Opens what the command line names; NULL after saying why not. */
struct view *ctl_open(const struct ctl *c);
/* One question to the daemon. NULL after saying why not, also when it answers {"ok": false}. */
json_t *ctl_ask(const struct ctl *c, const char *fmt, ...) printf_like(2, 3);
/* One JSON document to stdout, its reference given up. Returns the exit status. */
int ctl_print_json(json_t *json);
/* The id of a stream in `word`, or 0 after saying what is allowed. */
uint64_t ctl_id(const struct ctl *c, const char *word);

#endif
