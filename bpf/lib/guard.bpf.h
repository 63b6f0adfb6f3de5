/* The sequence guard: each byte of upstream's stream is let through once. A segment that was half read when
 * the socket was hooked, or that overlaps an earlier one (a retransmission), is given to the program whole;
 * its known head is cut here. */
#ifndef SLUICE_GUARD_BPF_H
#define SLUICE_GUARD_BPF_H

#include "kernel.bpf.h"
#include "sluice/flow.h"

#define CUT_MAX 0xfff /* of one bpf_skb_adjust_room() */

struct cut {
	struct __sk_buff *skb;
	__u32 left;
	__u32 failed;
};

static long cut_step(__u32 i, struct cut *c)
{
	__u32 n = c->left < CUT_MAX ? c->left : CUT_MAX;

	if (n == 0)
		return 1;
	if (bpf_skb_adjust_room(c->skb, -(__s32)n, 0, 0)) {
		c->failed = 1;
		return 1;
	}
	c->left -= n;
	return 0;
}

/* Lets the segment's new bytes through: 0 with *ret_len of them (0: nothing new), or negative when the stream
 * cannot be followed any more: bytes are missing, or the head cannot be cut. */
static __always_inline int guard_segment(
	struct __sk_buff *skb, struct sluice_flow *f, __u32 len, __u32 *ret_len)
{
	struct cut cut = {.skb = skb};
	__u32 seq;
	__s32 old;

	if (!segment_seq(skb, &seq))
		return -1;
	old = f->next_seq - seq;
	if (old < 0)
		return -1;
	if ((__u32)old >= len) {
		*ret_len = 0;
		return 0;
	}
	if (old > 0) {
		cut.left = old;
		bpf_loop(old / CUT_MAX + 1, cut_step, &cut, 0);
		if (cut.failed || cut.left)
			return -1;
		f->trims++;
		f->trimmed += old;
	}
	*ret_len = len - old;
	return 0;
}

#endif
