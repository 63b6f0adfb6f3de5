/* Segments that are lost, repeated or overlap: each byte still comes once. */
#include "rig.h"
#include "threads.h"
#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/filter.h>
#include <linux/tcp.h>
#include <netinet/ip.h>
#include <bpf/bpf.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>

#define SLOT 1

static struct splice *k;

static int group_setup(void **state)
{
	(void)state;
	k = kern_open(4);
	return 0;
}

static int group_teardown(void **state)
{
	(void)state;
	splice_close(k);
	return 0;
}

/* -- forged segments -- */

static uint32_t queue_seq(int fd, int queue)
{
	uint32_t seq;
	socklen_t len = sizeof(seq);
	int on = 1, off = -1 /* TCP_REPAIR_OFF_NO_WP */;

	assert_return_code(setsockopt(fd, IPPROTO_TCP, TCP_REPAIR, &on, sizeof(on)), errno);
	assert_return_code(setsockopt(fd, IPPROTO_TCP, TCP_REPAIR_QUEUE, &queue, sizeof(queue)), errno);
	assert_return_code(getsockopt(fd, IPPROTO_TCP, TCP_QUEUE_SEQ, &seq, &len), errno);
	assert_return_code(setsockopt(fd, IPPROTO_TCP, TCP_REPAIR, &off, sizeof(off)), errno);
	return seq;
}

static uint32_t sum16(const void *p, size_t n, uint32_t sum)
{
	const uint8_t *b = p;

	for (size_t i = 0; i < n; i++)
		sum += i & 1 ? b[i] : (uint32_t)b[i] << 8;
	return sum;
}

/* A segment from the origin that its TCP never sent: n bytes that begin at sequence number `seq`. */
static void forge(const struct rig *g, uint32_t seq, uint32_t ack, const char *p, size_t n)
{
	struct sockaddr_in from, to;
	socklen_t len = sizeof(from);
	struct tcphdr t = {.seq = htonl(seq),
		.ack_seq = htonl(ack),
		.doff = 5,
		.psh = 1,
		.ack = 1,
		.window = htons(1000)};
	uint8_t packet[2000];
	uint32_t sum;
	int raw = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_TCP);

	assert_return_code(raw, errno);
	assert_return_code(getsockname(g->origin, (struct sockaddr *)&from, &len), errno);
	assert_return_code(getpeername(g->origin, (struct sockaddr *)&to, &len), errno);
	t.source = from.sin_port;
	t.dest = to.sin_port;
	memcpy(packet + sizeof(t), p, n);
	memcpy(packet, &t, sizeof(t));
	sum = sum16(&from.sin_addr, 4, 0);
	sum = sum16(&to.sin_addr, 4, sum) + IPPROTO_TCP + (uint32_t)(sizeof(t) + n);
	sum = sum16(packet, sizeof(t) + n, sum);
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	t.check = htons((uint16_t)~sum);
	memcpy(packet, &t, sizeof(t));
	to.sin_port = 0;
	assert_int_equal(
		sendto(raw, packet, sizeof(t) + n, 0, (struct sockaddr *)&to, sizeof(to)), sizeof(t) + n);
	close(raw);
}

/* The forged segment repeats `old` bytes and brings `fresh` ones, which the origin's own TCP then sends once
 * more, together with further ones: two overlaps in a row. `copying`: the verdict passes meanwhile. */
static void overlap(size_t old, size_t fresh, bool copying)
{
	char text[3000];
	struct sluice_flow f;
	struct rig g;
	uint32_t seq, ack;
	size_t at = 1000;

	pattern_fill(text, sizeof(text), old * 31 + fresh);
	rig_open(&g, k, SLOT, &(struct rig_params){.framing = SLUICE_BODY_CLOSE});
	rig_until(&g, g.relay.engaged, 1000);
	rig_carry(&g, text, at, at);
	if (copying) {
		g.relay.may_engage = false;
		relay_disengage(&g.relay);
	}
	seq = queue_seq(g.origin, TCP_SEND_QUEUE);
	ack = queue_seq(g.origin, TCP_RECV_QUEUE);
	forge(&g, seq - (uint32_t)old, ack, text + at - old, old + fresh);
	rig_expect_bytes(&g, at + fresh, 1000);
	assert_int_equal(origin_send(&g, text + at, fresh + 500), fresh + 500);
	rig_expect_bytes(&g, at + fresh + 500, 3000);
	assert_same(g.got.data, g.got.len, text, at + fresh + 500);
	splice_state(k, SLOT, &f);
	assert_int_equal(f.trims, (old > 0) + 1);
	assert_int_equal(f.trimmed, old + fresh);
	assert_int_equal(copying ? f.passed : f.redirected - at, fresh + 500);
	rig_close(&g);
}

