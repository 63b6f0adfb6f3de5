/* YAML to settings: libyaml's tree for every mistake with its line, then libcyaml for the raw structs, then
 * build. */
#include "conf/build.h"
#include "conf/check.h"
#include <fcntl.h>

/* cyaml_mem would do the same; ours is free()'s own, so that tools which replace malloc see it. */
static void *memory(void *ctx, void *p, size_t n)
{
	(void)ctx;
	if (n)
		return realloc(p, n);
	free(p);
	return NULL;
}

static const cyaml_config_t cyaml = {.mem_fn = memory, .log_level = CYAML_LOG_ERROR};

static int build_from(const char *name, struct slice yaml, struct settings **ret, struct buf *errors)
{
	cyaml_data_t *raw = NULL;
	cyaml_err_t bad = cyaml_load_data((const uint8_t *)yaml.p, yaml.n, &cyaml, &schema_top, &raw, NULL);
	int err;

	/* libyaml wrote this text itself, so all that its parser can fail at is memory. */
	if (bad == CYAML_ERR_OOM || bad == CYAML_ERR_LIBYAML_PARSER_INIT || bad == CYAML_ERR_LIBYAML_PARSER)
		return -ENOMEM;
	err = bad == CYAML_OK && raw ? settings_build(raw, ret) : -EINVAL;
	cyaml_free(&cyaml, &schema_top, raw, 0);
	if (err == -EINVAL &&
		buf_printf(errors, "%s:1: top: a mistake of sluice's own, please report it: %s\n", name,
			cyaml_strerror(bad)) < 0)
		return -ENOMEM;
	return err;
}

static int check(struct document *d, struct mistakes *m)
{
	int err = document_expand(d);

	if (err)
		return err;
	check_document(d, m);
	cross_check(d, m);
	return 0;
}

int settings_parse(const char *name, struct slice text, struct settings **ret, struct buf *errors)
{
	_cleanup_(mistakes_done) struct mistakes m = {.file = name};
	_cleanup_(document_done) struct document d;
	_cleanup_buf_ struct buf yaml = {0};
	int err = 0;

	document_load(&d, text, &m);
	if (d.loaded && !m.n && !m.err)
		err = check(&d, &m);
	err = err ? err : mistakes_tell(&m, errors);
	err = err ? err : document_write(&d, &yaml);
	return err ? err : build_from(name, buf_slice(&yaml), ret, errors);
}

/* One byte more than is allowed is enough to know. */
static int read_all(int fd, struct buf *out)
{
	for (;;) {
		ssize_t n;
		int err = buf_reserve(out, 4096);

		if (err)
			return err;
		n = read(fd, out->data + out->len, MIN(out->cap - out->len, DOCUMENT_MAX + 1 - out->len));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		out->len += (size_t)n;
		if (!n || out->len > DOCUMENT_MAX)
			return 0;
	}
}

int settings_load(const char *path, struct settings **ret, struct buf *errors)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	_cleanup_buf_ struct buf text = {0};
	int err = fd < 0 ? -errno : read_all(fd, &text);

	if (!err)
		return settings_parse(path, buf_slice(&text), ret, errors);
	if (buf_printf(errors, "%s: cannot be read: %s\n", path, strerror(-err)) < 0)
		return -ENOMEM;
	return err;
}
