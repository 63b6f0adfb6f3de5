/* The splice lane's verdict: decides for each segment from an upstream whether the kernel sends it on to the
 * client (redirect) or userspace gets it (pass). It runs under the upstream socket's lock, so that a flow
 * record has one writer. Nothing is ever dropped but empty segments and bytes that were let through before.
 */
#include "lib/maps.bpf.h"
#include "lib/guard.bpf.h"
#include "lib/track.bpf.h"

char LICENSE[] SEC("license") = "GPL";

#define READ_ONCE(x) (*(const volatile __typeof__(x) *)&(x))
#define NO_LOWAT     0xffffffff
#define SEGMENT_OVERHEAD                                                                                     \
	512 /* send-queue bytes beyond its payload that a small segment may cost the client */

/* What the room check found out about the client. */
struct client {
	__u32 write_seq;
	__u32 notsent;
	__u32 wmem;
	__u32 sndbuf;
	__u32 lowat;
	__u32 srtt_us;
};

static __always_inline struct sluice_totals *totals_here(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&totals, &zero);
}

/* One note at most waits per slot: `notes` is raised before the note can be seen, and the reader sets
 * ctl.seen to it before it looks at the record. A full ring leaves `notes` as it was, and the next passed
 * segment tries again. */
static __always_inline void note(struct sluice_flow *f, const struct sluice_ctl *c, __u32 slot, __u8 kind)
{
	struct sluice_totals *t = totals_here();
	__u32 worker = READ_ONCE(c->worker);
	struct sluice_note *n;
	void *ring;

	if (READ_ONCE(c->seen) != f->notes)
		return;
	ring = bpf_map_lookup_elem(&notes, &worker);
	n = ring ? bpf_ringbuf_reserve(ring, sizeof(*n), 0) : NULL;
	if (!n) {
		if (t)
			t->notes_failed++;
		return;
	}
	f->notes++;
	n->cookie = f->cookie;
	n->slot = slot;
	n->epoch = f->epoch;
	n->kind = kind;
	n->why = f->why;
	__builtin_memset(n->reserved, 0, sizeof(n->reserved));
	bpf_ringbuf_submit(n, 0);
	if (t)
		t->notes++;
}

static __always_inline int pass(
	struct sluice_flow *f, const struct sluice_ctl *c, __u32 slot, __u32 len, enum sluice_pass why)
{
	struct sluice_totals *t = totals_here();
	__u64 was;

	f->why = why;
	f->segments_passed++;
	if (why == SLUICE_PASS_ROOM) {
		f->spills++;
		f->spill_ns = f->last_ns;
	} else if (why == SLUICE_PASS_FRAMING || why == SLUICE_PASS_BEYOND) {
		f->punts++;
	}
	if (t) {
		t->passed[why & 7]++;
		t->passed_bytes += len;
	}
	/* An atomic with its value used, for the full barrier: userspace stores mode or seen and then reads
	 * `passed`, here it is the other way round, so that one of the two sees the other's. */
	was = __sync_fetch_and_add(&f->passed, len);
	asm volatile("" : : "r"(was) : "memory");
	if (READ_ONCE(c->mode))
		note(f, c, slot, SLUICE_NOTE_PASSED);
	return SK_PASS;
}

/* Begins the record of a new engagement; `up` has read nothing of this segment yet, so that copied_seq is the
 * first byte that the client lacks. */
static __always_inline bool begin(struct __sk_buff *skb, struct sluice_flow *f, __u64 cookie, __u32 epoch)
{
	struct bpf_sock *sk = skb->sk;
	struct tcp_sock *up = sk ? bpf_skc_to_tcp_sock(sk) : NULL;
	__u64 was;

	if (!up)
		return false;
	__builtin_memset(f, 0, sizeof(*f));
	f->next_seq = up->copied_seq;
	f->rx_base = up->bytes_received - (up->rcv_nxt - f->next_seq);
	f->cookie = cookie;
	f->first_ns = bpf_ktime_get_ns();
	/* A full barrier: a reader that finds the new epoch finds nothing of the old record. */
	was = __sync_fetch_and_add(&f->adopted, (__u64)-1); /* no position yet */
	asm volatile("" : : "r"(was) : "memory");
	f->epoch = epoch;
	return true;
}

