#include "conf/document.h"

yaml_node_t *document_root(struct document *d)
{
	return d->loaded ? yaml_document_get_root_node(&d->yaml) : NULL;
}

yaml_node_t *document_node(struct document *d, int id)
{
	return yaml_document_get_node(&d->yaml, id);
}

struct slice document_text(yaml_node_t *node)
{
	if (!node || node->type != YAML_SCALAR_NODE)
		return (struct slice){NULL, 0};
	return (struct slice){(const char *)node->data.scalar.value, node->data.scalar.length};
}

size_t document_line(yaml_node_t *node)
{
	return node->start_mark.line + 1;
}

yaml_node_t *document_get(struct document *d, yaml_node_t *map, const char *key)
{
	if (!map || map->type != YAML_MAPPING_NODE)
		return NULL;
	for (yaml_node_pair_t *p = map->data.mapping.pairs.start; p < map->data.mapping.pairs.top; p++) {
		if (slice_eq(document_text(document_node(d, p->key)), slice_of(key)))
			return document_node(d, p->value);
	}
	return NULL;
}

size_t document_count(yaml_node_t *list)
{
	if (!list || list->type != YAML_SEQUENCE_NODE)
		return 0;
	return (size_t)(list->data.sequence.items.top - list->data.sequence.items.start);
}

yaml_node_t *document_item(struct document *d, yaml_node_t *list, size_t i)
{
	return document_node(d, list->data.sequence.items.start[i]);
}

/* libyaml counts bytes, not lines, for bytes that are no UTF-8. */
static size_t line_at(struct slice text, size_t offset)
{
	size_t line = 1;

	for (size_t i = 0; i < offset && i < text.n; i++)
		line += text.p[i] == '\n';
	return line;
}

static void syntax_error(const yaml_parser_t *p, struct slice text, struct mistakes *m)
{
	size_t at = p->problem_mark.index;
	const char *tab = "";

	/* Some of libyaml's own failed copies end the parse without a word. */
	if (p->error == YAML_MEMORY_ERROR || !p->problem) {
		m->err = -ENOMEM;
		return;
	}
	if (p->error == YAML_READER_ERROR) {
		mistake_add(m, line_at(text, p->problem_offset), "YAML", "UTF-8 text, found %s", p->problem);
		return;
	}
	if (at < text.n && text.p[at] == '\t')
		tab = " (a tab: indent with spaces)";
	if (p->context)
		mistake_add(m, p->problem_mark.line + 1, "YAML", "%s, %s that began in line %zu%s",
			p->problem, p->context, p->context_mark.line + 1, tab);
	else
		mistake_add(m, p->problem_mark.line + 1, "YAML", "%s%s", p->problem, tab);
}

static void cleanup_parser(yaml_parser_t *p)
{
	yaml_parser_delete(p);
}

static void cleanup_yaml(yaml_document_t *d)
{
	yaml_document_delete(d);
}

/* One file is one document. */
static void refuse_more(yaml_parser_t *p, struct slice text, struct mistakes *m)
{
	_cleanup_(cleanup_yaml) yaml_document_t more = {0};

	if (!yaml_parser_load(p, &more))
		syntax_error(p, text, m);
	else if (yaml_document_get_root_node(&more))
		mistake_add(
			m, more.start_mark.line + 1, "YAML", "one document in a file, found a second one");
}

void document_load(struct document *d, struct slice text, struct mistakes *m)
{
	_cleanup_(cleanup_parser) yaml_parser_t parser = {0};

	*d = (struct document){0};
	if (text.n > DOCUMENT_MAX) {
		mistake_add(m, line_at(text, DOCUMENT_MAX), "YAML", "at most %d bytes, found %zu",
			DOCUMENT_MAX, text.n);
		return;
	}
	if (!yaml_parser_initialize(&parser)) {
		m->err = -ENOMEM;
		return;
	}
	yaml_parser_set_input_string(&parser, (const unsigned char *)(text.n ? text.p : ""), text.n);
	if (!yaml_parser_load(&parser, &d->yaml)) {
		syntax_error(&parser, text, m);
		return;
	}
	d->loaded = true;
	if (yaml_document_get_root_node(&d->yaml))
		refuse_more(&parser, text, m);
}

void document_done(struct document *d)
{
	if (d->loaded)
		yaml_document_delete(&d->yaml);
	d->loaded = false;
}
