#include "scale.h"
#include <math.h>
#include <stdarg.h>

#define KIB 1024.0
#define GIB (1024.0 * 1024.0 * 1024.0)

static const double rates[] = {0, 0.1, 1, 10, 40};
#define MILLION 1e6
#define KERNEL_FOR                                                                                           \
	"sluice-splice" /* whose memory the kernel's table tells, if it was measured; else the first that    \
			   was */

/* "1.25 million", "340,000"-like text of at most three digits that mean something. */
static const char *streams_text(double n, char *out, size_t size)
{
	if (isinf(n) || n > 1e12)
		snprintf(out, size, "no bound");
	else if (n >= MILLION)
		snprintf(out, size, "%.*f million",
			n < 10 * MILLION    ? 2
			: n < 100 * MILLION ? 1
					    : 0,
			n / MILLION);
	else if (n >= 1000)
		snprintf(out, size, "%.*f thousand", n < 10000 ? 2 : n < 100000 ? 1 : 0, n / 1000);
	else
		snprintf(out, size, "%.0f", MAX(n, 0.0));
	return out;
}

static void print_where(FILE *to, const struct scale_data *d)
{
	const struct machine *m = &d->machine;

	fprintf(to,
		"Measured %s: %s, %d CPUs, %.0f GiB; %s; %s. Events of %.0f B; windows of %g s, for idle "
		"streams %g s.\n",
		m->when, m->cpu, m->cpus, (double)m->memory_mib / 1024, m->kernel,
		topology_about(d->topology), d->size, d->seconds, d->idle_seconds);
	for (size_t i = 0; i < d->contender_count; i++)
		if (d->contenders[i].version[0])
			fprintf(to, "%s is %s. ", d->contenders[i].name, d->contenders[i].version);
	fputc('\n', to);
}

static void print_cell(FILE *to, bool has, const char *fmt, ...) printf_like(3, 4);

static void print_cell(FILE *to, bool has, const char *fmt, ...)
{
	char text[64];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	fprintf(to, " %s |", has ? text : "not measured");
}

static void print_costs(FILE *to, const struct scale_data *d)
{
	fprintf(to, "\n**Fitted cost**, above the same load without a relay; ± is one standard error\n\n"
		    "| contender | CPU per event, us, busy | the same where events are few | half way at, "
		    "events/s "
		    "| CPU of 1,000 idle streams, %% of one | runs lie off, "
		    "rms (worst) | user memory "
		    "per stream, KiB | kernel memory per stream, KiB | memory without streams, MiB "
		    "|\n|---|---|---|---|---|---|---|---|---|\n");
	for (size_t i = 0; i < d->contender_count; i++) {
		struct scale_model m;

		if (!strcmp(d->contenders[i].name, "none") || !scale_fit(d, d->contenders[i].name, &m))
			continue;
		fprintf(to, "| `%s` |", d->contenders[i].name);
		print_cell(to, m.cpu.rows, "%.2f ± %.2f", m.cpu.c[0] * 1e6, m.cpu.error[0] * 1e6);
		print_cell(to, m.cpu.rows, "%.2f", scale_event(&m, 0) * 1e6);
		if (m.half > 0)
			fprintf(to, " %.0f |", m.half);
		else
			fputs(" – |", to);
		print_cell(to, m.cpu.rows, "%.3f ± %.3f", m.cpu.c[1] * 1e5, m.cpu.error[1] * 1e5);
		print_cell(to, m.cpu.rows, "%.0f %% (%.0f %%)", m.cpu.off * 100, m.cpu.worst * 100);
		print_cell(to, m.user.rows, "%.2f ± %.2f", m.user.c[0] / KIB, m.user.error[0] / KIB);
		print_cell(to, m.kernel.rows, "%.2f ± %.2f", m.kernel.c[0] / KIB, m.kernel.error[0] / KIB);
		print_cell(to, m.user.rows, "%.1f", m.user.c[1] / KIB / 1024);
		fputc('\n', to);
	}
}

