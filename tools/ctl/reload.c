#include "ctl/order.h"
#include "ctl/verbs.h"

int verb_reload(struct ctl *c, char **words)
{
	(void)words;
	return order(c, ctl_ask(c, "reload"),
		"reloaded: new requests use the new settings, live streams keep theirs");
}
