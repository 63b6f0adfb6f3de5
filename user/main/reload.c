/* SIGHUP: the config is read and checked whole before any worker hears of it. */
#include "base/clock.h"
#include "base/log.h"
#include "main/control.h"
#include "main/master_state.h"
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>

static int read_file(const char *path, struct buf *text)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return -errno;
	do {
		int err = buf_reserve(text, 64 * 1024);

		if (err)
			return err;
		n = read(fd, text->data + text->len, text->cap - text->len);
		if (n < 0)
			return -errno;
		text->len += (size_t)n;
	} while (n > 0);
	return 0;
}

/* Each worker reads the same bytes that were checked here, whatever happens to the file meanwhile. */
static int text_fd(const char *name, struct slice text)
{
	_cleanup_close_ int fd = memfd_create(name, MFD_CLOEXEC);

	if (fd < 0)
		return -errno;
	while (text.n) {
		ssize_t n = write(fd, text.p, text.n);

		if (n < 0)
			return -errno;
		text.p += n;
		text.n -= (size_t)n;
	}
	return take_fd(fd);
}

static void keep(const char *key)
{
	log_warn("reload: %s has changed; it takes effect with the next start", key);
}

static bool same_text(const char *a, const char *b)
{
	return a == b || (a && b && strcmp(a, b) == 0);
}

static void say_what_stays(const struct settings *old, const struct settings *next)
{
	if (old->workers != next->workers)
		keep("workers");
	if (old->max_streams != next->max_streams)
		keep("max_streams");
	if (strcmp(old->instance, next->instance) != 0)
		keep("instance");
	if (!same_text(old->admin, next->admin))
		keep("admin");
	if (!same_text(old->status, next->status) || old->status_remote != next->status_remote)
		keep("admin_http");
	if (!same_text(old->user, next->user))
		keep("user");
	if (!same_text(old->access_log, next->access_log))
		keep("log.access");
}

static void tell_workers(struct master *m, int config_fd, int material_fd)
{
	static struct control_message msg;

	msg = (struct control_message){
		.kind = CONTROL_RELOAD, .nfds = (uint32_t)m->settings->nlisteners + CONTROL_FD_LISTENERS};
	msg.fds[CONTROL_FD_CONFIG] = config_fd;
	msg.fds[CONTROL_FD_MATERIAL] = material_fd;
	for (unsigned w = 0; w < m->nchildren; w++) {
		struct child *c = &m->children[w];

		if (!c->pid)
			continue; /* being restarted: it begins with the new settings */
		memcpy(msg.fds + CONTROL_FD_LISTENERS, c->listeners, m->settings->nlisteners * sizeof(int));
		if (control_send(c->control.fd, &msg))
			log_error("worker %u does not take its new settings", w);
	}
}

static int material_fd(const struct tls_material *material)
{
	_cleanup_buf_ struct buf bytes = {0};
	int err = tls_material_pack(material, &bytes), fd = -1;

	if (!err)
		fd = text_fd("sluice-certificates", buf_slice(&bytes));
	if (bytes.data)
		explicit_bzero(bytes.data, bytes.cap);
	return err ? err : fd;
}

/* The certificates of `next`, none of them worse than what is in use. */
static int next_material(struct master *m, const struct settings *next, struct tls_material **ret,
	int *ret_fd, char *why, size_t why_size)
{
	_cleanup_buf_ struct buf errors = {0};
	int err = certificates_load(next, ret, why, why_size);

	if (err)
		return err;
	err = tls_material_compare(m->material, *ret, next, &errors);
	log_lines("reload refused", &errors, why, why_size);
	*ret_fd = err ? err : material_fd(*ret);
	return *ret_fd < 0 ? *ret_fd : 0;
}

static void cleanup_material(struct tls_material **m)
{
	tls_material_free(*m);
}

static int reload(struct master *m, char *why, size_t why_size)
{
	_cleanup_(cleanup_material) struct tls_material *material = NULL;
	_cleanup_buf_ struct buf text = {0}, errors = {0};
	_cleanup_close_ int config_fd = -1, certs_fd = -1;
	struct settings *next;
	int **fds, err;

	if (!m->config) {
		snprintf(why, why_size, "started from flags: there is no config file to read again");
		log_warn("reload: %s", why);
		return -EINVAL;
	}
	err = read_file(m->config, &text);
	if (err) {
		snprintf(why, why_size, "%s: %s", m->config, strerror(-err));
		log_error("reload refused: %s; the old settings stay", why);
		return err;
	}
	err = settings_parse(m->config, buf_slice(&text), &next, &errors);
	if (err) {
		log_lines("reload refused", &errors, why, why_size);
		log_error("reload refused; the old settings stay");
		return err;
	}
	config_fd = text_fd("sluice-config", buf_slice(&text));
	err = config_fd < 0 ? config_fd : 0;
	if (!err && next->nlisteners > CONTROL_MAX_FDS - CONTROL_FD_LISTENERS)
		err = -E2BIG;
	if (!err)
		err = next_material(m, next, &material, &certs_fd, why, why_size);
	if (!err)
		err = listeners_open(m, next, &fds, why, why_size);
	if (err) {
		if (!*why)
			snprintf(why, why_size, "%s", strerror(-err));
		log_error("reload refused: %s; the old settings stay", why);
		settings_unref(next);
		return err;
	}
	say_what_stays(m->settings, next);
	listeners_replace(m, fds, next);
	settings_unref(m->settings);
	m->settings = next;
	tls_material_free(m->material);
	m->material = take_ptr(material);
	certificates_show(m);
	log_set_level(next->log_level);
	tell_workers(m, config_fd, certs_fd);
	log_info("reloaded %s", m->config);
	return 0;
}

int master_reload(struct master *m, char *why, size_t why_size)
{
	struct sluice_counters *own = &m->totals[m->nchildren];
	int err = reload(m, why, why_size);

	own->reload_ok = !err;
	if (err) {
		own->reloads_failed++;
	} else {
		own->reloads++;
		own->reload_time = clock_wall_ns() / NS_PER_S;
	}
	return err;
}
