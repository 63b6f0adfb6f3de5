/* The master's listening sockets: one per worker and address (SO_REUSEPORT), one in all for a unix socket.
 * They outlive workers. */
#include "main/master_state.h"
#include "net/addr.h"
#include "net/listen.h"
#include <fcntl.h>
#include <stdio.h>

static int find_old(const struct master *m, unsigned worker, const char *listen)
{
	if (!m->children[worker].listeners)
		return -1;
	for (size_t i = 0; i < m->settings->nlisteners; i++)
		if (strcmp(m->settings->listeners[i].listen, listen) == 0)
			return m->children[worker].listeners[i];
	return -1;
}

static void free_rows(int **rows, unsigned workers, size_t n, bool close_fds)
{
	for (unsigned w = 0; rows && w < workers; w++) {
		for (size_t i = 0; close_fds && rows[w] && i < n; i++)
			if (rows[w][i] >= 0)
				close(rows[w][i]);
		free(rows[w]);
	}
	free(rows);
}

/* With port 0 the first worker's socket gets a port from the kernel, and the others must get the same. */
static int open_one(const struct listener_settings *l, const int *first, int *ret, char *why, size_t why_size)
{
	struct listener_settings same = *l;
	int err;

	if (first && l->addr.sa.sa_family == AF_UNIX) {
		*ret = fcntl(*first, F_DUPFD_CLOEXEC, 0);
		return *ret < 0 ? -errno : 0;
	}
	err = first ? listen_address(*first, &same.addr) : listen_check_free(l, why, why_size);
	if (err)
		return err;
	return listen_open(&same, ret, why, why_size);
}

int listeners_open(struct master *m, const struct settings *next, int ***ret, char *why, size_t why_size)
{
	int **rows = calloc(m->nchildren, sizeof(*rows));
	int err = rows ? 0 : -ENOMEM;

	for (unsigned w = 0; !err && w < m->nchildren; w++) {
		rows[w] = malloc(MAX(next->nlisteners, (size_t)1) * sizeof(int));
		if (!rows[w])
			err = -ENOMEM;
		for (size_t i = 0; rows[w] && i < next->nlisteners; i++)
			rows[w][i] = -1;
		for (size_t i = 0; !err && i < next->nlisteners; i++) {
			const struct listener_settings *l = &next->listeners[i];
			int old = find_old(m, w, l->listen);

			if (old >= 0) {
				rows[w][i] = fcntl(old, F_DUPFD_CLOEXEC, 0);
				err = rows[w][i] < 0 ? -errno : 0;
			} else {
				err = open_one(l, w ? &rows[0][i] : NULL, &rows[w][i], why, why_size);
			}
		}
	}
	if (err) {
		if (!*why)
			snprintf(why, why_size, "listeners: %s", strerror(-err));
		free_rows(rows, m->nchildren, next->nlisteners, true);
		return err;
	}
	*ret = rows;
	return 0;
}

/* A unix socket that nobody listens on any more leaves no file behind. */
static void unlink_dropped(const struct settings *old, const struct settings *next)
{
	for (size_t i = 0; i < old->nlisteners; i++) {
		const struct listener_settings *l = &old->listeners[i];
		bool kept = false;

		for (size_t k = 0; next && k < next->nlisteners; k++)
			kept |= strcmp(next->listeners[k].listen, l->listen) == 0;
		if (!kept && l->addr.sa.sa_family == AF_UNIX)
			unlink(l->addr.un.sun_path);
	}
}

static void close_row(struct child *c, size_t n)
{
	for (size_t i = 0; c->listeners && i < n; i++)
		close(c->listeners[i]);
	free(c->listeners);
	c->listeners = NULL;
}

void listeners_replace(struct master *m, int **fds, const struct settings *next)
{
	for (unsigned w = 0; w < m->nchildren; w++) {
		close_row(&m->children[w], m->settings->nlisteners);
		m->children[w].listeners = fds[w];
	}
	free(fds);
	if (next != m->settings)
		unlink_dropped(m->settings, next);
}

void listeners_close(struct master *m)
{
	/* What was never bound is somebody else's file. */
	if (m->children[0].listeners)
		unlink_dropped(m->settings, NULL);
	for (unsigned w = 0; w < m->nchildren; w++)
		close_row(&m->children[w], m->settings->nlisteners);
}
