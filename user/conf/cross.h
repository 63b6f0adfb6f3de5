/* What the cross checks share: one entry of a list at a time, asked for its keys. All of it works on a
 * document of any shape; what is not as it should be counts as absent, since check_document has told of it.
 */
#ifndef SLUICE_CONF_CROSS_H
#define SLUICE_CONF_CROSS_H

#include "conf/check.h"

/* One entry: its mapping, and its place in messages. */
struct entry {
	struct document *d;
	struct mistakes *m;
	enum section_id section;
	yaml_node_t *map;
	struct place at;
};

/* Entry `i` of the list, `where` being that of the list. */
struct entry entry_of(const struct entry *parent, enum section_id section, const char *list, size_t i);
/* A mapping inside the entry; its `map` may be NULL. */
struct entry entry_inner(const struct entry *parent, enum section_id section, const char *key);
/* The top of the document. */
struct entry entry_top(struct document *d, struct mistakes *m);

/* How many entries the list under `key` has; 0 when it is too long, which is a mistake of its own. */
size_t entry_count(const struct entry *e, const char *key);
/* No such key, or an empty list. */
bool entry_lacks_list(const struct entry *e, const char *key);
/* A key's text; p == NULL: absent. */
struct slice entry_text(const struct entry *e, const char *key);
/* A key's number, or that of its default; false when it has none that is allowed. */
bool entry_number(const struct entry *e, const char *key, uint64_t *ret);
bool entry_has(const struct entry *e, const char *key);
/* A mistake when the key is not there. False when the entry is no mapping: then that was the mistake. */
bool entry_require(const struct entry *e, const char *key, const char *what);
/* A mistake in the line of `key`, or of the entry when it has no such key. */
void entry_mistake(const struct entry *e, const char *key, const char *fmt, ...) printf_like(3, 4);

/* The `tls` of one listener or upstream, which need not be there. */
void cross_check_listener_tls(const struct entry *listener);
void cross_check_upstream_tls(const struct entry *upstream);

#endif
