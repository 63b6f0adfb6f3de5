#include "rig.h"
#include <arpa/inet.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

static void option(int fd, int level, int name, int value)
{
	assert_return_code(setsockopt(fd, level, name, &value, sizeof(value)), errno);
}

void pair_make(int family, int mss, int pair[2])
{
	struct sockaddr_storage a = {.ss_family = (sa_family_t)family};
	socklen_t len = family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);
	int l = socket(family, SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_TCP);

	assert_return_code(l, errno);
	if (family == AF_INET)
		((struct sockaddr_in *)&a)->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	else
		((struct sockaddr_in6 *)&a)->sin6_addr = in6addr_loopback;
	if (mss)
		option(l, IPPROTO_TCP, TCP_MAXSEG, mss);
	assert_return_code(bind(l, (struct sockaddr *)&a, len), errno);
	assert_return_code(listen(l, 1), errno);
	assert_return_code(getsockname(l, (struct sockaddr *)&a, &len), errno);
	pair[0] = socket(family, SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_TCP);
	assert_return_code(pair[0], errno);
	if (mss)
		option(pair[0], IPPROTO_TCP, TCP_MAXSEG, mss);
	assert_return_code(connect(pair[0], (struct sockaddr *)&a, len), errno);
	pair[1] = accept4(l, NULL, NULL, SOCK_CLOEXEC);
	assert_return_code(pair[1], errno);
	close(l);
	for (int i = 0; i < 2; i++) {
		fcntl(pair[i], F_SETFL, O_NONBLOCK);
		option(pair[i], IPPROTO_TCP, TCP_NODELAY, 1);
	}
}

void sndbuf_set(int fd, int bytes)
{
	option(fd, SOL_SOCKET, SO_SNDBUF, bytes);
}

void rcvbuf_set(int fd, int bytes)
{
	option(fd, SOL_SOCKET, SO_RCVBUF, bytes);
}

void reset_close(int *fd)
{
	struct linger l = {.l_onoff = 1};

	assert_return_code(setsockopt(*fd, SOL_SOCKET, SO_LINGER, &l, sizeof(l)), errno);
	close(*fd);
	*fd = -1;
}

/* A network namespace of the test's own: its thousands of connections take nobody's ports. */
static void net_isolate(void)
{
	struct ifreq ifr = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING};
	static bool done;
	int fd;

	if (done)
		return;
	done = true;
	assert_return_code(unshare(CLONE_NEWNET), errno);
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	assert_return_code(fd, errno);
	assert_return_code(ioctl(fd, SIOCSIFFLAGS, &ifr), errno);
	close(fd);
}

struct splice *kern_open(uint32_t slots)
{
	struct splice *k = NULL;
	char why[256] = "";
	int err;

	net_isolate();
	err = splice_open(&(struct splice_params){.slots = slots, .workers = 1}, &k, why, sizeof(why));

	if (err)
		fail_msg("splice_open: %d: %s", err, why);
	return k;
}

void rig_open(struct rig *g, struct splice *k, uint32_t slot, const struct rig_params *p)
{
	int up[2], down[2];

	splice_forget(k, slot); /* what a failed test left */
	pair_make(p->up_family ? p->up_family : AF_INET, 0, up);
	pair_make(p->client_family ? p->client_family : AF_INET, p->mss ? p->mss : 1400, down);
	/* The relay dials upstream and accepts its clients. */
	*g = (struct rig){.up = up[0], .origin = up[1], .reader = down[0], .client = down[1]};
	sndbuf_set(g->client, p->sndbuf ? p->sndbuf : 32 * 1024);
	if (p->rcvbuf)
		rcvbuf_set(g->reader, p->rcvbuf);
	g->relay = (struct relay){
		.k = k,
		.slot = slot,
		.up = g->up,
		.client = g->client,
		.framing = p->framing,
		.left = p->length,
		.scan = p->scan,
		.may_engage = true,
		.read_max = 16 * 1024,
	};
	chunk_init(&g->relay.chunk);
	sse_init(&g->relay.sse);
	memset(&splice_ctl(k)[slot], 0, sizeof(struct sluice_ctl));
}

void rig_close(struct rig *g)
{
	splice_forget(g->relay.k, g->relay.slot);
	for (size_t i = 0; i < 4; i++) {
		int *fd = (int *[]){&g->origin, &g->up, &g->client, &g->reader}[i];

		if (*fd >= 0)
			reset_close(fd); /* no TIME_WAIT */
	}
	buf_reset(&g->relay.held);
	buf_reset(&g->got);
}

