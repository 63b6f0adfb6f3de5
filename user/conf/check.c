#include "conf/check.h"
#include "conf/text.h"
#include <stdio.h>

struct check {
	struct document *d;
	struct mistakes *m;
	struct place at;
};

static void check_mapping(struct check *c, const struct section *s, yaml_node_t *map);

void place_key(struct place *p, struct slice key)
{
	int n = snprintf(p->text + p->n, sizeof(p->text) - p->n, "%s%.*s", p->n ? "." : "", SLICE_FMT(key));

	p->n = MIN(p->n + (size_t)n, sizeof(p->text) - 1);
}

void place_index(struct place *p, size_t i)
{
	int n = snprintf(p->text + p->n, sizeof(p->text) - p->n, "[%zu]", i);

	p->n = MIN(p->n + (size_t)n, sizeof(p->text) - 1);
}

void place_back(struct place *p, size_t n)
{
	p->n = n;
	p->text[n] = 0;
}

static const char *shape(yaml_node_t *n)
{
	if (n->type == YAML_SEQUENCE_NODE)
		return "a list";
	if (n->type == YAML_MAPPING_NODE)
		return "a mapping";
	return n->data.scalar.length ? "a plain value" : "nothing";
}

static bool is_null(yaml_node_t *n)
{
	struct slice text = document_text(n);

	if (n->data.scalar.style != YAML_PLAIN_SCALAR_STYLE)
		return false;
	return slice_eq(text, SLICE("~")) || slice_eq_nocase(text, SLICE("null"));
}

static void check_scalar(struct check *c, const struct key *k, yaml_node_t *n)
{
	struct slice text = document_text(n);
	size_t line = document_line(n);
	const char *hint = NULL;

	if (!text.p) {
		mistake_add(c->m, line, c->at.text, "one value, found %s", shape(n));
		return;
	}
	if (!text.n || is_null(n))
		hint = "leave the key out for its default";
	else if (memchr(text.p, 0, text.n))
		hint = "a NUL byte";
	else if (value_check(k, text, &hint) == 0)
		return;
	mistake_value(c->m, line, c->at.text, k, text, hint);
}

static void check_list(
	struct check *c, const struct key *k, const struct cyaml_schema_value *v, yaml_node_t *list)
{
	size_t n = document_count(list), here = c->at.n;

	if (list->type != YAML_SEQUENCE_NODE) {
		mistake_add(c->m, document_line(list), c->at.text, "a list, found %s", shape(list));
		return;
	}
	if (n > v->sequence.max) { /* going over them all could take for ever, with aliases inside aliases */
		mistake_add(c->m, document_line(list), c->at.text, "a list of at most %u, found %zu",
			v->sequence.max, n);
		return;
	}
	for (size_t i = 0; i < n; i++) {
		place_index(&c->at, i);
		if (v->sequence.entry->type == CYAML_MAPPING)
			check_mapping(c, section_of(v->sequence.entry->mapping.fields),
				document_item(c->d, list, i));
		else
			check_scalar(c, k, document_item(c->d, list, i));
		place_back(&c->at, here);
	}
}

static void check_value(struct check *c, const struct section *s, const struct key *k, yaml_node_t *value)
{
	const struct cyaml_schema_value *v = &s->fields[k - s->keys].value;

	if (v->type == CYAML_MAPPING)
		check_mapping(c, section_of(v->mapping.fields), value);
	else if (v->type == CYAML_SEQUENCE)
		check_list(c, k, v, value);
	else
		check_scalar(c, k, value);
}

static int print_keys(const struct section *s, struct buf *out)
{
	int err = 0;

	for (size_t i = 0; s->fields[i].key && !err; i++)
		err = buf_printf(out, "%s%s", i ? ", " : "", s->fields[i].key);
	return err;
}

/* The key may be right and only its place wrong. */
static const struct section *other_place(const struct section *s, struct slice name)
{
	const struct section *found = NULL;

	for (size_t i = 0; i < SECTION_COUNT; i++) {
		if (&sections[i] == s || !key_find(&sections[i], name))
			continue;
		if (found)
			return NULL; /* more than one: no help */
		found = &sections[i];
	}
	return found;
}

/* "routes[0].heartbaet", with quotes where the key could be taken for something else. */
static void place_unknown(struct place *p, struct slice name)
{
	char text[QUOTED_MAX];
	const char *hint;

	if (name.n <= 40 && text_check(KIND_TOKEN, name, &hint) == 0)
		place_key(p, name);
	else
		place_key(p, slice_of(quoted(name, text)));
}

static void unknown_key(struct check *c, const struct section *s, struct slice name, size_t line)
{
	_cleanup_buf_ struct buf known = {0};
	const char *near = suggest_key(s, name);
	const struct section *other = other_place(s, name);
	struct place where = c->at;

	place_unknown(&where, name);
	if (print_keys(s, &known) < 0)
		c->m->err = -ENOMEM;
	else if (other)
		mistake_add(c->m, line, where.text, "no such key here, it is one of %s", other->where);
	else if (near)
		mistake_add(c->m, line, where.text, "no such key, did you mean \"%s\"?", near);
	else
		mistake_add(c->m, line, where.text, "no such key, allowed are %.*s",
			SLICE_FMT(buf_slice(&known)));
}

/* The first pair with this key, when it is not `p` itself. */
static yaml_node_t *earlier(struct check *c, yaml_node_t *map, const yaml_node_pair_t *p, struct slice name)
{
	for (yaml_node_pair_t *q = map->data.mapping.pairs.start; q < p; q++) {
		yaml_node_t *key = document_node(c->d, q->key);

		if (slice_eq(document_text(key), name))
			return key;
	}
	return NULL;
}

static void check_pair(struct check *c, const struct section *s, yaml_node_t *map, const yaml_node_pair_t *p)
{
	yaml_node_t *key = document_node(c->d, p->key), *first;
	struct slice name = document_text(key);
	const struct key *k = name.p ? key_find(s, name) : NULL;

	if (!name.p) {
		mistake_add(c->m, document_line(key), c->at.n ? c->at.text : "top", "a plain key, found %s",
			shape(key));
		return;
	}
	if (!k) {
		unknown_key(c, s, name, document_line(key));
		return;
	}
	place_key(&c->at, name);
	first = earlier(c, map, p, name);
	if (first)
		mistake_add(c->m, document_line(key), c->at.text, "once, found again (first in line %zu)",
			document_line(first));
	check_value(c, s, k, document_node(c->d, p->value));
}

static void check_mapping(struct check *c, const struct section *s, yaml_node_t *map)
{
	size_t here = c->at.n;

	if (map->type != YAML_MAPPING_NODE) {
		mistake_add(c->m, document_line(map), here ? c->at.text : "top",
			"a mapping of keys, found %s", shape(map));
		return;
	}
	for (yaml_node_pair_t *p = map->data.mapping.pairs.start; p < map->data.mapping.pairs.top; p++) {
		check_pair(c, s, map, p);
		place_back(&c->at, here);
	}
}

void check_document(struct document *d, struct mistakes *m)
{
	struct check c = {.d = d, .m = m};
	yaml_node_t *root = document_root(d);

	if (root)
		check_mapping(&c, &sections[SECTION_top], root);
}
