#include "exporter/kworker.h"
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>

#define NAME "(kworker/"

bool kworker_parse(const char *line, uint64_t *ret_ticks, uint64_t *ret_start)
{
	const char *name = strchr(line, '('), *p = strrchr(line, ')');
	unsigned long long user, system, start;

	if (!name || !p || strncmp(name, NAME, strlen(NAME)) != 0)
		return false;
	/* Behind the name: state, and from ppid (field 4) to starttime (22); proc_pid_stat(5). */
	if (sscanf(p + 1,
		    " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu %*d %*d %*d %*d %*d %*d %llu",
		    &user, &system, &start) != 3)
		return false;
	*ret_ticks = user + system;
	*ret_start = start;
	return true;
}

static bool look(int proc, const char *pid, struct kworker_seen *ret)
{
	char path[300], line[512];
	_cleanup_close_ int fd = -1;
	ssize_t n;

	snprintf(path, sizeof(path), "%s/stat", pid);
	fd = openat(proc, path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	n = read(fd, line, sizeof(line) - 1);
	if (n <= 0)
		return false;
	line[n] = '\0';
	ret->pid = atoi(pid);
	return kworker_parse(line, &ret->ticks, &ret->start);
}

static int by_pid(const void *a, const void *b)
{
	return ((const struct kworker_seen *)a)->pid - ((const struct kworker_seen *)b)->pid;
}

/* What the thread has used since the last look. */
static uint64_t fresh(const struct kworker *k, const struct kworker_seen *now)
{
	const struct kworker_seen *was =
		k->count ? bsearch(now, k->seen, k->count, sizeof(*now), by_pid) : NULL;

	if (!was || was->start != now->start)
		return k->begun ? now->ticks : 0;
	return now->ticks - was->ticks;
}

double kworker_seconds(struct kworker *k)
{
	struct kworker_seen *seen = NULL;
	size_t n = 0, cap = 0;
	DIR *d = opendir("/proc");
	struct dirent *e;

	if (!d)
		return -1;
	while ((e = readdir(d))) {
		if (e->d_name[0] < '1' || e->d_name[0] > '9')
			continue;
		if (n == cap) {
			struct kworker_seen *p = realloc(seen, (cap = cap ? 2 * cap : 64) * sizeof(*p));

			if (!p)
				break;
			seen = p;
		}
		if (look(dirfd(d), e->d_name, &seen[n]))
			k->ticks += fresh(k, &seen[n++]);
	}
	closedir(d);
	if (n)
		qsort(seen, n, sizeof(*seen), by_pid);
	free(k->seen);
	k->seen = seen;
	k->count = n;
	k->begun = true;
	return (double)k->ticks / (double)sysconf(_SC_CLK_TCK);
}

void kworker_done(struct kworker *k)
{
	free(k->seen);
	*k = (struct kworker){0};
}
