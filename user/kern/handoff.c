/* The hand-off of one stream between userspace and the verdict. Each function names the steps of
 * docs/KERNEL.md "Hand-off". */
#include "kern/kern.h"
#include <linux/sockios.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <linux/sock_diag.h>

#define TCP_STATE_ESTABLISHED 1
#define TCP_STATE_CLOSE	      7
#define TCP_STATE_CLOSE_WAIT  8
#define TCP_STATE_LAST_ACK    9
#define SNAPSHOT_TRIES	      64

static int tcp_info_get(int fd, struct tcp_info *ret)
{
	socklen_t len = sizeof(*ret);

	memset(ret, 0, sizeof(*ret));
	return getsockopt(fd, IPPROTO_TCP, TCP_INFO, ret, &len) ? -errno : 0;
}

static int cookie_get(int fd, uint64_t *ret)
{
	socklen_t len = sizeof(*ret);

	return getsockopt(fd, SOL_SOCKET, SO_COOKIE, ret, &len) ? -errno : 0;
}

/* Bytes that the client's TCP has taken over so far: acknowledged, and still queued. tcpi_bytes_sent would do
 * it in one call, but counts a segment twice that a local queue dropped (net/ipv4/tcp_output.c: bytes_sent
 * goes up before the queue is asked). Read in this order, acknowledgements in between make the sum smaller
 * than the truth, never larger. */
static int position_low(int client, uint64_t *ret, int *ret_queued, bool *ret_dead)
{
	struct tcp_info ti;
	int queued, err = tcp_info_get(client, &ti);

	if (err)
		return err;
	if (ioctl(client, SIOCOUTQ, &queued))
		return -errno;
	*ret = ti.tcpi_bytes_acked + (uint64_t)(uint32_t)queued;
	if (ret_queued)
		*ret_queued = queued;
	if (ret_dead)
		*ret_dead = ti.tcpi_state == TCP_STATE_CLOSE;
	return 0;
}

/* The same, exactly: no acknowledgement came in between. */
static int position_exact(int client, uint64_t *ret)
{
	for (int i = 0; i < SNAPSHOT_TRIES; i++) {
		uint64_t a, b;
		bool dead;
		int queued, err = position_low(client, &a, &queued, NULL);
		int queued_b;

		if (!err)
			err = position_low(client, &b, &queued_b, &dead);
		if (err)
			return err;
		if (dead)
			return -EPIPE;
		if (a == b && queued == queued_b) {
			*ret = a;
			return 0;
		}
	}
	return -EAGAIN;
}

/* Waits out a verdict that runs now: it holds the upstream socket's lock, which this call takes. */
static void verdict_barrier(int up, struct tcp_info *ret)
{
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (tcp_info_get(up, ret))
		memset(ret, 0, sizeof(*ret));
}

static uint64_t passed(const struct splice *k, uint32_t slot)
{
	return __atomic_load_n(&k->flows[slot].passed, __ATOMIC_ACQUIRE);
}

/* Whether the flow record is this engagement's; until the first byte came it is a former stream's. */
static bool begun(const struct splice *k, uint32_t slot)
{
	const struct sluice_flow *f = &k->flows[slot];

	return __atomic_load_n(&f->epoch, __ATOMIC_ACQUIRE) == k->seats[slot].epoch &&
	       f->cookie == k->seats[slot].up_cookie;
}

static int hook(struct splice *k, uint32_t slot, struct seat *s)
{
	struct sluice_ctl *c = &k->ctl[slot];
	uint64_t fd;
	int err = bpf_map_update_elem(k->slots_fd, &s->up_cookie, &slot, BPF_ANY);

	if (err)
		return err == -E2BIG ? -ENOSPC : err;
	fd = (uint64_t)s->client;
	err = bpf_map_update_elem(k->target_fd, &slot, &fd, BPF_ANY);
	if (!err) {
		__atomic_store_n(&c->mode, 1, __ATOMIC_RELEASE);
		fd = (uint64_t)s->up;
		err = bpf_map_update_elem(k->source_fd, &slot, &fd, BPF_ANY);
		if (!err)
			return 0;
		bpf_map_delete_elem(k->target_fd, &slot);
	}
	bpf_map_delete_elem(k->slots_fd, &s->up_cookie);
	c->mode = 0;
	return err;
}

