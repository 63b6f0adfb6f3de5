#include "scale.h"
#include "cli.h"

int grid_parse(const char *text, double least, double most, double *out, size_t *ret_n)
{
	size_t n = 0;

	for (;;) {
		size_t len = strcspn(text, ",");
		char one[32];

		if (n == GRID_MAX || len >= sizeof(one))
			return -EINVAL;
		memcpy(one, text, len);
		one[len] = 0;
		if (cli_number(one, least, most, &out[n++]))
			return -EINVAL;
		if (!text[len])
			break;
		text += len + 1;
	}
	*ret_n = n;
	return 0;
}

bool grid_has(const struct grid *g, size_t stream, size_t rate)
{
	return g->streams[stream] * g->rates[rate] <= g->max_events;
}
