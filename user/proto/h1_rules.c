#include "proto/h1.h"

static const struct {
	const char *label;
	int status;
	const char *text;
} rules[H1_RULE_COUNT] = {
	[H1_OK] = {"ok", 200, "no rule is broken"},
#define H1_RULE(id, label, status, text) [H1_RULE_##id] = {label, status, text},
#include "proto/h1_rules.def"
#undef H1_RULE
};

const char *h1_rule_label(enum h1_rule r)
{
	return r < H1_RULE_COUNT ? rules[r].label : "unknown";
}

int h1_rule_status(enum h1_rule r)
{
	return r < H1_RULE_COUNT ? rules[r].status : 400;
}

const char *h1_rule_text(enum h1_rule r)
{
	return r < H1_RULE_COUNT ? rules[r].text : "unknown rule";
}