static void test_overlap(void **state)
{
	(void)state;
	for (size_t old = 0; old <= 1000; old = old * 3 + 1)
		for (size_t fresh = 1; fresh < 900; fresh = fresh * 4 + 1)
			for (int copying = 0; copying < 2; copying++)
				overlap(old, fresh, copying);
}

/* -- loss -- */

/* One segment in `every` that reaches the socket is lost, before its TCP sees it. */
static void lose(int fd, uint32_t every)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, SKF_AD_OFF + SKF_AD_RANDOM),
		BPF_STMT(BPF_ALU | BPF_MOD | BPF_K, every),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, 0),
		BPF_STMT(BPF_RET | BPF_K, 0xffffffff),
	};
	struct sock_fprog prog = {ARRAY_LEN(code), code};

	assert_return_code(setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &prog, sizeof(prog)), errno);
}

static uint32_t retransmits(int fd)
{
	struct tcp_info ti = {0};
	socklen_t len = sizeof(ti);

	assert_return_code(getsockopt(fd, IPPROTO_TCP, TCP_INFO, &ti, &len), errno);
	return ti.tcpi_total_retrans;
}

static void turn_step(struct rig *g)
{
	relay_turn(&g->relay, 2);
}

static void flip_step(struct rig *g)
{
	relay_disengage(&g->relay);
	relay_turn(&g->relay, 2);
}

static bool always(struct relay *r)
{
	(void)r;
	return true;
}

/* 5 % of all segments on both connections, in both directions; what is lost also reorders. */
static void test_loss(void **state)
{
	uint32_t lost = 0;

	(void)state;
	for (int flips = 0; flips < 2; flips++) {
		struct rig g;

		rig_open(&g, k, SLOT, &(struct rig_params){.framing = SLUICE_BODY_CLOSE, .sndbuf = 65536});
		lose(g.origin, 20);
		lose(g.up, 20);
		lose(g.client, 20);
		lose(g.reader, 20);
		if (flips)
			g.relay.may_resume = always;
		carry_threads(&g, 2 << 20, 0, flips ? flip_step : turn_step);
		lost += retransmits(g.origin) + retransmits(g.client);
		rig_close(&g);
	}
	assert_true(lost > 0);
}

/* -- segments that the host itself refuses to send -- */

static char cgroup_was[256], cgroup_dir[280];
static int cgroup_fd = -1;

/* A cgroup of our own, so that a program can sit on our sockets' way out. False: this system has no cgroup2.
 */
