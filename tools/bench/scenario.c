#include "scenario.h"
#include <stdio.h>

static const struct scenario *const scenarios[] = {&scenario_events, &scenario_idle, &scenario_setup,
	&scenario_abort, &scenario_stall, &scenario_saturate};

const struct scenario *scenario_find(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(scenarios); i++)
		if (!strcmp(scenarios[i]->name, name))
			return scenarios[i];
	return NULL;
}

void scenario_names(char *out, size_t size)
{
	size_t n = 0;

	for (size_t i = 0; i < ARRAY_LEN(scenarios) && n < size; i++)
		n += (size_t)snprintf(out + n, size - n, "%s%s", i ? " " : "", scenarios[i]->name);
}
