/* The end of every verb that tells the daemon to do something. */
#include "ctl/order.h"
#include <stdarg.h>

int order(const struct ctl *c, json_t *answer, const char *fmt, ...)
{
	va_list ap;

	if (!answer)
		return 1;
	if (c->json)
		return ctl_print_json(answer);
	json_decref(answer);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	putchar('\n');
	return 0;
}
