#include "conf/section.h"

static void put_number(void *at, size_t size, uint64_t value)
{
	uint8_t as8 = (uint8_t)value;
	uint32_t as32 = (uint32_t)value;

	if (size == sizeof(as8))
		memcpy(at, &as8, size);
	else if (size == sizeof(as32))
		memcpy(at, &as32, size);
	else
		memcpy(at, &value, size);
}

static int put(const struct key *k, const char *text, void *to)
{
	const char *hint;
	uint64_t value;
	char *copy;
	int err;

	if (k->kind >= KIND_INSTANCE) {
		copy = strdup(text);
		if (!copy)
			return -ENOMEM;
		memcpy((char *)to + k->to, &copy, sizeof(copy));
		return 0;
	}
	err = value_number(k, slice_of(text), &value, &hint);
	if (!err)
		put_number((char *)to + k->to, k->size, value);
	return err;
}

int section_apply(enum section_id id, const void *raw, void *to)
{
	const struct section *s = &sections[id];
	int err = 0;

	for (size_t i = 0; s->fields[i].key && !err; i++) {
		const struct key *k = &s->keys[i];
		const char *text = NULL;

		if (!k->size)
			continue;
		if (raw)
			memcpy(&text, (const char *)raw + k->raw, sizeof(text));
		if (!text)
			text = k->fallback;
		if (text)
			err = put(k, text, to);
	}
	return err;
}

int section_number(enum section_id id, const char *key, const char *text, uint64_t *ret)
{
	const struct key *k = key_find(&sections[id], slice_of(key));
	const char *hint;

	return value_number(k, slice_of(text ? text : k->fallback), ret, &hint);
}

void section_release(enum section_id id, void *to)
{
	const struct section *s = &sections[id];

	for (size_t i = 0; s->fields[i].key; i++) {
		const struct key *k = &s->keys[i];
		char *text;

		if (!k->size || k->kind < KIND_INSTANCE)
			continue;
		memcpy(&text, (char *)to + k->to, sizeof(text));
		free(text);
	}
}
