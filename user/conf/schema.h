/* The sections of sluice.yaml as data: libcyaml's schema and, beside each of its fields, the key that says
 * what a scalar there may be. One list (keys.h) makes both, so what is checked and what is loaded cannot
 * differ. Constant. */
#ifndef SLUICE_CONF_SCHEMA_H
#define SLUICE_CONF_SCHEMA_H

#include "conf/keys.h"
#include <cyaml/cyaml.h>

struct section {
	const char *where;			 /* "routes[].timeouts" */
	const struct cyaml_schema_field *fields; /* ends with a NULL key */
	const struct key *keys;			 /* in step with `fields` */
	const char
		*short_for; /* a plain text in place of the mapping is this key's value; NULL: not allowed */
};

#define SECTION_ID(section, ...) SECTION_##section,
enum section_id { SECTIONS(SECTION_ID) SECTION_COUNT };

extern const struct section sections[SECTION_COUNT];
/* The whole document, for cyaml_load_data: a struct raw_top. */
extern const struct cyaml_schema_value schema_top;
/* The section that libcyaml's fields are those of. */
const struct section *section_of(const struct cyaml_schema_field *fields);
/* NULL: the section has no such key. */
const struct key *key_find(const struct section *s, struct slice name);

#endif
