#include "ctl/order.h"
#include "ctl/verbs.h"

int verb_kill(struct ctl *c, char **words)
{
	uint64_t id = ctl_id(c, words[0]);

	if (!id)
		return 2;
	return order(c, ctl_ask(c, "kill %llu", (unsigned long long)id), "stream %llu is being ended",
		(unsigned long long)id);
}
