/* What is wrong with a config: collected wherever it is found, told in the order of the file's lines. Owned
 * by one settings_parse. Running out of memory is kept too, so that no caller need look at each step. */
#ifndef SLUICE_CONF_MISTAKES_H
#define SLUICE_CONF_MISTAKES_H

#include "conf/value.h"

struct mistake;

#define MISTAKES_MAX 1000 /* told one by one */

struct mistakes {
	const char *file; /* NULL: flags, which have no lines */
	struct mistake *list;
	size_t n, cap;
	size_t more; /* behind the first MISTAKES_MAX, only counted */
	int err;     /* -ENOMEM once something could not be kept */
};

void mistakes_done(struct mistakes *m);
/* "file:line: where: text". */
void mistake_add(struct mistakes *m, size_t line, const char *where, const char *fmt, ...) printf_like(4, 5);
/* "what is allowed, found "text" (hint)"; `hint` may be NULL. */
void mistake_value(struct mistakes *m, size_t line, const char *where, const struct key *k,
	struct slice found, const char *hint);
/* Appends one line per mistake. 0: there was none; -EINVAL: there were; or -ENOMEM, -ENOBUFS. */
must_check int mistakes_tell(struct mistakes *m, struct buf *errors);

#define QUOTED_MAX 72
/* `text` between quotes, made printable and cut, for messages. Returns `out`. */
const char *quoted(struct slice text, char out[QUOTED_MAX]);

#endif
