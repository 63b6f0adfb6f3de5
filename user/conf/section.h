/* Moves the scalars of one section from its raw struct to the settings, by the schema's table, and frees
 * them. */
#ifndef SLUICE_CONF_SECTION_H
#define SLUICE_CONF_SECTION_H

#include "conf/schema.h"

/* Every key that has a member: its text, or its default when it is absent (`raw` NULL: all are). -EINVAL or
 * -ENOMEM. */
must_check int section_apply(enum section_id id, const void *raw, void *to);
/* The number of a key that has no member of its own; `text` NULL takes the default. */
must_check int section_number(enum section_id id, const char *key, const char *text, uint64_t *ret);
/* Frees the texts that section_apply made. */
void section_release(enum section_id id, void *to);

#endif
