/* A YAML file as libyaml's tree, which knows the line of every node; libcyaml, which fills the structs, stops
 * at its first mistake and so comes second. Owned by one settings_parse. */
#ifndef SLUICE_CONF_DOCUMENT_H
#define SLUICE_CONF_DOCUMENT_H

#include "conf/mistakes.h"
#include "conf/schema.h"
#include <yaml.h>

#define DOCUMENT_MAX (1024 * 1024) /* bytes of a file */

struct document {
	yaml_document_t yaml;
	bool loaded;
};

/* Syntax errors go to `m`; the document is then empty (loaded false). */
void document_load(struct document *d, struct slice text, struct mistakes *m);
void document_done(struct document *d);
/* Writes the short forms out, by the schema: a plain text where a list is due becomes a list of one, and
 * where a mapping with a `short_for` key is due, that mapping. -ENOMEM. */
must_check int document_expand(struct document *d);
/* The tree as YAML again, for libcyaml. Empties the document, on failure too. */
must_check int document_write(struct document *d, struct buf *out);

yaml_node_t *document_root(struct document *d);
/* The node of an id, as items and pairs have them. */
yaml_node_t *document_node(struct document *d, int id);
/* The value of a key; NULL when `map` is no mapping (NULL is legal) or has no such key. */
yaml_node_t *document_get(struct document *d, yaml_node_t *map, const char *key);
/* A list's length, 0 for anything else, and its items. */
size_t document_count(yaml_node_t *list);
yaml_node_t *document_item(struct document *d, yaml_node_t *list, size_t i);
/* A scalar's bytes; p == NULL for anything else. */
struct slice document_text(yaml_node_t *node);
/* From 1. */
size_t document_line(yaml_node_t *node);

#endif
