/* Finding and mapping. */
#include "view/private.h"
#include "base/clock.h"
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>

int view_fail(char *why, size_t size, int err, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	if (why && size)
		vsnprintf(why, size, fmt, ap);
	va_end(ap);
	return err;
}

const char *view_instance(const struct view_params *p)
{
	return p->instance ? p->instance : SLUICE_DEFAULT_INSTANCE;
}

const char *view_bpffs(const struct view_params *p)
{
	return p->bpffs ? p->bpffs : SLUICE_BPFFS;
}

static int other_version(const struct sluice_about *a, char *why, size_t size)
{
	if (a->abi != SLUICE_ABI_VERSION)
		return view_fail(why, size, -EPROTO,
			"the running sluice has records of version %u, this program reads version %u: use "
			"the "
			"programs of one build",
			a->abi, SLUICE_ABI_VERSION);
	if (a->ctl_size != sizeof(struct sluice_ctl) || a->flow_size != sizeof(struct sluice_flow))
		return view_fail(why, size, -EPROTO,
			"the running sluice has records of %u and %u bytes, this program reads %zu and %zu: "
			"use "
			"the programs of one build",
			a->ctl_size, a->flow_size, sizeof(struct sluice_ctl), sizeof(struct sluice_flow));
	return 0;
}

/* ---- the daemon's memory, through the admin socket */

static int state_map(struct view *v, int fd, char *why, size_t size)
{
	const struct sluice_state *s;
	struct stat st;
	void *p;

	if (fstat(fd, &st))
		return view_fail(why, size, -errno, "the daemon's memory: %s", strerror(errno));
	if ((size_t)st.st_size < sizeof(*s))
		return view_fail(
			why, size, -EPROTO, "the daemon's memory has no head: another version of sluice");
	p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, fd, 0);
	if (p == MAP_FAILED)
		return view_fail(why, size, -errno, "the daemon's memory: %s", strerror(errno));
	s = p;
	if (s->magic != SLUICE_STATE_MAGIC || s->bytes != (uint64_t)st.st_size) {
		munmap(p, (size_t)st.st_size);
		return view_fail(why, size, -EPROTO,
			"the daemon's memory does not look like ours: another version of sluice");
	}
	v->state = s;
	v->about = s->about;
	return other_version(&v->about, why, size);
}

static int state_open(struct view *v, const struct view_params *p, char *why, size_t size)
{
	_cleanup_free_ char *answer = NULL;
	_cleanup_close_ int fd = -1;
	int err = view_ask(p, "state", &answer, &fd, why, size);

	if (err)
		return err;
	if (fd < 0)
		return view_fail(why, size, -EPROTO,
			"the running sluice does not hand out its memory: another version of sluice");
	return state_map(v, fd, why, size);
}

const void *view_section(const struct view *v, const char *name, uint32_t size, uint32_t *ret_count)
{
	for (size_t i = 0; i < ARRAY_LEN(v->tables); i++) {
		const struct view_table *t = &v->tables[i];

		if (t->p && t->size == size && strcmp(t->name, name) == 0) {
			*ret_count = t->count;
			return t->p;
		}
	}
	for (size_t i = 0; v->state && i < SLUICE_STATE_SECTIONS; i++) {
		const struct sluice_section *s = &v->state->sections[i];

		if (strncmp(s->name, name, sizeof(s->name)) != 0 || s->size != size ||
			s->offset + (uint64_t)s->count * s->size > v->state->bytes)
			continue;
		*ret_count = s->count;
		return (const char *)v->state + s->offset;
	}
	return NULL;
}

/* ---- the pinned maps */

int view_pinned_about(const char *dir, struct sluice_about *ret)
{
	struct bpf_map_info info = {0};
	uint32_t len = sizeof(info), zero = 0;
	char path[192];
	_cleanup_close_ int fd = -1;

	snprintf(path, sizeof(path), "%s/about", dir);
	fd = bpf_obj_get(path);
	if (fd < 0)
		return -errno;
	/* The kernel writes as many bytes as the map's maker said. */
	if (bpf_obj_get_info_by_fd(fd, &info, &len) || info.value_size != sizeof(*ret))
		return -EPROTO;
	return bpf_map_lookup_elem(fd, &zero, ret) ? -errno : 0;
}

static const void *map_table(const char *dir, const char *name, size_t bytes)
{
	char path[192];
	_cleanup_close_ int fd = -1;
	void *p;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	fd = bpf_obj_get(path);
	if (fd < 0)
		return NULL;
	p = mmap(NULL, bytes, PROT_READ, MAP_SHARED, fd, 0);
	return p == MAP_FAILED ? NULL : p;
}

/* What an operator's program can do without when it is not there. */
static void tables_map(struct view *v, const char *dir)
{
	char path[192];
	const struct view_table all[ARRAY_LEN(v->tables)] = {
		{"counters", NULL, v->about.workers + 1, v->about.counters_size},
		{"servers", NULL, v->about.workers * v->about.servers, v->about.server_size},
		{"certs", NULL, v->about.certs, v->about.cert_size},
	};

	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		v->tables[i] = all[i];
		v->tables[i].p = map_table(dir, all[i].name, (size_t)all[i].count * all[i].size);
	}
	snprintf(path, sizeof(path), "%s/totals", dir);
	v->totals_fd = bpf_obj_get(path);
}