int splice_engage(struct splice *k, uint32_t slot, int up, int client, const struct sluice_track *at)
{
	struct sluice_ctl *c = &k->ctl[slot];
	struct seat s = {.up = up, .client = client};
	struct tcp_info ti;
	int err;

	if (slot >= k->slots || k->seats[slot].hooked)
		return -EINVAL;
	if (at->chunk == SLUICE_CHUNK_DONE)
		return -EINVAL;
	err = cookie_get(up, &s.up_cookie);
	if (!err)
		err = position_exact(client, &s.pos0); /* (2) */
	if (!err)
		err = tcp_info_get(up, &ti);
	if (err)
		return err;
	if (ti.tcpi_state != TCP_STATE_ESTABLISHED)
		return -EOPNOTSUPP;
	s.rx0 = ti.tcpi_bytes_received;
	if (!++k->epoch)
		k->epoch = 1;
	s.epoch = k->epoch;
	s.hooked = true;
	/* (3) The verdict looks at none of this before the slot is in `slots`; its own record it begins by
	 * itself, when it finds another epoch. */
	c->mode = 0;
	c->consumed = 0;
	c->written = 0;
	c->injected = 0;
	c->track = *at;
	c->seen = 0;
	c->epoch = s.epoch;
	c->cookie = s.up_cookie;
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	k->seats[slot] = s;
	err = hook(k, slot, &s); /* (3), (5) */
	if (err) {
		k->seats[slot] = (struct seat){0};
		c->cookie = 0;
		return err;
	}
	splice_kick(k, slot); /* (5) */
	return 0;
}

void splice_kick(struct splice *k, uint32_t slot)
{
	int one = 1;

	/* tcp_set_rcvlowat() calls the socket's data_ready: what came before the hook goes through the
	 * verdict now. */
	if (k->seats[slot].hooked)
		setsockopt(k->seats[slot].up, SOL_SOCKET, SO_RCVLOWAT, &one, sizeof(one));
}

enum splice_next splice_next(const struct splice *k, uint32_t slot)
{
	const struct sluice_flow *f = &k->flows[slot];
	const struct seat *s = &k->seats[slot];

	if (!s->hooked || !begun(k, slot))
		return SPLICE_CARRIED;
	if (f->broken)
		return SPLICE_BROKEN;
	if (passed(k, slot) != s->taken)
		return SPLICE_READ;
	/* The verdict's position counts only while nothing was consumed behind it. */
	if (f->adopted == s->taken && f->track.chunk == SLUICE_CHUNK_DONE)
		return SPLICE_ENDED;
	return SPLICE_CARRIED;
}

void splice_disengage(struct splice *k, uint32_t slot)
{
	struct sluice_ctl *c = &k->ctl[slot];
	struct seat *s = &k->seats[slot];
	struct tcp_info ti;

	if (!s->hooked || s->off)
		return;
	__atomic_store_n(&c->mode, 0, __ATOMIC_SEQ_CST);
	s->off = true;
	/* With bytes in userspace's hands the verdict redirects nothing already. */
	if (begun(k, slot) && passed(k, slot) != c->consumed)
		return;
	verdict_barrier(s->up, &ti);
}

bool splice_drained(struct splice *k, uint32_t slot)
{
	const struct seat *s = &k->seats[slot];
	uint64_t pos, redirected = begun(k, slot) ? k->flows[slot].redirected : 0;
	bool dead;

	if (!s->hooked || position_low(s->client, &pos, NULL, &dead) || dead)
		return true;
	return (int64_t)(pos - (s->pos0 + redirected + k->ctl[slot].written)) >= 0;
}

int splice_took(struct splice *k, uint32_t slot, size_t n)
{
	struct seat *s = &k->seats[slot];

	if (!s->hooked)
		return 0;
	s->taken += n;
	return begun(k, slot) && k->flows[slot].broken ? -EBADMSG : 0;
}

uint64_t splice_left(const struct splice *k, uint32_t slot)
{
	const struct seat *s = &k->seats[slot];

	return s->hooked && begun(k, slot) ? passed(k, slot) - s->taken : 0;
}

void splice_wrote(struct splice *k, uint32_t slot, size_t n, size_t own)
{
	struct sluice_ctl *c = &k->ctl[slot];

	if (!k->seats[slot].hooked)
		return;
	c->injected += own;
	__atomic_store_n(&c->written, c->written + n, __ATOMIC_RELEASE);
}

bool splice_roomy(struct splice *k, uint32_t slot)
{
	uint32_t mem[SK_MEMINFO_VARS];
	socklen_t len = sizeof(mem);

	if (!k->seats[slot].hooked || getsockopt(k->seats[slot].client, SOL_SOCKET, SO_MEMINFO, mem, &len))
		return false;
	return mem[SK_MEMINFO_WMEM_QUEUED] < mem[SK_MEMINFO_SNDBUF] / 8 * 3;
}

int splice_resume(struct splice *k, uint32_t slot, const struct sluice_track *at)
{
	struct sluice_ctl *c = &k->ctl[slot];
	struct seat *s = &k->seats[slot];

	if (!s->hooked)
		return -EINVAL;
	if (at->chunk == SLUICE_CHUNK_DONE)
		return -EINVAL;
	if (splice_left(k, slot))
		return -EAGAIN;
	/* In this order: the verdict reads them in the other. It does not read ctl.track while passed >
	 * consumed. */
	if (c->consumed != s->taken) {
		c->track = *at;
		__atomic_store_n(&c->consumed, s->taken, __ATOMIC_RELEASE);
	}
	__atomic_store_n(&c->mode, 1, __ATOMIC_SEQ_CST);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	s->off = false;
	if (!splice_left(k, slot))
		return 0;
	/* Passed before the verdict saw the new mode, without a note; or with one, after it had carried some
	 * more. */
	splice_disengage(k, slot);
	return -EAGAIN;
}

