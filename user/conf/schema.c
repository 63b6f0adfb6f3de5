#include "conf/schema.h"

#define OPTIONAL		  (CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL)
#define MEMBER_SIZE(type, member) sizeof(((type *)NULL)->member)

static const cyaml_schema_value_t text_value = {
	CYAML_VALUE_STRING(CYAML_FLAG_POINTER, char, 0, CYAML_UNLIMITED)};

/* clang-format off */
#define FIELD_SCALAR(X, key, ...) \
	CYAML_FIELD_STRING_PTR(#key, OPTIONAL, struct raw_##X, key, 0, CYAML_UNLIMITED),
#define FIELD_MAP(X, key, section) \
	CYAML_FIELD_MAPPING_PTR(#key, OPTIONAL, struct raw_##X, key, section##_fields),
#define FIELD_LIST(X, key, section, max) \
	CYAML_FIELD_SEQUENCE(#key, OPTIONAL, struct raw_##X, key, &section##_value, 0, max),
#define FIELD_TEXTS(X, key, kind, max) \
	CYAML_FIELD_SEQUENCE(#key, OPTIONAL, struct raw_##X, key, &text_value, 0, max),
#define SCHEMA(section, LIST, to, where, short) \
	static const cyaml_schema_field_t section##_fields[] = { \
		LIST(FIELD_SCALAR, FIELD_SCALAR, FIELD_SCALAR, FIELD_SCALAR, FIELD_MAP, FIELD_LIST, FIELD_TEXTS, section) \
		CYAML_FIELD_END}; \
	static const cyaml_schema_value_t section##_value __attribute__((unused)) = { \
		CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct raw_##section, section##_fields)};
SECTIONS(SCHEMA)

#define RAW(X, key) .name = #key, .raw = offsetof(struct raw_##X, key)
#define TO(X, member) .to = offsetof(to_##X, member), .size = MEMBER_SIZE(to_##X, member)
#define KEY_NUMBER(X, key, kind_, member, fallback_, zero_, min_, max_) \
	{RAW(X, key), .kind = KIND_##kind_, TO(X, member), .fallback = fallback_, .zero = zero_, .min = min_, .max = max_},
#define KEY_CHOICE(X, key, list_, member, fallback_) \
	{RAW(X, key), .kind = KIND_CHOICE, TO(X, member), .fallback = fallback_, .choices = &choices_##list_},
#define KEY_TEXT(X, key, kind_, member, fallback_) \
	{RAW(X, key), .kind = KIND_##kind_, TO(X, member), .fallback = fallback_},
#define KEY_BY_HAND(X, key, kind_, fallback_) {RAW(X, key), .kind = KIND_##kind_, .fallback = fallback_},
#define KEY_MAP(X, key, section) {.name = #key, .kind = KIND_NONE},
#define KEY_LIST(X, key, section, max) {.name = #key, .kind = KIND_NONE},
#define KEY_TEXTS(X, key, kind_, max) {.name = #key, .kind = KIND_##kind_},
#define KEYS(section, LIST, to, where, short) \
	typedef to to_##section; \
	static const struct key section##_keys[] = { \
		LIST(KEY_NUMBER, KEY_CHOICE, KEY_TEXT, KEY_BY_HAND, KEY_MAP, KEY_LIST, KEY_TEXTS, section)};
SECTIONS(KEYS)

#define SECTION(section, LIST, to, where_, short_for_) \
	{.where = where_, .fields = section##_fields, .keys = section##_keys, .short_for = short_for_},
/* clang-format on */

const struct cyaml_schema_value schema_top = {
	CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER, struct raw_top, top_fields)};

const struct section sections[SECTION_COUNT] = {SECTIONS(SECTION)};

const struct section *section_of(const struct cyaml_schema_field *fields)
{
	for (size_t i = 0; i < SECTION_COUNT; i++) {
		if (sections[i].fields == fields)
			return &sections[i];
	}
	return NULL;
}

const struct key *key_find(const struct section *s, struct slice name)
{
	for (size_t i = 0; s->fields[i].key; i++) {
		if (slice_eq(slice_of(s->keys[i].name), name))
			return &s->keys[i];
	}
	return NULL;
}