static void print_capacity_row(
	FILE *to, const char *name, const struct scale_model *m, const struct scale_host *host, double rate)
{
	struct scale_capacity c = scale_capacity(m, host, rate);
	double streams = MIN(c.by_cpu, c.by_memory);
	char a[32], low[32], high[32], b[32], all[32];

	fprintf(to, "| `%s` | %g | %s (%s to %s) | %s | **%s** | %.3g |\n", name, rate,
		streams_text(c.by_cpu, a, sizeof(a)), streams_text(c.by_cpu_low, low, sizeof(low)),
		streams_text(c.by_cpu_high, high, sizeof(high)), streams_text(c.by_memory, b, sizeof(b)),
		streams_text(streams, all, sizeof(all)), isinf(streams) ? 0 : streams * rate / 1e6);
}

static void print_capacity(FILE *to, const struct scale_data *d, const struct scale_host *host)
{
	fprintf(to,
		"\n**One host of %.0f CPUs and %.0f GiB**, filled to %.0f %% of its CPUs and %.0f %% of its "
		"memory: extrapolated, not "
		"measured; in brackets with the coefficients two standard errors off\n\n"
		"| contender | events/s on each stream | streams that the CPUs carry | streams that fit the "
		"memory | the lesser | then "
		"million events/s |\n|---|---|---|---|---|---|\n",
		host->cpus, host->memory / GIB, host->cpu_share * 100, host->memory_share * 100);
	for (size_t i = 0; i < d->contender_count; i++) {
		const char *name = d->contenders[i].name;
		struct scale_model m;

		if (!strcmp(name, "none") || !scale_fit(d, name, &m) || !m.cpu.rows)
			continue;
		for (size_t k = 0; k < ARRAY_LEN(rates); k++)
			print_capacity_row(to, name, &m, host, rates[k]);
	}
}

static void print_memory(FILE *to, const struct scale_data *d)
{
	fprintf(to, "\n**Memory of a million idle streams, GiB**\n\n| contender | user | kernel | sum "
		    "|\n|---|---|---|---|\n");
	for (size_t i = 0; i < d->contender_count; i++) {
		struct scale_model m;

		if (!strcmp(d->contenders[i].name, "none") || !scale_fit(d, d->contenders[i].name, &m))
			continue;
		if (m.user.rows && m.kernel.rows)
			fprintf(to, "| `%s` | %.1f | %.1f | %.1f |\n", d->contenders[i].name,
				m.user.c[0] * MILLION / GIB, m.kernel.c[0] * MILLION / GIB,
				(m.user.c[0] + m.kernel.c[0]) * MILLION / GIB);
	}
}

/* The contender that the kernel's table is written for. */
static const char *kernel_for(const struct scale_data *d)
{
	const char *name = NULL;

	for (size_t i = 0; i < d->contender_count; i++) {
		if (!strcmp(d->contenders[i].name, KERNEL_FOR))
			return KERNEL_FOR;
		if (!name && strcmp(d->contenders[i].name, "none") != 0)
			name = d->contenders[i].name;
	}
	return name;
}

void scale_print(FILE *to, const struct scale_data *d, const struct scale_host *host)
{
	const char *name = kernel_for(d);
	struct scale_model m;

	print_where(to, d);
	print_costs(to, d);
	print_capacity(to, d, host);
	print_memory(to, d);
	if (!name || !scale_fit(d, name, &m))
		return;
	fprintf(to, "\n**Settings for a million streams** on such a host (memory: `%s`)\n\n", name);
	scale_print_kernel(to, &m, MILLION, host);
}

/* The whole file as text; NULL with errno set. */
static char *read_page(const char *path, size_t *ret_n)
{
	FILE *f = fopen(path, "re");
	char *text = NULL;
	size_t cap = 1 << 20;

	if (!f)
		return NULL;
	text = malloc(cap);
	if (text) {
		*ret_n = fread(text, 1, cap - 1, f);
		text[*ret_n] = 0;
	}
	fclose(f);
	return text;
}

int scale_write_page(const struct scale_data *d, const struct scale_host *host, const char *path)
{
	_cleanup_free_ char *page = NULL;
	size_t n = 0;
	char *begin, *end;
	FILE *f;

	page = read_page(path, &n);
	if (!page)
		return errno ? -errno : -ENOMEM;
	begin = strstr(page, SCALE_BEGIN);
	end = begin ? strstr(begin, SCALE_END) : NULL;
	if (!end)
		return -EBADMSG;
	f = fopen(path, "we");
	if (!f)
		return -errno;
	fwrite(page, 1, (size_t)(begin - page) + sizeof(SCALE_BEGIN) - 1, f);
	scale_print(f, d, host);
	fputs(end, f);
	return fclose(f) ? -EIO : 0;
}
