/* The few kernel types that the programs look into, for CO-RE: offsets are fixed up at load from the running
 * kernel's BTF. Written by hand instead of generated from /sys/kernel/btf/vmlinux: it builds where the build
 * host has no BTF (CI, other architectures), gives the same object on every host, and a reader sees at a
 * glance what the programs depend on. */
#ifndef SLUICE_KERNEL_BPF_H
#define SLUICE_KERNEL_BPF_H

#include <stdbool.h>
#include <stddef.h>
#include <linux/bpf.h>
#include <linux/types.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct netns_ipv4 {
	unsigned int sysctl_tcp_notsent_lowat;
};

struct net {
	struct netns_ipv4 ipv4;
};

typedef struct {
	struct net *net;
} possible_net_t;

struct sock_common {
	possible_net_t skc_net;
};

struct sock {
	struct sock_common __sk_common;
	int sk_wmem_queued;
	int sk_sndbuf;
};

struct tcp_sock {
	__u64 bytes_received;
	__u32 rcv_nxt;
	__u32 copied_seq;
	__u32 snd_nxt;
	__u32 write_seq;
	__u32 srtt_us; /* eighths of a microsecond */
	__u32 notsent_lowat;
};

struct sk_buff {
	char cb[48];
};

struct tcp_skb_cb {
	__u32 seq;
};

#pragma clang attribute pop

/* The TCP sequence number of a segment's first byte. A sk_skb program's context is the sk_buff itself. */
static __always_inline bool segment_seq(struct __sk_buff *skb, __u32 *ret)
{
	unsigned long at =
		bpf_core_field_offset(struct sk_buff, cb) + bpf_core_field_offset(struct tcp_skb_cb, seq);

	return bpf_probe_read_kernel(ret, sizeof(*ret), (const char *)(void *)skb + at) == 0;
}

#endif
