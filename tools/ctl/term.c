#include "ctl/term.h"
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

static const char *const codes[MOOD_COUNT] = {
	[MOOD_PLAIN] = "",
	[MOOD_TITLE] = "\033[1m",
	[MOOD_GOOD] = "\033[32m",
	[MOOD_WARN] = "\033[33m",
	[MOOD_BAD] = "\033[31m",
	[MOOD_FAINT] = "\033[2m",
};

static int width_of(int fd)
{
	const char *columns = getenv("COLUMNS");
	struct winsize size;

	if (columns && atoi(columns) > 0)
		return atoi(columns);
	return ioctl(fd, TIOCGWINSZ, &size) == 0 ? size.ws_col : 0;
}

void term_init(struct term *t, FILE *to)
{
	const char *no_color = getenv("NO_COLOR"), *type = getenv("TERM");

	*t = (struct term){.tty = isatty(fileno(to))};
	if (!t->tty)
		return;
	t->width = width_of(fileno(to));
	t->colour = !(no_color && *no_color) && type && strcmp(type, "dumb") != 0;
}

const char *term_on(const struct term *t, enum mood mood)
{
	return t->colour ? codes[mood] : "";
}

const char *term_off(const struct term *t, enum mood mood)
{
	return t->colour && *codes[mood] ? "\033[0m" : "";
}
