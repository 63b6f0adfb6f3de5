/* Numbers as an operator writes them: 15s, 64KiB, 0660, 200-399, GET. Pure. All return 0, or -EINVAL with
 * *ret untouched; a hint, where there is one, says in a few words why. */
#ifndef SLUICE_CONF_NUMBER_H
#define SLUICE_CONF_NUMBER_H

#include "conf/value.h"

/* To milliseconds. */
must_check int number_duration(struct slice text, uint64_t *ret, const char **ret_hint);
/* To bytes. */
must_check int number_size(struct slice text, uint64_t *ret, const char **ret_hint);
must_check int number_octal(struct slice text, uint64_t *ret);
/* "200-399" to min << 16 | max. */
must_check int number_status(struct slice text, uint64_t *ret);
must_check int number_choice(const struct choice *list, struct slice text, uint64_t *ret);
/* To 1 << enum h1_method. */
must_check int number_method(struct slice text, uint64_t *ret);

must_check int number_print_duration(struct buf *out, uint64_t ms);
must_check int number_print_size(struct buf *out, uint64_t bytes);

#endif
