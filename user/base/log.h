/* Messages for the operator, one line each, to stderr (the access log is observe/'s). Never blocks: a line
 * that stderr does not take at once is dropped and counted. Libraries return errors; only the top logs. */
#ifndef SLUICE_BASE_LOG_H
#define SLUICE_BASE_LOG_H

#include "base/util.h"

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARN, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

/* Below this level nothing is written. */
void log_set_level(enum log_level level);
enum log_level log_get_level(void);
/* "error", "warn", "info" or "debug"; -EINVAL otherwise. */
const char *log_level_name(enum log_level level);
must_check int log_level_parse(const char *text, enum log_level *ret_level);
/* Names the process in each line: "sluice[worker 1]: …". Copied. */
void log_set_ident(const char *ident);
/* Lines that were lost because stderr was full. */
uint64_t log_dropped(void);

void log_line(enum log_level level, const char *fmt, ...) printf_like(2, 3);

#define log_error(...) log_line(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warn(...)  log_line(LOG_LEVEL_WARN, __VA_ARGS__)
#define log_info(...)  log_line(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...) log_line(LOG_LEVEL_DEBUG, __VA_ARGS__)

#endif
