/* log level [LEVEL]: shows or sets it, in the master and all workers. */
#include "ctl/order.h"
#include "ctl/verbs.h"
#include "base/log.h"

int verb_log(struct ctl *c, char **words)
{
	enum log_level level;
	json_t *answer;

	if (strcmp(words[0], "level") != 0)
		return ctl_misuse(c, "log knows 'level' and not '%s'", words[0]);
	if (words[1] && log_level_parse(words[1], &level))
		return ctl_misuse(c, "'%s' is no level: error, warn, info or debug", words[1]);
	answer = ctl_ask(c, "log-level%s%s", words[1] ? " " : "", words[1] ? words[1] : "");
	if (!words[1] && answer && !c->json) {
		puts(json_string_value(json_object_get(answer, "level")));
		json_decref(answer);
		return 0;
	}
	return order(c, answer, "log level is %s now, until the next reload", words[1] ? words[1] : "");
}
