/* Load, attach, map, pin; and the way back. */
#include "kern/kern.h"
#include "base/clock.h"
#include "splice.skel.h"
#include <stdarg.h>
#include <stdio.h>
#include <sys/mman.h>

_Static_assert(sizeof(((struct splice_bpf *)0)->rodata->sse_class) == 512,
	"one class per byte, and one for no byte");

int kern_fail(char *why, size_t size, int err, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	if (why && size)
		vsnprintf(why, size, fmt, ap);
	va_end(ap);
	return err;
}

/* libbpf prints through a global hook. What it says last while the objects are loaded says best what is
 * wrong. */
static char libbpf_said[256];

/* The verifier's verdict is the last line of its log in front of the statistics. */
static void verifier_said(char *log)
{
	char *end = strstr(log, "\nprocessed ");
	char *line;

	if (!end)
		return;
	*end = '\0';
	line = strrchr(log, '\n');
	snprintf(libbpf_said, sizeof(libbpf_said), "verifier: %s", line ? line + 1 : log);
}

static int on_libbpf_print(enum libbpf_print_level level, const char *fmt, va_list ap)
{
	_cleanup_free_ char *text = NULL;

	if (level != LIBBPF_WARN || vasprintf(&text, fmt, ap) < 0)
		return 0;
	if (strstr(text, "PROG LOAD LOG")) {
		verifier_said(text);
	} else if (strncmp(libbpf_said, "verifier:", 9) != 0) {
		text[strcspn(text, "\n")] = '\0';
		snprintf(libbpf_said, sizeof(libbpf_said), "%s", text);
	}
	return 0;
}

static size_t page_up(size_t n)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	return (n + page - 1) / page * page;
}

static int sizes_set(struct splice_bpf *skel, uint32_t slots, uint32_t workers, uint32_t servers)
{
	struct {
		struct bpf_map *map;
		uint32_t n;
	} sizes[] = {
		{skel->maps.flows, slots},
		{skel->maps.ctl, slots},
		{skel->maps.source, slots},
		{skel->maps.target, slots},
		/* Each CPU keeps a few free entries to itself. */
		{skel->maps.slots, slots + 64},
		{skel->maps.notes, workers},
		{skel->maps.counters, workers + 1},
		{skel->maps.servers, workers * servers},
	};

	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		int err = bpf_map__set_max_entries(sizes[i].map, sizes[i].n);

		if (err)
			return err;
	}
	return 0;
}

/* Opened, sized, loaded and attached to `source`. */
static int bpf_up(struct splice *k, char *why, size_t size)
{
	struct splice_bpf *skel = splice_bpf__open();
	int err;

	if (!skel)
		return kern_fail(why, size, -errno, "the BPF object cannot be opened: %s", strerror(errno));
	k->skel = skel;
	err = track_table((uint8_t *)skel->rodata->sse_class, (uint8_t *)skel->rodata->sse_next,
		sizeof(skel->rodata->sse_next) / 16, 16, (uint8_t *)&skel->rodata->sse_idle);
	if (err)
		return kern_fail(
			why, size, err, "the event table does not fit the program: a fault of the build");
	err = sizes_set(skel, k->slots, k->workers, k->server_rows);
	if (!err)
		err = splice_bpf__load(skel);
	if (err == -EPERM)
		return kern_fail(
			why, size, err, "loading BPF programs needs CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON");
	if (err)
		return kern_fail(why, size, err, "the kernel does not load the splice program: %s%s%s",
			strerror(-err), libbpf_said[0] ? ": " : "", libbpf_said);
	err = bpf_prog_attach(bpf_program__fd(skel->progs.splice_verdict), bpf_map__fd(skel->maps.source),
		BPF_SK_SKB_STREAM_VERDICT, 0);
	if (err)
		return kern_fail(why, size, err, "the kernel does not attach the verdict to a sockmap: %s",
			strerror(-err));
	k->source_fd = bpf_map__fd(skel->maps.source);
	k->target_fd = bpf_map__fd(skel->maps.target);
	k->slots_fd = bpf_map__fd(skel->maps.slots);
	k->totals_fd = bpf_map__fd(skel->maps.totals);
	return 0;
}

static size_t table_bytes(const struct bpf_map *map)
{
	return page_up((size_t)bpf_map__max_entries(map) * bpf_map__value_size(map));
}

/* NULL: errno says why. */
static void *table_map(const struct bpf_map *map, int prot)
{
	void *p = mmap(NULL, table_bytes(map), prot, MAP_SHARED, bpf_map__fd(map), 0);

	return p == MAP_FAILED ? NULL : p;
}

static void table_unmap(const struct bpf_map *map, const void *p)
{
	if (p)
		munmap((void *)p, table_bytes(map));
}

static int tables_map(struct splice *k)
{
	k->ctl = table_map(k->skel->maps.ctl, PROT_READ | PROT_WRITE);
	k->flows = k->ctl ? table_map(k->skel->maps.flows, PROT_READ) : NULL;
	k->counters = k->flows ? table_map(k->skel->maps.counters, PROT_READ | PROT_WRITE) : NULL;
	k->servers = k->counters ? table_map(k->skel->maps.servers, PROT_READ | PROT_WRITE) : NULL;
	k->certs = k->servers ? table_map(k->skel->maps.certs, PROT_READ | PROT_WRITE) : NULL;
	if (!k->certs)
		return -errno;
	k->seats = calloc(k->slots, sizeof(*k->seats));
	return k->seats ? 0 : -ENOMEM;
}

