#include "cpu.h"
#include "base/clock.h"
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>

#define KTHREADD 2 /* the parent of all kernel threads */

const char *const cpu_class_names[CPU_CLASSES] = {
	"contender", "origin", "load", "kworker", "kernel", "other"};

struct process {
	pid_t pid, ppid;
	char comm[32];
};

struct processes {
	struct process *list;
	size_t count, cap;
};

static void cleanup_dir(DIR **d)
{
	if (*d)
		closedir(*d);
}

/* The start of a /proc file as text. */
static int read_text(const char *path, char *out, size_t size)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, out, size - 1);

	if (n < 0)
		return -errno;
	out[n] = 0;
	return 0;
}

int cpu_parse_stat(const char *text, pid_t *ret_ppid, char *comm)
{
	/* The name may hold spaces and parentheses: it ends at the last one. */
	const char *open = strchr(text, '('), *close = strrchr(text, ')');
	int ppid;

	if (!open || !close || close < open || sscanf(close + 1, " %*c %d", &ppid) != 1)
		return -EINVAL;
	snprintf(comm, 32, "%.*s", (int)(close - open - 1), open + 1);
	*ret_ppid = ppid;
	return 0;
}

int cpu_parse_machine(const char *text, long hz, struct cpu_sample *ret)
{
	unsigned long long user, nice, sys, idle, iowait, irq, softirq, steal;
	uint64_t tick = NS_PER_S / (uint64_t)hz;

	if (sscanf(text, "cpu %llu %llu %llu %llu %llu %llu %llu %llu", &user, &nice, &sys, &idle, &iowait,
		    &irq, &softirq, &steal) != 8)
		return -EINVAL;
	ret->busy_ns = (user + nice + sys + irq + softirq) * tick;
	ret->irq_ns = (irq + softirq) * tick;
	ret->steal_ns = steal * tick;
	return 0;
}

static int list_processes(struct processes *ret)
{
	_cleanup_(cleanup_dir) DIR *dir = opendir("/proc");
	struct dirent *entry;

	while (dir && (entry = readdir(dir))) {
		char path[64], text[512];
		struct process p = {.pid = atoi(entry->d_name)};

		if (p.pid <= 0)
			continue;
		snprintf(path, sizeof(path), "/proc/%d/stat", p.pid);
		if (read_text(path, text, sizeof(text)) || cpu_parse_stat(text, &p.ppid, p.comm))
			continue; /* it ended meanwhile */
		if (ret->count == ret->cap) {
			size_t cap = ret->cap ? ret->cap * 2 : 256;
			struct process *list = realloc(ret->list, cap * sizeof(*list));

			if (!list)
				return -ENOMEM;
			ret->list = list;
			ret->cap = cap;
		}
		ret->list[ret->count++] = p;
	}
	return dir ? 0 : -errno;
}

static const struct process *find_process(const struct processes *all, pid_t pid)
{
	for (size_t i = 0; i < all->count; i++)
		if (all->list[i].pid == pid)
			return &all->list[i];
	return NULL;
}

/* Whom a process serves: the first of its ancestors, itself included, that is somebody's root. */
static enum cpu_class classify(
	const struct processes *all, const struct process *p, const struct cpu_roots *roots)
{
	if (p->pid == KTHREADD || p->ppid == KTHREADD)
		return strncmp(p->comm, "kworker", 7) == 0 || strncmp(p->comm, "ksoftirqd", 9) == 0
			       ? CPU_KWORKER
			       : CPU_KERNEL;
	while (p) {
		if (p->pid == roots->contender)
			return CPU_CONTENDER;
		if (p->pid == roots->origin)
			return CPU_ORIGIN;
		if (p->pid == roots->load)
			return CPU_LOAD;
		p = p->ppid ? find_process(all, p->ppid) : NULL;
	}
	return CPU_OTHER;
}

static int add_task(struct cpu_sample *s, size_t *cap, const struct cpu_task *t)
{
	if (s->count == *cap) {
		size_t more = *cap ? *cap * 2 : 512;
		struct cpu_task *tasks = realloc(s->tasks, more * sizeof(*tasks));

		if (!tasks)
			return -ENOMEM;
		s->tasks = tasks;
		*cap = more;
	}
	s->tasks[s->count++] = *t;
	return 0;
}

static int add_threads(struct cpu_sample *s, size_t *cap, pid_t pid, enum cpu_class class)
{
	char path[96], text[128];
	_cleanup_(cleanup_dir) DIR *dir = NULL;
	struct dirent *entry;

	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	dir = opendir(path);
	while (dir && (entry = readdir(dir))) {
		struct cpu_task t = {.tid = atoi(entry->d_name), .class = (uint8_t) class};
		unsigned long long run;

		snprintf(path, sizeof(path), "/proc/%d/task/%d/schedstat", pid, t.tid);
		if (t.tid <= 0 || read_text(path, text, sizeof(text)) || sscanf(text, "%llu", &run) != 1)
			continue;
		t.run_ns = run;
		if (add_task(s, cap, &t))
			return -ENOMEM;
	}
	return 0;
}

static int by_tid(const void *a, const void *b)
{
	const struct cpu_task *x = a, *y = b;

	return (x->tid > y->tid) - (x->tid < y->tid);
}

int cpu_sample_take(struct cpu_sample *ret, const struct cpu_roots *roots)
{
	struct cpu_sample s = {0};
	struct processes all = {0};
	char text[512];
	size_t cap = 0;
	int err = list_processes(&all);

	for (size_t i = 0; !err && i < all.count; i++)
		err = add_threads(&s, &cap, all.list[i].pid, classify(&all, &all.list[i], roots));
	free(all.list);
	if (!err)
		err = read_text("/proc/stat", text, sizeof(text));
	if (!err)
		err = cpu_parse_machine(text, sysconf(_SC_CLK_TCK), &s);
	if (err) {
		free(s.tasks);
		return err;
	}
	if (s.count)
		qsort(s.tasks, s.count, sizeof(*s.tasks), by_tid);
	*ret = s;
	return 0;
}

void cpu_sample_done(struct cpu_sample *s)
{
	free(s->tasks);
	*s = (struct cpu_sample){0};
}

void cpu_between(const struct cpu_sample *a, const struct cpu_sample *b, struct cpu_use *ret)
{
	struct cpu_use use = {{0}, b->busy_ns - a->busy_ns, b->irq_ns - a->irq_ns, b->steal_ns - a->steal_ns};
	size_t at = 0;

	for (size_t i = 0; i < b->count; i++) {
		const struct cpu_task *t = &b->tasks[i];
		uint64_t before = 0;

		while (at < a->count && a->tasks[at].tid < t->tid)
			at++;
		/* A smaller figure than before: the number was given to a new thread. */
		if (at < a->count && a->tasks[at].tid == t->tid && a->tasks[at].run_ns <= t->run_ns)
			before = a->tasks[at].run_ns;
		use.ns[t->class] += t->run_ns - before;
	}
	*ret = use;
}

uint64_t cpu_use_total(const struct cpu_use *use)
{
	uint64_t sum = 0;

	for (int i = 0; i < CPU_OTHER; i++)
		sum += use->ns[i];
	return sum;
}
