/* The names of families.def. */
#ifndef SLUICE_EXPORTER_FAMILIES_H
#define SLUICE_EXPORTER_FAMILIES_H

#include "exporter/text.h"

enum family {
#define FAMILY(id, type, name, labels, help) FAMILY_##id,
#include "exporter/families.def"
#undef FAMILY
	FAMILY_COUNT
};

#define FAMILY_LABELS 6

void family_begin(struct text *t, enum family f);
/* A sample of it; the list's labels get these values, in their order. */
void family_sample(struct text *t, enum family f, double value, ...);
/* One without labels, whole. */
void family_single(struct text *t, enum family f, double value);

#endif