static void tables_unmap(struct view *v)
{
	for (size_t i = 0; i < ARRAY_LEN(v->tables); i++)
		if (v->tables[i].p)
			munmap((void *)v->tables[i].p, (size_t)v->tables[i].count * v->tables[i].size);
}

static int pins_open(struct view *v, const struct view_params *p, char *why, size_t size)
{
	struct sluice_about a;
	char dir[160];
	int err;

	snprintf(dir, sizeof(dir), "%s/%s", view_bpffs(p), v->state ? v->about.instance : view_instance(p));
	err = view_pinned_about(dir, &a);
	if (err == -EPROTO)
		return view_fail(why, size, err,
			"%s/about is not of this version: use the programs of one build", dir);
	if (err)
		return view_fail(why, size, err, "%s: %s", dir, strerror(-err));
	err = other_version(&a, why, size);
	if (err)
		return err;
	if (v->state && a.pid != v->about.pid)
		return view_fail(why, size, -ESTALE,
			"%s is pid %u's, the admin socket pid %u's: one of them has just started, try again",
			dir, a.pid, v->about.pid);
	v->about = a;
	v->ctl = map_table(dir, "ctl", (size_t)a.slots * sizeof(struct sluice_ctl));
	v->flows = map_table(dir, "flows", (size_t)a.slots * sizeof(struct sluice_flow));
	if (!v->ctl || !v->flows)
		return view_fail(
			why, size, -errno, "%s: ctl and flows cannot be mapped: %s", dir, strerror(errno));
	tables_map(v, dir);
	return 0;
}

/* ---- both */

static int nobody(const struct view_params *p, char *why, size_t size)
{
	char names[256];

	return view_fail(why, size, -ENOENT, "no sluice runs as instance '%s'; running: %s", view_instance(p),
		view_running(p, names, sizeof(names)));
}

static int open_all(struct view *v, const struct view_params *p, char *why, size_t size)
{
	int err = state_open(v, p, why, size);

	if (!err && !v->state->spliced) {
		uint32_t count = 0;

		v->ctl = view_section(v, "ctl", sizeof(struct sluice_ctl), &count);
		if (!v->ctl || count < v->about.slots)
			return view_fail(why, size, -EPROTO, "the daemon's memory has no table of streams");
		return 0;
	}
	if (!err)
		return pins_open(v, p, why, size);
	/* The master may be stopped or busy, and its pins say all about the streams. */
	if (err == -EPROTO || err == -EACCES || p->admin)
		return err;
	if (pins_open(v, p, why, size))
		return err == -ENOENT ? nobody(p, why, size) : err;
	return view_pid_is(&v->about) ? 0 : nobody(p, why, size);
}

int view_open(const struct view_params *p, struct view **ret, char *why, size_t size)
{
	struct view *v = calloc(1, sizeof(*v));
	int err;

	if (!v)
		return view_fail(why, size, -ENOMEM, "out of memory");
	v->pidfd = v->totals_fd = -1;
	err = open_all(v, p, why, size);
	if (err) {
		view_close(v);
		return err;
	}
	v->pidfd = (int)syscall(SYS_pidfd_open, (pid_t)v->about.pid, 0);
	*ret = v;
	return 0;
}

void view_close(struct view *v)
{
	if (!v)
		return;
	if (v->flows)
		munmap((void *)v->flows, (size_t)v->about.slots * sizeof(struct sluice_flow));
	if (v->ctl && !(v->state && !v->state->spliced))
		munmap((void *)v->ctl, (size_t)v->about.slots * sizeof(struct sluice_ctl));
	tables_unmap(v);
	if (v->state)
		munmap((void *)v->state, v->state->bytes);
	if (v->pidfd >= 0)
		close(v->pidfd);
	if (v->totals_fd >= 0)
		close(v->totals_fd);
	free(v);
}

const struct sluice_about *view_about(const struct view *v)
{
	return &v->about;
}

bool view_alive(const struct view *v)
{
	struct pollfd p = {.fd = v->pidfd, .events = POLLIN};

	return v->pidfd >= 0 && poll(&p, 1, 0) == 0;
}

bool view_spliced(const struct view *v)
{
	return v->flows != NULL;
}

int view_kernel(const struct view *v, struct sluice_totals *ret)
{
	const size_t fields = sizeof(*ret) / sizeof(uint64_t);
	struct bpf_map_info info = {0};
	uint32_t len = sizeof(info), zero = 0;
	int n = libbpf_num_possible_cpus();
	_cleanup_free_ struct sluice_totals *cpus = n > 0 ? calloc((size_t)n, sizeof(*cpus)) : NULL;

	if (v->totals_fd < 0)
		return -ENOENT;
	if (!cpus)
		return -ENOMEM;
	/* The kernel writes as many bytes as the map's maker said. */
	if (bpf_obj_get_info_by_fd(v->totals_fd, &info, &len) || info.value_size != sizeof(*ret))
		return -EPROTO;
	if (bpf_map_lookup_elem(v->totals_fd, &zero, cpus))
		return -errno;
	memset(ret, 0, sizeof(*ret));
	for (int cpu = 0; cpu < n; cpu++)
		for (size_t i = 0; i < fields; i++)
			((uint64_t *)ret)[i] += ((const uint64_t *)&cpus[cpu])[i];
	return 0;
}
