#include "exporter/families.h"
#include <stdio.h>

static const struct family_row {
	enum text_type type;
	const char *name, *labels, *help;
} rows[FAMILY_COUNT] = {
#define FAMILY(id, kind, text, names, about) [FAMILY_##id] = {TEXT_##kind, text, names, about},
#include "exporter/families.def"
#undef FAMILY
};

void family_begin(struct text *t, enum family f)
{
	text_family(t, rows[f].name, rows[f].type, rows[f].help);
}

void family_sample(struct text *t, enum family f, double value, ...)
{
	struct text_label labels[FAMILY_LABELS];
	char names[FAMILY_LABELS][16];
	const char *p = rows[f].labels;
	size_t n = 0;
	va_list ap;

	va_start(ap, value);
	for (; *p && n < FAMILY_LABELS; n++) {
		size_t len = strcspn(p, " ");

		snprintf(names[n], sizeof(names[n]), "%.*s", (int)len, p);
		labels[n] = (struct text_label){names[n], va_arg(ap, const char *)};
		p += len + (p[len] == ' ');
	}
	va_end(ap);
	text_sample(t, rows[f].name, labels, n, value);
}

void family_single(struct text *t, enum family f, double value)
{
	family_begin(t, f);
	text_sample(t, rows[f].name, NULL, 0, value);
}
