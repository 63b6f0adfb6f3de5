/* The kinds of text in the config: which bytes each may have. Pure. */
#ifndef SLUICE_CONF_TEXT_H
#define SLUICE_CONF_TEXT_H

#include "conf/address.h"
#include "conf/value.h"

/* 0, or -EINVAL with a hint that may be NULL. `kind` is one of the texts. */
must_check int text_check(enum kind kind, struct slice text, const char **ret_hint);
/* What is allowed, in words; also of STATUS and METHOD. */
const char *text_allowed(enum kind kind);

#endif
