#include "scale.h"
#include <math.h>
#include <stdarg.h>

#define PORTS_PER_ADDRESS (65535 - 1024 + 1)
#define SNDBUF_BYTES	  (2.0 * 16384) /* a client's SO_SNDBUF as sluice sets it, doubled by the kernel */
#define TCP_MEM_SHARE	  0.25		/* of the host's memory, for queued data at most */
#define CONNTRACK_BYTES	  320.0		/* struct nf_conn, rounded up by its slab */
#define SPARE		  1.25		/* above what the streams take by themselves */

static void row(FILE *to, const char *setting, const char *why, const char *fmt, ...) printf_like(4, 5);

static void row(FILE *to, const char *setting, const char *why, const char *fmt, ...)
{
	va_list args;

	fprintf(to, "| `%s` | ", setting);
	va_start(args, fmt);
	vfprintf(to, fmt, args);
	va_end(args);
	fprintf(to, " | %s |\n", why);
}

static double up(double v, double step)
{
	return ceil(v / step) * step;
}

void scale_print_kernel(FILE *to, const struct scale_model *m, double streams, const struct scale_host *host)
{
	double page = (double)sysconf(_SC_PAGESIZE), pages = up(host->memory * TCP_MEM_SHARE / page, 1024),
	       sockets = 2 * streams;
	double addresses = ceil(streams / PORTS_PER_ADDRESS);
	char why[320];

	fprintf(to, "| setting | value | why |\n|---|---|---|\n");
	row(to, "fs.file-max", "two sockets a stream, and room", "%.0f", up(sockets * SPARE, 1000));
	snprintf(why, sizeof(why),
		"for each worker, its share of the streams' fds, which is never quite even; "
		"conf/sluice.service sets 1048576, as much as "
		"the kernel's default of fs.nr_open allows");
	row(to, "LimitNOFILE=", why, "%.0f at least", MAX(up(sockets * SPARE / host->cpus, 1024), 65536.0));
	snprintf(why, sizeof(why),
		"%d connections between one own address and one address and port of an upstream: so many "
		"streams take **%.0f** such "
		"pairs, as servers of the upstream",
		PORTS_PER_ADDRESS, addresses);
	row(to, "net.ipv4.ip_local_port_range", why, "1024 65535");
	row(to, "net.core.somaxconn, net.ipv4.tcp_max_syn_backlog",
		"a relay that died elsewhere sends its clients here at once; `listeners[].backlog` as much",
		"65535");
	snprintf(why, sizeof(why),
		"pages of %.0f B that TCP may hold in queues: low, pressure, most. The last is %.0f %% of "
		"memory; %.0f GiB of it are taken "
		"when *every* client stalls (a send buffer of 16 KiB, doubled by the kernel)",
		page, TCP_MEM_SHARE * 100, streams * SNDBUF_BYTES / (1 << 30));
	row(to, "net.ipv4.tcp_mem", why, "%.0f %.0f %.0f", pages / 2, pages * 3 / 4, pages);
	row(to, "net.ipv4.tcp_max_orphans",
		"at a shutdown the last bytes of closed sockets are still on their way; beyond this they are "
		"reset",
		"%.0f", streams);
	snprintf(why, sizeof(why),
		"better: no tracking for these ports (`notrack` in nftables' raw prerouting and output). If "
		"there must be: both sides' "
		"connections, %.1f GiB",
		sockets * SPARE * CONNTRACK_BYTES / (1 << 30));
	row(to, "net.netfilter.nf_conntrack_max", why, "%.0f", up(sockets * SPARE, 1000));
	row(to, "max_streams",
		"sluice.yaml: 65536 by default; each slot takes about 0.8 KiB in the kernel's maps from the "
		"start",
		"%.0f", up(streams * 1.05, 1024));
	if (m->user.rows && m->kernel.rows)
		row(to, "memory", "by the model above: idle streams, nothing queued", "%.1f GiB",
			(scale_memory(m, streams) + MAX(m->user.c[1], 0.0)) / (1 << 30));
}
