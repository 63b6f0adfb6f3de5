#include "memory.h"
#include <stdio.h>

#define DEPTH_MAX 8 /* of a relay's process tree */

static void cleanup_file(FILE **f)
{
	if (*f)
		fclose(*f);
}

/* Kept by the kernel for files that anybody on the machine read: they come and go with other work. */
static bool of_a_file_system(const char *cache)
{
	static const char *const starts[] = {"ext4_", "jbd2_", "xfs_", "btrfs_", "fuse_", "ovl_", "nfs_",
		"squashfs_", "inode_cache", "proc_inode_cache", "shmem_inode_cache", "kernfs_node_cache",
		"radix_tree_node", "buffer_head", "bio-", "vm_area_struct", "anon_vma", "maple_node"};

	for (size_t i = 0; i < ARRAY_LEN(starts); i++)
		if (!strncmp(cache, starts[i], strlen(starts[i])))
			return true;
	return false;
}

void memory_add_slab(const char *line, uint64_t *sum)
{
	char name[64];
	unsigned long long active, all, size;

	if (sscanf(line, "%63s %llu %llu %llu", name, &active, &all, &size) == 4 && !of_a_file_system(name))
		*sum += active * size;
}

int memory_parse_sockstat(const char *text, uint64_t *ret_pages)
{
	const char *tcp = strstr(text, "TCP: "), *mem = tcp ? strstr(tcp, " mem ") : NULL;
	const char *end = tcp ? strchr(tcp, '\n') : NULL;
	unsigned long long pages;

	if (!mem || (end && mem > end) || sscanf(mem, " mem %llu", &pages) != 1)
		return -EINVAL;
	*ret_pages = pages;
	return 0;
}

static void add_process(struct memory_sample *s, pid_t pid)
{
	_cleanup_(cleanup_file) FILE *f = NULL;
	char path[64], line[128];
	unsigned long long kib;

	snprintf(path, sizeof(path), "/proc/%d/smaps_rollup", pid);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "Pss: %llu kB", &kib) == 1)
			s->user += kib * 1024;
		else if (sscanf(line, "Rss: %llu kB", &kib) == 1)
			s->resident += kib * 1024;
}

static void add_tree(struct memory_sample *s, pid_t pid, int depth)
{
	_cleanup_(cleanup_file) FILE *f = NULL;
	char path[80];
	int child;

	add_process(s, pid);
	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", pid, pid);
	f = depth < DEPTH_MAX ? fopen(path, "re") : NULL;
	while (f && fscanf(f, "%d", &child) == 1)
		add_tree(s, child, depth + 1);
}

int memory_sample_take(struct memory_sample *ret, pid_t root)
{
	_cleanup_(cleanup_file) FILE *slab = fopen("/proc/slabinfo", "re");
	_cleanup_(cleanup_file) FILE *sockstat = fopen("/proc/net/sockstat", "re");
	struct memory_sample s = {0};
	char text[1024];
	uint64_t pages;
	size_t n = sockstat ? fread(text, 1, sizeof(text) - 1, sockstat) : 0;
	int err;

	text[n] = 0;
	err = memory_parse_sockstat(text, &pages);
	if (err)
		return err;
	if (root)
		add_tree(&s, root, 0);
	s.sockets = pages * (uint64_t)sysconf(_SC_PAGESIZE);
	while (slab && fgets(text, sizeof(text), slab))
		memory_add_slab(text, &s.slab);
	*ret = s;
	return 0;
}