/* Whether every byte that came from upstream went through the verdict and, if passed, through recv(). The
 * source hook is gone. */
static bool upstream_clean(const struct splice *k, uint32_t slot)
{
	const struct sluice_flow *f = &k->flows[slot];
	const struct seat *s = &k->seats[slot];
	uint64_t handled = begun(k, slot) ? f->rx_base + f->redirected + f->passed : s->rx0;
	struct tcp_info a, b;
	int unread;

	verdict_barrier(s->up, &a);
	for (int i = 0; i < SNAPSHOT_TRIES; i++, a = b) {
		if (a.tcpi_state != TCP_STATE_ESTABLISHED || ioctl(s->up, SIOCINQ, &unread) ||
			tcp_info_get(s->up, &b))
			return false;
		if (a.tcpi_bytes_received != b.tcpi_bytes_received)
			continue;
		return !splice_left(k, slot) && !(begun(k, slot) && f->broken) && unread == 0 &&
		       b.tcpi_bytes_received == handled;
	}
	return false;
}

int splice_release(struct splice *k, uint32_t slot)
{
	struct sluice_ctl *c = &k->ctl[slot];
	struct seat *s = &k->seats[slot];
	bool clean;

	if (!s->hooked)
		return -EINVAL;
	splice_disengage(k, slot);
	/* The verdict goes on guarding and counting until the hook is off; only then `slots` loses the entry.
	 */
	bpf_map_delete_elem(k->source_fd, &slot);
	clean = upstream_clean(k, slot);
	bpf_map_delete_elem(k->slots_fd, &s->up_cookie);
	bpf_map_delete_elem(k->target_fd, &slot);
	c->cookie = 0;
	*s = (struct seat){0};
	return clean ? 0 : -EBUSY;
}

void splice_forget(struct splice *k, uint32_t slot)
{
	struct sluice_ctl *c = &k->ctl[slot];
	struct seat *s = &k->seats[slot];
	struct tcp_info ti;

	if (!s->hooked)
		return;
	__atomic_store_n(&c->mode, 0, __ATOMIC_SEQ_CST);
	bpf_map_delete_elem(
		k->slots_fd, &s->up_cookie); /* (7): first, so that no later verdict finds the slot */
	verdict_barrier(s->up, &ti);
	bpf_map_delete_elem(k->source_fd, &slot);
	bpf_map_delete_elem(k->target_fd, &slot);
	c->cookie = 0;
	*s = (struct seat){0};
}

void splice_untarget(struct splice *k, uint32_t slot)
{
	bpf_map_delete_elem(k->target_fd, &slot);
}

bool splice_hooked(const struct splice *k, uint32_t slot)
{
	return k->seats[slot].hooked;
}

void splice_state(const struct splice *k, uint32_t slot, struct sluice_flow *ret)
{
	if (k->seats[slot].hooked && begun(k, slot))
		*ret = k->flows[slot];
	else
		memset(ret, 0, sizeof(*ret));
}

uint64_t splice_last_ns(const struct splice *k, uint32_t slot)
{
	return k->seats[slot].hooked && begun(k, slot) ? k->flows[slot].last_ns : 0;
}

/* Upstream bytes that reached its socket and no verdict. */
static bool undelivered(const struct splice *k, uint32_t slot)
{
	const struct sluice_flow *f = &k->flows[slot];
	const struct seat *s = &k->seats[slot];
	struct tcp_info ti;
	uint64_t came;

	if (tcp_info_get(s->up, &ti) || ti.tcpi_state == TCP_STATE_CLOSE)
		return false;
	/* A FIN counts as a byte. */
	came = ti.tcpi_bytes_received -
	       (ti.tcpi_state == TCP_STATE_CLOSE_WAIT || ti.tcpi_state == TCP_STATE_LAST_ACK);
	return begun(k, slot) ? came != f->rx_base + f->redirected + passed(k, slot) : came > s->rx0;
}

uint64_t splice_stuck(struct splice *k, uint32_t slot, uint64_t now_ns)
{
	struct seat *s = &k->seats[slot];
	uint64_t moved = begun(k, slot) ? k->flows[slot].redirected + passed(k, slot) : 0;
	int queued = 0;
	uint64_t pos;
	bool dead = false;
	/* Bytes that no verdict saw; or that it passed, while the note of it was lost. */
	bool still = s->hooked && (undelivered(k, slot) || (!s->off && splice_left(k, slot)));

	/* Bytes for a client that has acknowledged all it was sent: nothing is in their way. */
	if (s->hooked && !still && !splice_drained(k, slot))
		still = position_low(s->client, &pos, &queued, &dead) == 0 && !dead && queued == 0;
	if (!still || moved != s->stuck_at) {
		s->stuck_since = still ? now_ns : 0;
		s->stuck_at = moved;
		return 0;
	}
	if (!s->stuck_since)
		s->stuck_since = now_ns;
	return now_ns - s->stuck_since;
}