static void tables_unmap(struct splice *k)
{
	if (!k->skel)
		return;
	table_unmap(k->skel->maps.ctl, k->ctl);
	table_unmap(k->skel->maps.flows, k->flows);
	table_unmap(k->skel->maps.counters, k->counters);
	table_unmap(k->skel->maps.servers, k->servers);
	table_unmap(k->skel->maps.certs, k->certs);
}

static int about_write(struct splice *k, const char *instance)
{
	struct sluice_about a = {
		.abi = SLUICE_ABI_VERSION,
		.slots = k->slots,
		.workers = k->workers,
		.pid = (uint32_t)k->master,
		.start_ns = clock_mono_ns(),
		.ctl_size = sizeof(struct sluice_ctl),
		.flow_size = sizeof(struct sluice_flow),
		.servers = k->server_rows,
		.version = SLUICE_VERSION,
		.start_wall_ns = clock_wall_ns(),
		.counters_size = sizeof(struct sluice_counters),
		.server_size = sizeof(struct sluice_server),
		.cert_size = sizeof(struct sluice_cert),
		.certs = SLUICE_MAX_CERTS,
	};
	uint32_t zero = 0;

	snprintf(a.instance, sizeof(a.instance), "%s", instance);
	return bpf_map_update_elem(bpf_map__fd(k->skel->maps.about), &zero, &a, BPF_ANY);
}

static int open_all(struct splice *k, const struct splice_params *p, char *why, size_t size)
{
	int err = bpf_up(k, why, size);

	if (err)
		return err;
	err = notes_open(k, bpf_map__fd(k->skel->maps.notes));
	if (!err)
		err = tables_map(k);
	if (!err)
		err = about_write(k, p->instance ? p->instance : SLUICE_DEFAULT_INSTANCE);
	if (err)
		return kern_fail(
			why, size, err, "the splice lane's maps cannot be set up: %s", strerror(-err));
	return p->pin ? pins_make(&k->pins, p, k->skel->obj, why, size) : 0;
}

int splice_open(const struct splice_params *p, struct splice **ret, char *why, size_t size)
{
	libbpf_print_fn_t printed;
	struct splice *k;
	int err;

	if (!p->slots || !p->workers)
		return kern_fail(why, size, -EINVAL, "no slots or no workers were asked for");
	k = calloc(1, sizeof(*k));
	if (!k)
		return kern_fail(why, size, -ENOMEM, "out of memory");
	k->slots = p->slots;
	k->workers = p->workers;
	k->server_rows = MAX(p->servers, 1U);
	k->master = getpid();
	k->pins.lock = -1;
	libbpf_said[0] = '\0';
	printed = libbpf_set_print(on_libbpf_print);
	err = open_all(k, p, why, size);
	libbpf_set_print(printed);
	if (err) {
		splice_close(k);
		return err;
	}
	*ret = k;
	return 0;
}

void splice_close(struct splice *k)
{
	if (!k)
		return;
	pins_drop(&k->pins, getpid() == k->master);
	notes_close(k);
	tables_unmap(k);
	free(k->seats);
	splice_bpf__destroy(k->skel);
	free(k);
}

struct sluice_ctl *splice_ctl(struct splice *k)
{
	return k->ctl;
}

const struct sluice_flow *splice_flows(const struct splice *k)
{
	return k->flows;
}

struct sluice_counters *splice_counters(const struct splice *k)
{
	return k->counters;
}

struct sluice_server *splice_servers(const struct splice *k)
{
	return k->servers;
}

struct sluice_cert *splice_certs(const struct splice *k)
{
	return k->certs;
}

uint32_t splice_slots(const struct splice *k)
{
	return k->slots;
}

int splice_verdict_fd(const struct splice *k)
{
	return bpf_program__fd(k->skel->progs.splice_verdict);
}

int splice_totals(const struct splice *k, struct sluice_totals *ret)
{
	const size_t fields = sizeof(*ret) / sizeof(uint64_t);
	_cleanup_free_ struct sluice_totals *cpus = NULL;
	struct sluice_totals sum = {0};
	int n = libbpf_num_possible_cpus(), err;
	uint32_t zero = 0;

	_Static_assert(sizeof(*ret) % sizeof(uint64_t) == 0, "counters only");
	if (n < 0)
		return n;
	cpus = calloc((size_t)n, sizeof(*cpus));
	if (!cpus)
		return -ENOMEM;
	err = bpf_map_lookup_elem(k->totals_fd, &zero, cpus);
	if (err)
		return err;
	for (int i = 0; i < n; i++)
		for (size_t f = 0; f < fields; f++)
			((uint64_t *)&sum)[f] += ((const uint64_t *)&cpus[i])[f];
	*ret = sum;
	return 0;
}

void splice_totals_reset(const struct splice *k)
{
	int n = libbpf_num_possible_cpus();
	_cleanup_free_ struct sluice_totals *none = n > 0 ? calloc((size_t)n, sizeof(*none)) : NULL;
	uint32_t zero = 0;

	if (none)
		bpf_map_update_elem(k->totals_fd, &zero, none, BPF_ANY);
}
