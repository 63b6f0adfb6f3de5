#include "base/log.h"
#include <stdarg.h>
#include <stdio.h>
#include <poll.h>

static enum log_level threshold = LOG_LEVEL_INFO;
static char ident[48] = "sluice";
static uint64_t dropped;

static const char *const names[] = {"error", "warn", "info", "debug"};

void log_set_level(enum log_level level)
{
	threshold = level;
}

enum log_level log_get_level(void)
{
	return threshold;
}

const char *log_level_name(enum log_level level)
{
	return names[level];
}

int log_level_parse(const char *text, enum log_level *ret_level)
{
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		if (strcmp(text, names[i]) == 0) {
			*ret_level = (enum log_level)i;
			return 0;
		}
	}
	return -EINVAL;
}

void log_set_ident(const char *name)
{
	snprintf(ident, sizeof(ident), "%s", name);
}

uint64_t log_dropped(void)
{
	return dropped;
}

void log_line(enum log_level level, const char *fmt, ...)
{
	char line[2048];
	struct pollfd pfd = {.fd = STDERR_FILENO, .events = POLLOUT};
	int saved = errno, head, n;
	va_list args;

	if (level > threshold)
		return;
	head = level == LOG_LEVEL_INFO ? snprintf(line, sizeof(line), "%s: ", ident)
				       : snprintf(line, sizeof(line), "%s: %s: ", ident, names[level]);
	va_start(args, fmt);
	n = vsnprintf(line + head, sizeof(line) - (size_t)head - 1, fmt, args);
	va_end(args);
	if (n < 0)
		return;
	n = MIN(head + n, (int)sizeof(line) - 2);
	line[n++] = '\n';
	/* stderr is shared with the parent, so O_NONBLOCK is not ours to set: ask first. A pipe that is
	 * writable takes PIPE_BUF (4 KiB) whole. */
	if (poll(&pfd, 1, 0) != 1 || !(pfd.revents & POLLOUT) || write(STDERR_FILENO, line, (size_t)n) != n)
		dropped++;
	errno = saved;
}