/* Looks at the client's socket. False: there is none. */
static __always_inline bool client_read(__u32 slot, struct client *ret)
{
	struct bpf_sock *sk = bpf_map_lookup_elem(&target, &slot);
	struct tcp_sock *tp;

	if (!sk)
		return false;
	tp = bpf_skc_to_tcp_sock(sk);
	if (tp) {
		ret->write_seq = tp->write_seq;
		ret->notsent = ret->write_seq - tp->snd_nxt;
		ret->srtt_us = tp->srtt_us >> 3;
		ret->wmem = ((struct sock *)tp)->sk_wmem_queued;
		ret->sndbuf = ((struct sock *)tp)->sk_sndbuf;
		ret->lowat = tp->notsent_lowat;
		if (!ret->lowat)
			ret->lowat =
				((struct sock *)tp)->__sk_common.skc_net.net->ipv4.sysctl_tcp_notsent_lowat;
	}
	bpf_sk_release(sk);
	return tp != NULL;
}

/* True when the client's TCP will take the segment over at once: a redirect that it does not take would be
 * polled for by a kworker at every jiffy, and piles up in memory that nobody accounts. */
static __always_inline bool client_room(
	struct sluice_flow *f, const struct sluice_ctl *c, const struct client *cl, __u32 len)
{
	__u32 sent = (__u32)f->redirected + (__u32)READ_ONCE(c->written);
	__u32 pending;

	if (!f->based) {
		/* Nothing was redirected yet and userspace is not writing: what the client was given is
		 * exactly `written`. */
		f->base_seq = cl->write_seq - (__u32)READ_ONCE(c->written);
		f->based = 1;
	}
	pending = sent - (cl->write_seq - f->base_seq);
	f->pending = pending;
	f->wmem_queued = cl->wmem;
	f->sndbuf = cl->sndbuf;
	f->notsent = cl->notsent;
	f->srtt_us = cl->srtt_us;
	f->lowat = cl->lowat;
	if (pending == 0)
		f->burst = 0;
	if (pending >= cl->sndbuf || len >= cl->sndbuf)
		return false;
	if ((__u64)cl->notsent + pending + len >= cl->lowat && cl->lowat != NO_LOWAT)
		return false;
	return (__u64)cl->wmem + 2ULL * (pending + len) + (__u64)f->burst * SEGMENT_OVERHEAD <
	       cl->sndbuf / 4 * 3;
}

/* Takes over the position that userspace left when it was done with passed bytes. */
static __always_inline void adopt(struct sluice_flow *f, const struct sluice_ctl *c, __u64 consumed)
{
	__u64 was;

	if (f->adopted == consumed)
		return;
	/* A full barrier: ctl.track is read after ctl.consumed. */
	was = __sync_fetch_and_add(&f->adopted, 0);
	asm volatile("" : : "r"(was) : "memory");
	f->track = c->track;
	f->adopted = consumed;
}

#define BOUNDS(name, unit, ...) static const __u64 name[] __attribute__((unused)) = {__VA_ARGS__};
#include "sluice/buckets.def"
#undef BOUNDS

/* A global function for the verifier's sake, as those of track.bpf.h. */
__noinline __u32 gap_bucket(__u64 ns)
{
	__u32 at = 0;

	for (__u32 i = 0; i < sizeof(SLUICE_BOUNDS_GAP) / sizeof(SLUICE_BOUNDS_GAP[0]); i++)
		at += ns > SLUICE_BOUNDS_GAP[i];
	return at;
}

/* The upstream's silence in front of a segment that ended an event. */
static __always_inline void gap(struct sluice_totals *t, __u64 ns)
{
	__u32 at = gap_bucket(ns);

	if (at >= SLUICE_BUCKETS)
		return;
	t->event_gap.bucket[at]++;
	t->event_gap.sum += ns;
}