static bool cgroup_enter(void)
{
	static const char *const roots[] = {"/sys/fs/cgroup/unified", "/sys/fs/cgroup"};
	char line[256], path[600];
	FILE *f = fopen("/proc/self/cgroup", "r");

	while (f && fgets(line, sizeof(line), f))
		if (strncmp(line, "0::", 3) == 0)
			snprintf(cgroup_was, sizeof(cgroup_was), "%.*s", (int)strcspn(line + 3, "\n"),
				line + 3);
	if (f)
		fclose(f);
	for (size_t i = 0; i < ARRAY_LEN(roots); i++) {
		snprintf(path, sizeof(path), "%s/cgroup.procs", roots[i]);
		if (access(path, F_OK))
			continue;
		snprintf(cgroup_dir, sizeof(cgroup_dir), "%s/sluice-test-%d", roots[i], (int)getpid());
		if (mkdir(cgroup_dir, 0700))
			return false;
		snprintf(path, sizeof(path), "%s/cgroup.procs", cgroup_dir);
		f = fopen(path, "w");
		if (!f || fprintf(f, "%d\n", (int)getpid()) < 0 || fclose(f))
			return false;
		cgroup_fd = open(cgroup_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		return cgroup_fd >= 0;
	}
	return false;
}

static void cgroup_leave(void)
{
	char path[600];
	FILE *f;

	snprintf(path, sizeof(path), "%.*s%s/cgroup.procs", (int)(strrchr(cgroup_dir, '/') - cgroup_dir),
		cgroup_dir, cgroup_was);
	f = fopen(path, "w");
	if (f) {
		fprintf(f, "%d\n", (int)getpid());
		fclose(f);
	}
	close(cgroup_fd);
	rmdir(cgroup_dir);
}

/* `got` is the n bytes of `want` with one '!' somewhere between two pieces of 300. */
static void assert_one_inserted(const char *got, const char *want, size_t n)
{
	size_t at = 0;

	while (at < n && (memcmp(got + at, want + at, 300) == 0))
		at += 300;
	assert_int_equal(got[at], '!');
	assert_memory_equal(got + at + 1, want + at, n - at);
}

/* tcpi_bytes_sent counts a segment that a queue, a filter or a device of this host refuses, and counts it
 * again when it goes; what splice_drained() reads does not. With it, a false "drained" would let the relay
 * overtake redirected bytes. */
static void test_refused_by_the_host(void **state)
{
	/* if (random % 4 == 0) return refuse; return allow; */
	struct bpf_insn code[] = {
		{.code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_get_prandom_u32},
		{.code = BPF_ALU64 | BPF_AND | BPF_K, .dst_reg = BPF_REG_0, .imm = 3},
		{.code = BPF_JMP | BPF_JEQ | BPF_K, .dst_reg = BPF_REG_0, .off = 1},
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = 1},
		{.code = BPF_JMP | BPF_EXIT},
	};
	LIBBPF_OPTS(bpf_prog_load_opts, opts, .expected_attach_type = BPF_CGROUP_INET_EGRESS);
	unsigned over = 0;
	int prog;

	(void)state;
	if (!cgroup_enter()) {
		print_message("skip: no cgroup2 to be had\n");
		skip();
	}
	prog = bpf_prog_load(BPF_PROG_TYPE_CGROUP_SKB, "refuse", "GPL", code, ARRAY_LEN(code), &opts);
	assert_return_code(prog, -prog);
	for (int round = 0; round < 40; round++) {
		struct tcp_info a = {0}, b = {0};
		socklen_t len = sizeof(a);
		char text[6000];
		struct rig g;

		pattern_fill(text, sizeof(text), (uint64_t)round);
		rig_open(&g, k, SLOT, &(struct rig_params){.framing = SLUICE_BODY_CLOSE});
		rig_until(&g, g.relay.engaged, 1000);
		rig_carry(&g, text, 100, 100);
		assert_return_code(getsockopt(g.client, IPPROTO_TCP, TCP_INFO, &a, &len), errno);
		assert_return_code(bpf_prog_attach(prog, cgroup_fd, BPF_CGROUP_INET_EGRESS, 0), errno);
		/* Nothing but complete delivery makes it drained for good, whatever was refused and tried
		 * again. */
		for (int i = 0; i < 20; i++)
			origin_send(&g, text + i * 300, 300);
		rig_until(&g, splice_next(k, SLOT) != SPLICE_CARRIED || splice_drained(k, SLOT), 3000);
		relay_inject(&g.relay, "!", 1);
		assert_return_code(bpf_prog_detach2(prog, cgroup_fd, BPF_CGROUP_INET_EGRESS), errno);
		rig_expect_bytes(&g, 100 + sizeof(text) + 1, 5000);
		assert_one_inserted(g.got.data + 100, text, sizeof(text));
		len = sizeof(b);
		assert_return_code(getsockopt(g.client, IPPROTO_TCP, TCP_INFO, &b, &len), errno);
		over += b.tcpi_bytes_sent - b.tcpi_bytes_retrans + b.tcpi_notsent_bytes -
				(a.tcpi_bytes_sent - a.tcpi_bytes_retrans + a.tcpi_notsent_bytes) !=
			sizeof(text) + 1;
		rig_close(&g);
	}
	print_message("tcpi_bytes_sent was wrong in %u of 40 streams\n", over);
	close(prog);
	cgroup_leave();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_overlap),
		cmocka_unit_test(test_loss),
		cmocka_unit_test(test_refused_by_the_host),
	};

	return cmocka_run_group_tests_name("splice_loss", tests, group_setup, group_teardown);
}
