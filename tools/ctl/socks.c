#include "ctl/socks.h"
#include <fcntl.h>
#include <linux/in.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
/* netinet/tcp.h has an older tcp_info of the same name */
#include <linux/tcp.h>
#include <sched.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>

#define DUMP_BYTES (256 * 1024)

enum { TCP_STATE_LISTEN = 10, TCP_STATE_TIME_WAIT = 6, TCP_STATE_SYN_RECV = 3, TCP_STATES = 13 };

static const char *const states[TCP_STATES] = {"unknown", "established", "syn_sent", "syn_recv", "fin_wait1",
	"fin_wait2", "time_wait", "close", "close_wait", "last_ack", "listen", "closing", "new_syn_recv"};

const char *socks_state_name(unsigned state)
{
	return states[state < TCP_STATES ? state : 0];
}

/* ---- where to ask */

static int netns_of(const char *who, struct stat *st)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/%s/ns/net", who);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0 && fstat(fd, st)) {
		close(fd);
		return -1;
	}
	return fd;
}

/* A diag socket in the network namespace of `pid`. */
static int diag_open(uint32_t pid)
{
	_cleanup_close_ int ours = -1, theirs = -1;
	struct stat us, them;
	char who[16];
	bool moved;
	int fd, err;

	snprintf(who, sizeof(who), "%u", pid);
	ours = netns_of("self", &us);
	theirs = netns_of(who, &them);
	moved = ours >= 0 && theirs >= 0 && (us.st_ino != them.st_ino || us.st_dev != them.st_dev);
	if (moved && setns(theirs, CLONE_NEWNET))
		return -errno;
	fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
	err = -errno;
	if (moved && setns(ours, CLONE_NEWNET)) {
		if (fd >= 0)
			close(fd);
		return -errno;
	}
	return fd < 0 ? err : fd;
}

static int dump_ask(int fd, uint8_t family)
{
	struct {
		struct nlmsghdr head;
		struct inet_diag_req_v2 req;
	} ask = {
		.head = {.nlmsg_len = sizeof(ask),
			.nlmsg_type = SOCK_DIAG_BY_FAMILY,
			.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP},
		.req = {.sdiag_family = family,
			.sdiag_protocol = IPPROTO_TCP,
			.idiag_ext = (1 << (INET_DIAG_INFO - 1)) | (1 << (INET_DIAG_SKMEMINFO - 1)),
			.idiag_states = ((1u << TCP_STATES) - 1) & ~(1u << TCP_STATE_LISTEN) &
					~(1u << TCP_STATE_TIME_WAIT) & ~(1u << TCP_STATE_SYN_RECV)},
	};

	return send(fd, &ask, sizeof(ask), 0) < 0 ? -errno : 0;
}

/* ---- what comes back */

/* Of an attribute that is shorter in an older kernel, what there is. */
static void attr_copy(const struct rtattr *a, void *to, size_t size)
{
	memset(to, 0, size);
	memcpy(to, RTA_DATA(a), MIN(size, RTA_PAYLOAD(a)));
}

static void take_info(struct sock *k, const struct rtattr *a, uint32_t queue)
{
	struct tcp_info ti;

	attr_copy(a, &ti, sizeof(ti));
	k->unsent = MIN(ti.tcpi_notsent_bytes, queue);
	k->unacked = queue - k->unsent;
	k->srtt_us = ti.tcpi_rtt;
	k->rttvar_us = ti.tcpi_rttvar;
	k->cwnd = ti.tcpi_snd_cwnd;
	k->mss = ti.tcpi_snd_mss;
	k->last_sent_ms = ti.tcpi_last_data_sent;
	k->last_ack_ms = ti.tcpi_last_ack_recv;
	k->retransmits = ti.tcpi_retransmits;
	k->retransmitted = ti.tcpi_total_retrans;
	k->acked = ti.tcpi_bytes_acked;
}

static int take(struct socks *s, const struct nlmsghdr *h)
{
	const struct inet_diag_msg *m = NLMSG_DATA(h);
	int left = (int)(h->nlmsg_len - NLMSG_LENGTH(sizeof(*m)));
	uint32_t mem[SK_MEMINFO_VARS];
	struct sock *k;

	if (s->n == s->cap) {
		size_t cap = s->cap ? s->cap * 2 : 256;
		struct sock *p = realloc(s->list, cap * sizeof(*p));

		if (!p)
			return -ENOMEM;
		s->list = p;
		s->cap = cap;
	}
	k = &s->list[s->n++];
	*k = (struct sock){.cookie = m->id.idiag_cookie[0] | (uint64_t)m->id.idiag_cookie[1] << 32,
		.state = m->idiag_state};
	for (const struct rtattr *a = (const struct rtattr *)(m + 1); RTA_OK(a, left);
		a = RTA_NEXT(a, left)) {
		if (a->rta_type == INET_DIAG_INFO) {
			/* write_seq - snd_una, net/ipv4/tcp_diag.c */
			take_info(k, a, m->idiag_wqueue);
		} else if (a->rta_type == INET_DIAG_SKMEMINFO) {
			attr_copy(a, mem, sizeof(mem));
			k->sndbuf = mem[SK_MEMINFO_SNDBUF];
			k->wmem = mem[SK_MEMINFO_WMEM_QUEUED];
		}
	}
	return 0;
}

static int dump_read(struct socks *s, int fd, char *buf)
{
	for (;;) {
		ssize_t got = recv(fd, buf, DUMP_BYTES, 0);
		unsigned left = (unsigned)got;

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return got ? -errno : -EPIPE;
		for (const struct nlmsghdr *h = (const struct nlmsghdr *)buf; NLMSG_OK(h, left);
			h = NLMSG_NEXT(h, left)) {
			int err;

			if (h->nlmsg_type == NLMSG_DONE)
				return 0;
			if (h->nlmsg_type == NLMSG_ERROR)
				return ((const struct nlmsgerr *)NLMSG_DATA(h))->error;
			err = take(s, h);
			if (err)
				return err;
		}
	}
}

static int by_cookie(const void *a, const void *b)
{
	const struct sock *x = a, *y = b;

	return x->cookie < y->cookie ? -1 : x->cookie > y->cookie;
}

int socks_read(struct socks *s, uint32_t pid)
{
	static const uint8_t families[] = {AF_INET, AF_INET6};
	_cleanup_close_ int fd = diag_open(pid);
	_cleanup_free_ char *buf = malloc(DUMP_BYTES);
	int err = fd < 0 ? fd : buf ? 0 : -ENOMEM;

	s->n = 0;
	for (size_t i = 0; !err && i < ARRAY_LEN(families); i++) {
		err = dump_ask(fd, families[i]);
		if (!err)
			err = dump_read(s, fd, buf);
	}
	if (err)
		s->n = 0;
	qsort(s->list, s->n, sizeof(*s->list), by_cookie);
	return err;
}

void socks_done(struct socks *s)
{
	free(s->list);
	*s = (struct socks){0};
}

const struct sock *socks_find(const struct socks *s, uint64_t cookie)
{
	struct sock key = {.cookie = cookie};

	return cookie && s->n ? bsearch(&key, s->list, s->n, sizeof(*s->list), by_cookie) : NULL;
}
