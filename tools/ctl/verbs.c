#include "ctl/verbs.h"

const struct verb verbs[] = {
	{"streams", "[EXPRESSION ...]", "one line per live stream, those for which all expressions hold",
		verb_streams, 0, -1,
		{{"columns", "LIST", "what to show, comma-separated"},
			{"sort", "COLUMN", "numbers: the largest first; text: by the alphabet"},
			{"reverse", NULL, "the other way round"}, {"limit", "N", "the first N only"},
			{"rates", NULL, "look twice, so that --json has the rates"}}},
	{"totals", "", "counters since the start", verb_totals, 0, 0, {{0}}},
	{"workers", "", "the worker processes", verb_workers, 0, 0, {{0}}},
	{"kill", "ID", "end one stream", verb_kill, 1, 1, {{0}}},
	{"drain", "", "stop accepting, close streams over the drain window, end", verb_drain, 0, 0, {{0}}},
	{"reload", "", "read the config file again", verb_reload, 0, 0, {{0}}},
	{"log", "level [LEVEL]", "how much the daemon says: error, warn, info or debug", verb_log, 1, 2,
		{{0}}},
};
const size_t nverbs = ARRAY_LEN(verbs);
