/* An instance's directory in bpffs. It is built under another name and renamed into place whole, so that a
 * reader never sees half of it. Whose it is follows from a lock on the directory itself: the kernel drops it
 * with the last process of the daemon, however that dies, and a pid that was given to somebody else fools
 * nobody. */
#include "kern/kern.h"
#include <dirent.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#define BPFFS_ROOT "/sys/fs/bpf"
#define TRIES	   8

static bool on_bpffs(const char *path)
{
	struct statfs fs;

	return statfs(path, &fs) == 0 && (unsigned long)fs.f_type == BPF_FS_MAGIC;
}

/* Makes `dir` on a bpffs; mounts one at its usual place when the system has not (containers, small systems).
 */
static int base_make(const char *dir, char *why, size_t size)
{
	if (strncmp(dir, BPFFS_ROOT "/", sizeof(BPFFS_ROOT)) == 0 && !on_bpffs(BPFFS_ROOT) &&
		mount("bpf", BPFFS_ROOT, "bpf", 0, "mode=0700"))
		return kern_fail(why, size, -errno, "bpffs is not mounted on %s and cannot be: %s",
			BPFFS_ROOT, strerror(errno));
	if (mkdir(dir, 0700) && errno != EEXIST)
		return kern_fail(why, size, -errno, "%s: %s", dir, strerror(errno));
	if (!on_bpffs(dir))
		return kern_fail(why, size, -EINVAL, "%s is not on a bpffs", dir);
	return 0;
}

static bool name_ok(const char *name)
{
	size_t n = strlen(name);

	/* bpffs allows no dots; '~' is ours for directories that are being built. */
	return n && n < SLUICE_MAX_INSTANCE &&
	       strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_") == n;
}

static void dir_remove(const char *path)
{
	DIR *d = opendir(path);
	struct dirent *e;

	if (!d)
		return;
	while ((e = readdir(d)))
		if (e->d_name[0] != '.')
			unlinkat(dirfd(d), e->d_name, 0);
	closedir(d);
	rmdir(path);
}

/* The locked directory, or -EWOULDBLOCK when a living process holds it. */
static int dir_lock(const char *path)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	if (flock(fd, LOCK_EX | LOCK_NB))
		return -errno;
	return take_fd(fd);
}

/* Removes directories of starts that died half way. */
static void litter_remove(const char *base)
{
	DIR *d = opendir(base);
	struct dirent *e;

	if (!d)
		return;
	while ((e = readdir(d))) {
		char path[512];
		int lock;

		if (!strchr(e->d_name, '~'))
			continue;
		snprintf(path, sizeof(path), "%s/%s", base, e->d_name);
		lock = dir_lock(path);
		if (lock < 0)
			continue;
		dir_remove(path);
		close(lock);
	}
	closedir(d);
}

/* Says whose the directory is. */
static int busy(const char *dir, char *why, size_t size)
{
	struct sluice_about a = {0};
	uint32_t zero = 0;
	char path[160];
	int fd;

	snprintf(path, sizeof(path), "%s/about", dir);
	fd = bpf_obj_get(path);
	if (fd < 0 || bpf_map_lookup_elem(fd, &zero, &a))
		a.pid = 0;
	if (fd >= 0)
		close(fd);
	return kern_fail(why, size, -EBUSY,
		"%s belongs to a running sluice (master pid %u, or a worker that outlived it): stop it, or "
		"choose another --instance",
		dir, a.pid);
}

static int pin_all(struct bpf_object *obj, const char *dir, char *why, size_t size)
{
	struct bpf_map *map;

	bpf_object__for_each_map(map, obj)
	{
		char path[192];

		if (bpf_map__is_internal(map))
			continue;
		snprintf(path, sizeof(path), "%s/%s", dir, bpf_map__name(map));
		if (bpf_obj_pin(bpf_map__fd(map), path))
			return kern_fail(why, size, -errno, "%s: %s", path, strerror(errno));
	}
	return 0;
}

/* Puts `fresh` at `dir`. */
static int publish(const char *fresh, const char *dir, bool takeover, char *why, size_t size)
{
	for (int i = 0; i < TRIES; i++) {
		_cleanup_close_ int old = -1;

		if (renameat2(AT_FDCWD, fresh, AT_FDCWD, dir, RENAME_NOREPLACE) == 0)
			return 0;
		if (errno != EEXIST)
			return kern_fail(why, size, -errno, "%s: %s", dir, strerror(errno));
		old = dir_lock(dir);
		if (old == -ENOENT)
			continue;
		if (old < 0 && !takeover)
			return busy(dir, why, size);
		if (renameat2(AT_FDCWD, fresh, AT_FDCWD, dir, RENAME_EXCHANGE) == 0) {
			dir_remove(fresh);
			return 0;
		}
		if (errno != ENOENT)
			return kern_fail(why, size, -errno, "%s: %s", dir, strerror(errno));
	}
	return kern_fail(why, size, -EBUSY, "%s: another start is in the way", dir);
}

int pins_make(
	struct pins *p, const struct splice_params *params, struct bpf_object *obj, char *why, size_t size)
{
	const char *base = params->dir ? params->dir : SLUICE_BPFFS;
	const char *name = params->instance ? params->instance : SLUICE_DEFAULT_INSTANCE;
	char fresh[160];
	int err;

	if (!name_ok(name))
		return kern_fail(why, size, -EINVAL,
			"instance \"%s\": at most %d letters, digits, '-' and '_'", name,
			SLUICE_MAX_INSTANCE - 1);
	if ((size_t)snprintf(p->dir, sizeof(p->dir), "%s/%s", base, name) >= sizeof(p->dir)) {
		p->dir[0] = '\0';
		return kern_fail(why, size, -ENAMETOOLONG, "%s: too long", base);
	}
	err = base_make(base, why, size);
	if (err) {
		p->dir[0] = '\0';
		return err;
	}
	litter_remove(base);
	snprintf(fresh, sizeof(fresh), "%s~%d", p->dir, (int)getpid());
	if (mkdir(fresh, 0700)) {
		p->dir[0] = '\0';
		return kern_fail(why, size, -errno, "%s: %s", fresh, strerror(errno));
	}
	p->lock = dir_lock(fresh);
	if (p->lock < 0) {
		err = kern_fail(why, size, p->lock, "%s: %s", fresh, strerror(-p->lock));
		p->lock = -1;
	} else {
		err = pin_all(obj, fresh, why, size);
	}
	if (!err)
		err = publish(fresh, p->dir, params->takeover, why, size);
	if (err) {
		dir_remove(fresh);
		p->dir[0] = '\0';
	}
	return err;
}

void pins_drop(struct pins *p, bool owner)
{
	struct stat ours, there;

	/* After a takeover another directory stands at this path. */
	if (owner && p->dir[0] && p->lock >= 0 && fstat(p->lock, &ours) == 0 && stat(p->dir, &there) == 0 &&
		ours.st_ino == there.st_ino && ours.st_dev == there.st_dev)
		dir_remove(p->dir);
	if (p->lock >= 0)
		close(p->lock);
	p->lock = -1;
	p->dir[0] = '\0';
}
