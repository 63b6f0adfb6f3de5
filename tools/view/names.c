#include "view/view.h"

static const char *const states[] = {
#define STATE(id, text, ...) text,
#include "stream/states.def"
#undef STATE
};

const char *view_state_name(unsigned state)
{
	return state < ARRAY_LEN(states) ? states[state] : "unknown";
}