static __always_inline void redirected(struct sluice_flow *f, const struct walk *w, __u32 len, __u64 before)
{
	struct sluice_totals *t = totals_here();

	track_keep(w, &f->track);
	f->redirected += len;
	f->payload += w->payload;
	f->events += w->events;
	f->chunks += w->chunks;
	f->segments++;
	f->burst++;
	f->pending += len;
	if (f->pending > f->pending_max)
		f->pending_max = f->pending;
	if (t) {
		t->redirected++;
		t->redirected_bytes += len;
		t->events += w->events;
		if (w->events && before)
			gap(t, f->last_ns - before);
	}
}

/* `len` new bytes of a stream whose record is begun; `before`: when the bytes in front of them came, 0: none
 * did. */
static __always_inline int decide(struct __sk_buff *skb, struct sluice_flow *f, const struct sluice_ctl *c,
	__u32 slot, __u32 len, __u64 before)
{
	struct client cl = {};
	struct walk w;
	__u64 consumed;

	if (!READ_ONCE(c->mode))
		return pass(f, c, slot, len, SLUICE_PASS_OFF);
	consumed = READ_ONCE(c->consumed);
	if (f->passed != consumed)
		return pass(f, c, slot, len, SLUICE_PASS_HELD);
	if (!client_read(slot, &cl))
		return pass(f, c, slot, len, SLUICE_PASS_TARGET);
	if (!client_room(f, c, &cl, len))
		return pass(f, c, slot, len, SLUICE_PASS_ROOM);
	adopt(f, c, consumed);
	track_walk(&w, skb, len, &f->track, READ_ONCE(f->zero));
	if (w.stop != WALK_ON)
		return pass(
			f, c, slot, len, w.stop == WALK_BEYOND ? SLUICE_PASS_BEYOND : SLUICE_PASS_FRAMING);
	if (bpf_sk_redirect_map(skb, &target, slot, 0) != SK_PASS) {
		struct sluice_totals *t = totals_here();

		if (t)
			t->redirect_failed++;
		return pass(f, c, slot, len, SLUICE_PASS_TARGET);
	}
	redirected(f, &w, len, before);
	if (w.place == SLUICE_CHUNK_DONE)
		note(f, c, slot, SLUICE_NOTE_END);
	return SK_PASS;
}

static __always_inline int unknown(__u32 len)
{
	struct sluice_totals *t = totals_here();

	if (t) {
		t->passed[SLUICE_PASS_NONE]++;
		t->passed_bytes += len;
	}
	return SK_PASS;
}

SEC("sk_skb/stream_verdict")
int splice_verdict(struct __sk_buff *skb)
{
	__u64 cookie = bpf_get_socket_cookie(skb);
	__u32 len = skb->len, slot, epoch, *slotp;
	__u64 before;
	const struct sluice_ctl *c;
	struct sluice_flow *f;

	if (len == 0) {
		/* A bare FIN. Redirected it would break the client's queue; userspace hears of it by
		 * EPOLLRDHUP. */
		struct sluice_totals *t = totals_here();

		if (t)
			t->empties++;
		return SK_DROP;
	}
	slotp = bpf_map_lookup_elem(&slots, &cookie);
	if (!slotp)
		return unknown(len);
	slot = *slotp;
	f = bpf_map_lookup_elem(&flows, &slot);
	c = bpf_map_lookup_elem(&ctl, &slot);
	if (!f || !c || READ_ONCE(c->cookie) != cookie)
		return unknown(len);
	epoch = READ_ONCE(c->epoch);
	if ((f->epoch != epoch || f->cookie != cookie) && !begin(skb, f, cookie, epoch))
		return unknown(len);
	before = f->last_ns ? f->last_ns : READ_ONCE(c->last_in_ns);
	f->last_ns = bpf_ktime_get_ns();
	if (f->broken)
		return pass(f, c, slot, len, SLUICE_PASS_BROKEN);
	if (guard_segment(skb, f, len, &len)) {
		f->broken = 1;
		return pass(f, c, slot, len, SLUICE_PASS_BROKEN);
	}
	if (len == 0)
		return SK_DROP;
	f->next_seq += len;
	return decide(skb, f, c, slot, len, before);
}
