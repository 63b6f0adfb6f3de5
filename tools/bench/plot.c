#include "plot.h"
#include <libgen.h>
#include <limits.h>
#include <sys/stat.h>

const char *plot_scripts(char *out, size_t size)
{
	char self[PATH_MAX] = "";
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	const char *dir;

	self[MAX(n, (ssize_t)0)] = 0;
	dir = dirname(self);
	snprintf(out, size, "%s/../tools/bench/plots", dir);
	if (access(out, R_OK))
		snprintf(out, size, "%s/../share/sluice/plots", dir);
	return out;
}

int plot_folder(const char *path)
{
	int err = mkdir(path, 0755) && errno != EEXIST ? -errno : 0;

	if (err)
		fprintf(stderr, "sluice-bench plots: %s: %s\n", path, strerror(-err));
	return err;
}

int plot_begin(
	struct plot *p, const struct plot_dirs *dirs, const char *stem, const char *name, const char *script)
{
	snprintf(p->svg, sizeof(p->svg), "%s/%s-%s.svg", dirs->to, stem, name);
	snprintf(p->script, sizeof(p->script), "%s/%s.gp", dirs->scripts, script);
	if (access(p->script, R_OK)) {
		int err = -errno;

		fprintf(stderr, "sluice-bench plots: %s: %s\n", p->script, strerror(-err));
		return err;
	}
	p->to = popen("gnuplot -", "we");
	if (!p->to)
		return -errno;
	plot_text(p, "svg", p->svg);
	fprintf(p->to, "load \"%s/style.gp\"\n", dirs->scripts);
	return 0;
}

void plot_text(struct plot *p, const char *name, const char *text)
{
	fprintf(p->to, "%s = \"", name);
	for (; *text; text++) {
		if (*text == '\n')
			fputs("\\n", p->to);
		else
			fputc(*text == '"' || *text == '\\' ? '\'' : *text, p->to);
	}
	fputs("\"\n", p->to);
}

int plot_end(struct plot *p)
{
	struct stat st;
	int status;

	fprintf(p->to, "load \"%s\"\n", p->script);
	status = pclose(p->to);
	p->to = NULL;
	if (status || stat(p->svg, &st) || !st.st_size) {
		fprintf(stderr, "sluice-bench plots: gnuplot (Debian: gnuplot-nox) could not draw %s\n",
			p->svg);
		return -EIO;
	}
	printf("%s\n", p->svg);
	return 0;
}

static int plot_scale_file(const char *path, const struct plot_dirs *dirs, const char *stem)
{
	struct scale_data d;
	char why[200];
	int err = scale_read(path, &d, why, sizeof(why));

	if (err) {
		fprintf(stderr, "sluice-bench plots: %s: %s\n", path, why);
		return err;
	}
	err = plot_scale(&d, dirs, stem);
	scale_data_done(&d);
	return err;
}

int plot_file(const char *path, const struct plot_dirs *dirs)
{
	char copy[PATH_MAX], *stem, *dot;
	const char *kind;
	json_error_t error;
	json_t *o = json_load_file(path, 0, &error);
	int err;

	if (!o) {
		fprintf(stderr, "sluice-bench plots: %s: line %d: %s\n", path, error.line, error.text);
		return -EBADMSG;
	}
	snprintf(copy, sizeof(copy), "%s", path);
	stem = basename(copy);
	dot = strrchr(stem, '.');
	if (dot)
		*dot = 0;
	kind = json_string_value(json_object_get(o, "kind"));
	if (kind && !strcmp(kind, "scale"))
		err = plot_scale_file(path, dirs, stem);
	else
		err = plot_compare(o, dirs, stem);
	if (err == -EBADMSG && !kind)
		fprintf(stderr, "sluice-bench plots: %s is no file of `compare` or `scale`\n", path);
	json_decref(o);
	return err;
}
