#include "term.h"
#include <stdarg.h>
#include <sys/ioctl.h>

#define BAR_WIDTH 20

const char *term_style(FILE *to, enum term_style style)
{
	static const char *const codes[] = {
		"\033[0m", "\033[1m", "\033[2m", "\033[32m", "\033[33m", "\033[31m", "\033[36m"};
	const char *term = getenv("TERM");
	const char *no = getenv("NO_COLOR");

	if ((no && *no) || !term || !strcmp(term, "dumb") || !isatty(fileno(to)))
		return "";
	return codes[style];
}

unsigned term_width(FILE *to)
{
	struct winsize size;

	if (ioctl(fileno(to), TIOCGWINSZ, &size) || !size.ws_col)
		return 100;
	return size.ws_col;
}

const char *term_count(uint64_t v, char *out)
{
	char digits[24];
	int n = snprintf(digits, sizeof(digits), "%llu", (unsigned long long)v);
	char *p = out;

	for (int i = 0; i < n; i++) {
		if (i && (n - i) % 3 == 0)
			*p++ = ',';
		*p++ = digits[i];
	}
	*p = 0;
	return out;
}

const char *term_ns(uint64_t ns, char *out)
{
	static const struct {
		double unit;
		const char *name;
	} units[] = {{1e3, "us"}, {1e6, "ms"}, {1e9, "s"}};
	size_t i = ns < 1000000 ? 0 : ns < 1000000000 ? 1 : 2;
	double v = (double)ns / units[i].unit;

	snprintf(out, TERM_NUMBER_MAX, "%.*f %s", v < 10 ? 2 : v < 100 ? 1 : 0, v, units[i].name);
	return out;
}

void term_progress(double share, const char *fmt, ...)
{
	char text[256], bar[BAR_WIDTH + 1];
	unsigned width = term_width(stderr);
	va_list args;
	int filled = (int)(MIN(share, 1.0) * BAR_WIDTH);

	if (!isatty(STDERR_FILENO))
		return;
	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	if (share < 0) {
		fprintf(stderr, "\r\033[K%.*s", (int)width - 1, text);
		return;
	}
	for (int i = 0; i < BAR_WIDTH; i++)
		bar[i] = i < filled ? '#' : '.';
	bar[BAR_WIDTH] = 0;
	fprintf(stderr, "\r\033[K[%s] %.*s", bar, (int)width - BAR_WIDTH - 4, text);
}

void term_progress_done(void)
{
	if (isatty(STDERR_FILENO))
		fputs("\r\033[K", stderr);
}
