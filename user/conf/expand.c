/* Short forms written out (document_expand) and the tree written as YAML for libcyaml, which takes one shape
 * only. */
#include "conf/document.h"

static int expand_mapping(struct document *d, const struct section *s, int id);

/* {short_for: text} in place of the text. 0: no memory. New nodes have no line, and need none: what is said
 * of them names the text's. */
static int wrap_in_mapping(struct document *d, const char *key, int text)
{
	int map = yaml_document_add_mapping(&d->yaml, NULL, YAML_BLOCK_MAPPING_STYLE);
	int name = map ? yaml_document_add_scalar(
				 &d->yaml, NULL, (const unsigned char *)key, -1, YAML_PLAIN_SCALAR_STYLE)
		       : 0;

	return name && yaml_document_append_mapping_pair(&d->yaml, map, name, text) ? map : 0;
}

static int wrap_in_list(struct document *d, int text)
{
	int list = yaml_document_add_sequence(&d->yaml, NULL, YAML_BLOCK_SEQUENCE_STYLE);

	return list && yaml_document_append_sequence_item(&d->yaml, list, text) ? list : 0;
}

static bool is_text(struct document *d, int id)
{
	return document_text(document_node(d, id)).n > 0;
}

static int expand_list(struct document *d, const struct cyaml_schema_value *v, int id)
{
	const struct section *s = section_of(v->sequence.entry->mapping.fields);
	size_t n = document_count(document_node(d, id));
	int err = 0;

	if (n > v->sequence.max)
		return 0; /* check_document refuses it; aliases inside aliases could make the walk endless */
	for (size_t i = 0; i < n && !err; i++) {
		int item = document_node(d, id)->data.sequence.items.start[i];

		if (s->short_for && is_text(d, item)) {
			item = wrap_in_mapping(d, s->short_for, item);
			if (!item)
				return -ENOMEM;
			document_node(d, id)->data.sequence.items.start[i] = item;
		}
		err = expand_mapping(d, s, item);
	}
	return err;
}

static int expand_value(struct document *d, const struct cyaml_schema_value *v, int map, size_t pair)
{
	int value = document_node(d, map)->data.mapping.pairs.start[pair].value;

	if (v->type == CYAML_MAPPING)
		return expand_mapping(d, section_of(v->mapping.fields), value);
	if (v->type != CYAML_SEQUENCE)
		return 0;
	if (is_text(d, value)) {
		value = wrap_in_list(d, value);
		if (!value)
			return -ENOMEM;
		document_node(d, map)->data.mapping.pairs.start[pair].value = value;
	}
	return v->sequence.entry->type == CYAML_MAPPING ? expand_list(d, v, value) : 0;
}

/* Ids and indexes, not pointers: each new node may move all of them. */
static int expand_mapping(struct document *d, const struct section *s, int id)
{
	int err = 0;

	if (document_node(d, id)->type != YAML_MAPPING_NODE)
		return 0;
	for (size_t i = 0; i < (size_t)(document_node(d, id)->data.mapping.pairs.top -
					document_node(d, id)->data.mapping.pairs.start) &&
			   !err;
		i++) {
		int name = document_node(d, id)->data.mapping.pairs.start[i].key;
		const struct key *k = key_find(s, document_text(document_node(d, name)));

		if (k)
			err = expand_value(d, &s->fields[k - s->keys].value, id, i);
	}
	return err;
}

int document_expand(struct document *d)
{
	if (!document_root(d))
		return 0;
	return expand_mapping(d, &sections[SECTION_top], 1);
}

static int write_bytes(void *to, unsigned char *p, size_t n)
{
	return buf_append(to, p, n) == 0;
}

int document_write(struct document *d, struct buf *out)
{
	yaml_emitter_t emitter;
	bool ok;

	if (!yaml_emitter_initialize(&emitter)) {
		document_done(d);
		return -ENOMEM;
	}
	/* Quoted, so that no text is read as anything but itself. */
	for (yaml_node_t *n = d->yaml.nodes.start; n < d->yaml.nodes.top; n++) {
		if (n->type == YAML_SCALAR_NODE)
			n->data.scalar.style = YAML_DOUBLE_QUOTED_SCALAR_STYLE;
	}
	yaml_emitter_set_output(&emitter, write_bytes, out);
	d->loaded = false; /* yaml_emitter_dump frees it, whatever becomes of the writing */
	ok = yaml_emitter_dump(&emitter, &d->yaml) && yaml_emitter_close(&emitter);
	yaml_emitter_delete(&emitter);
	return ok ? 0 : -ENOMEM;
}
