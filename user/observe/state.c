#include "observe/state.h"
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>

#define ALIGN 64

static uint64_t align_up(uint64_t n)
{
	return (n + ALIGN - 1) / ALIGN * ALIGN;
}

static uint64_t layout(struct sluice_section *sections, const struct state_part *parts, size_t n)
{
	uint64_t at = align_up(sizeof(struct sluice_state));

	for (size_t i = 0; i < n; i++) {
		sections[i] =
			(struct sluice_section){.offset = at, .count = parts[i].count, .size = parts[i].size};
		snprintf(sections[i].name, sizeof(sections[i].name), "%s", parts[i].name);
		at = align_up(at + (uint64_t)parts[i].count * parts[i].size);
	}
	return at;
}

/* A second description of the same memory that nobody can write through. */
static int reopen_readonly(int fd)
{
	char path[32];
	int ro;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	ro = open(path, O_RDONLY | O_CLOEXEC);
	return ro < 0 ? -errno : ro;
}

int state_new(struct state *s, const struct sluice_about *about, bool spliced, const struct state_part *parts,
	size_t n)
{
	_cleanup_close_ int fd = memfd_create("sluice-state", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	struct sluice_state head = {.magic = SLUICE_STATE_MAGIC, .spliced = spliced, .about = *about};
	int ro;
	void *p;

	if (n > SLUICE_STATE_SECTIONS)
		return -E2BIG;
	if (fd < 0)
		return -errno;
	head.bytes = layout(head.sections, parts, n);
	if (ftruncate(fd, (off_t)head.bytes) || fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW))
		return -errno;
	ro = reopen_readonly(fd);
	if (ro < 0)
		return ro;
	p = mmap(NULL, head.bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (p == MAP_FAILED) {
		int err = -errno;

		close(ro);
		return err;
	}
	memcpy(p, &head, sizeof(head));
	for (size_t i = 0; i < n; i++)
		*parts[i].ret = (char *)p + head.sections[i].offset;
	*s = (struct state){.head = p, .fd = ro};
	return 0;
}

void state_done(struct state *s)
{
	if (s->head) {
		munmap(s->head, s->head->bytes);
		close(s->fd);
	}
	*s = (struct state){.fd = -1};
}