ssize_t reader_take(struct rig *g, size_t max)
{
	size_t room = MIN(max, (size_t)1 << 20);
	ssize_t n;

	assert_return_code(buf_reserve(&g->got, room), 0);
	n = recv(g->reader, g->got.data + g->got.len, room, 0);
	if (n > 0)
		g->got.len += (size_t)n;
	else if (n < 0 && errno == EAGAIN)
		return 0;
	return n > 0 ? n : -1;
}

size_t origin_send(struct rig *g, const void *p, size_t n)
{
	ssize_t r = send(g->origin, p, n, MSG_NOSIGNAL);

	if (r < 0 && errno != EAGAIN)
		fail_msg("origin: %s", strerror(errno));
	return r < 0 ? 0 : (size_t)r;
}

void rig_report(const struct rig *g)
{
	const struct relay *r = &g->relay;
	const struct sluice_ctl *c = &splice_ctl(r->k)[r->slot];
	struct sluice_flow f;

	splice_state(r->k, r->slot, &f);
	fprintf(stderr,
		"flow: redirected %llu passed %llu events %llu chunks %llu segments %llu/%llu spills %u "
		"punts %u trims %u "
		"why %u broken %u pending %u notes %u place %u left %llu\n",
		(unsigned long long)f.redirected, (unsigned long long)f.passed, (unsigned long long)f.events,
		(unsigned long long)f.chunks, (unsigned long long)f.segments,
		(unsigned long long)f.segments_passed, f.spills, f.punts, f.trims, f.why, f.broken, f.pending,
		f.notes, f.track.chunk, (unsigned long long)f.track.left);
	fprintf(stderr, "ctl: mode %u consumed %llu written %llu seen %u; left %llu drained %d roomy %d\n",
		c->mode, (unsigned long long)c->consumed, (unsigned long long)c->written, c->seen,
		(unsigned long long)splice_left(r->k, r->slot), splice_drained(r->k, r->slot),
		splice_roomy(r->k, r->slot));
	fprintf(stderr,
		"relay: engaged %d draining %d ended %d eof %d error %d held %zu copied %llu engages %llu "
		"spills %llu resumes %llu; "
		"reader got %zu\n",
		r->engaged, r->draining, r->ended, r->eof, r->error, r->held.len,
		(unsigned long long)r->copied, (unsigned long long)r->engages, (unsigned long long)r->spills,
		(unsigned long long)r->resumes, g->got.len);
}

void rig_expect_bytes(struct rig *g, size_t want, int ms)
{
	uint64_t end = clock_mono_ns() + (uint64_t)ms * NS_PER_MS;

	while (g->got.len < want && clock_mono_ns() < end) {
		relay_turn(&g->relay, 0);
		if (reader_take(g, SIZE_MAX) == 0)
			relay_turn(&g->relay, 1);
	}
	if (g->got.len != want)
		rig_report(g);
	assert_int_equal(g->got.len, want);
}

void rig_carry(struct rig *g, const char *p, size_t n, size_t piece)
{
	size_t from = g->got.len, sent = 0;
	uint64_t end = clock_mono_ns() + 10 * NS_PER_S;

	while ((sent < n || g->got.len < from + n) && clock_mono_ns() < end) {
		if (sent < n)
			sent += origin_send(g, p + sent, MIN(piece, n - sent));
		relay_turn(&g->relay, 0);
		if (reader_take(g, SIZE_MAX) <= 0 && sent == n)
			relay_turn(&g->relay, 1);
	}
	if (g->got.len != from + n)
		rig_report(g);
	assert_same(g->got.data + from, g->got.len - from, p, n);
}

void pattern_fill(char *p, size_t n, uint64_t from)
{
	for (size_t i = 0; i < n; i++) {
		uint64_t at = from + i;

		p[i] = (char)(at ^ at >> 8 ^ at >> 16 ^ at >> 24);
	}
}

void assert_same(const char *got, size_t got_n, const char *want, size_t want_n)
{
	size_t i = 0;

	while (i < got_n && i < want_n && got[i] == want[i])
		i++;
	if (i < got_n || i < want_n)
		fail_msg("%zu bytes came, %zu were sent, they differ from byte %zu on", got_n, want_n, i);
}
