#include "ctl/order.h"
#include "ctl/verbs.h"

int verb_drain(struct ctl *c, char **words)
{
	(void)words;
	return order(c, ctl_ask(c, "drain"),
		"draining: nothing is accepted any more, streams are closed over the window, then it ends");
}
