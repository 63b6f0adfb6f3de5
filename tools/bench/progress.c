#include "progress.h"
#include "base/clock.h"
#include "term.h"
#include <stdarg.h>

#define TRUSTED_SHARE 0.02 /* of the whole: before that the rest takes what it is meant to */

static double done_with(const struct progress *p, double part)
{
	return p->done_s + part * p->run_s;
}

double progress_left(const struct progress *p, double part, uint64_t now_ns)
{
	double done = done_with(p, part), passed = (double)(now_ns - p->begin_ns) / 1e9;

	if (done < p->total_s * TRUSTED_SHARE || done <= 0)
		return p->total_s - done;
	return MAX((p->total_s - done) * passed / done, 0.0);
}

const char *progress_time(double seconds, char *out)
{
	if (seconds < 100)
		snprintf(out, 24, "about %.0f s", seconds);
	else
		snprintf(out, 24, "about %.0f min", seconds / 60);
	return out;
}

void progress_show(const struct progress *p, double part, const char *fmt, ...)
{
	char text[160], left[24];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	term_progress(p->total_s > 0 ? done_with(p, part) / p->total_s : 0, "%s; %s left", text,
		progress_time(progress_left(p, part, clock_mono_ns()), left));
}

double progress_window(double runs, double overhead_s, double budget_s, double least, double most)
{
	double window = runs > 0 ? budget_s / runs - overhead_s : most;

	return MIN(MAX(window, least), most);
}
