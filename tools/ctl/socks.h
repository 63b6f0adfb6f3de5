/* The TCP sockets of this host as sock_diag(7) tells them (linux/inet_diag.h), found by SO_COOKIE. One dump
 * of all connections: the kernel finds a single one by its addresses only, and those a PROXY protocol header
 * hides. The daemon is not asked. Needs CAP_NET_ADMIN for sockets of other users' processes; the daemon's
 * network namespace is entered for the question when it is another. */
#ifndef SLUICE_CTL_SOCKS_H
#define SLUICE_CTL_SOCKS_H

#include "base/util.h"

struct sock {
	uint64_t cookie;
	uint32_t unsent;  /* bytes in the send queue that were never sent */
	uint32_t unacked; /* bytes sent and not acknowledged */
	uint32_t srtt_us; /* 0: not measured */
	uint32_t rttvar_us;
	uint32_t cwnd;		/* segments */
	uint32_t mss;		/* bytes */
	uint32_t sndbuf;	/* bytes, as the kernel accounts them: twice what was asked for */
	uint32_t wmem;		/* of them in use, overhead included */
	uint32_t last_sent_ms;	/* since TCP last sent data */
	uint32_t last_ack_ms;	/* since its last ACK */
	uint32_t retransmits;	/* of the oldest segment, so far unanswered */
	uint32_t retransmitted; /* segments, ever */
	uint64_t acked;		/* bytes, ever */
	uint8_t state;		/* TCP_ESTABLISHED, … of netinet/tcp.h */
};

struct socks {
	struct sock *list; /* by cookie */
	size_t n, cap;
};

/* Looks at all of them. `pid`: whose network namespace. 0 or negative errno; `s` is empty then. */
must_check int socks_read(struct socks *s, uint32_t pid);
void socks_done(struct socks *s);
/* NULL for 0 and for what is not there. Valid until the next read. */
const struct sock *socks_find(const struct socks *s, uint64_t cookie);
const char *socks_state_name(unsigned state);

#endif
