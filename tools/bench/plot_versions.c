#include "plot.h"

#define LINE_MAX_CHARS 150 /* what fits beneath a plot */
#define VERSION_CHARS  40

static bool said_before(const struct plot_version *list, size_t at)
{
	for (size_t i = 0; i < at; i++)
		if (!strcmp(list[i].version, list[at].version))
			return true;
	return !list[at].version[0];
}

/* "a, b: VERSION" of all that have this one. */
static void one_version(const struct plot_version *list, size_t count, size_t at, char *out, size_t size)
{
	const char *version = strstr(list[at].version, "version: "); /* nginx puts this before */
	size_t n = 0;

	for (size_t i = at; i < count && n < size; i++)
		if (!strcmp(list[i].version, list[at].version))
			n += (size_t)snprintf(out + n, size - n, "%s%s", n ? ", " : "", list[i].name);
	if (n < size)
		snprintf(out + n, size - n, ": %.*s", VERSION_CHARS,
			version ? version + strlen("version: ") : list[at].version);
}

void plot_versions(const struct plot_version *list, size_t count, char *out, size_t size)
{
	size_t n = 0, line = 0;

	*out = 0;
	for (size_t i = 0; i < count && n < size; i++) {
		char text[256];
		const char *gap = n ? "; " : "\n";

		if (said_before(list, i))
			continue;
		one_version(list, count, i, text, sizeof(text));
		if (line + strlen(text) > LINE_MAX_CHARS) {
			gap = "\n";
			line = 0;
		}
		n += (size_t)snprintf(out + n, size - n, "%s%s", gap, text);
		line += strlen(text) + 2;
	}
}
