#include "net/tuning.h"
#include <limits.h>
#include <netinet/tcp.h>

#define KEEPALIVE_PROBES 3
#define KEEPALIVE_MAX_S	 32767 /* MAX_TCP_KEEPIDLE, include/net/tcp.h */

static int set(int fd, int level, int name, int value)
{
	return setsockopt(fd, level, name, &value, sizeof(value)) ? -errno : 0;
}

static int ms_to_int(uint64_t ms)
{
	return (int)MIN(ms, (uint64_t)INT_MAX);
}

/* Finds a peer that vanished without a word while nothing is in flight. A third of the idle time between the
 * probes: 15 s, then 5, 5, 5. Where TCP_USER_TIMEOUT is set it takes the place of the probe count
 * (tcp_keepalive_timer). */
static int set_keepalive(int fd, uint64_t idle_ms)
{
	int idle_s = (int)MIN((idle_ms + 999) / 1000, (uint64_t)KEEPALIVE_MAX_S);
	int err;

	if (!idle_ms)
		return set(fd, SOL_SOCKET, SO_KEEPALIVE, 0);
	err = set(fd, IPPROTO_TCP, TCP_KEEPIDLE, idle_s);
	if (!err)
		err = set(fd, IPPROTO_TCP, TCP_KEEPINTVL, MAX(idle_s / 3, 1));
	if (!err)
		err = set(fd, IPPROTO_TCP, TCP_KEEPCNT, KEEPALIVE_PROBES);
	return err ? err : set(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
}

int tuning_listener(int fd, const struct listener_settings *l)
{
	int family = l->addr.sa.sa_family, err;

	if (family == AF_UNIX)
		return 0;
	/* A restart must not wait for the TIME_WAIT of the last run's connections. */
	err = set(fd, SOL_SOCKET, SO_REUSEADDR, 1);
	/* One queue per worker: a worker that dies takes no other's waiting connections with it. */
	if (!err)
		err = set(fd, SOL_SOCKET, SO_REUSEPORT, 1);
	/* On an inherited socket it may be on: it would keep connections from the head timeout's sight. */
	if (!err)
		err = set(fd, IPPROTO_TCP, TCP_DEFER_ACCEPT, 0);
	/* "[::]" means every address of the machine, whatever net.ipv6.bindv6only says. An IPv4 listener on
	 * the same port still gets the IPv4 connections: the kernel scores it higher. */
	if (!err && family == AF_INET6)
		err = set(fd, IPPROTO_IPV6, IPV6_V6ONLY, 0);
	return err;
}

int tuning_client(int fd, const struct settings *s)
{
	/* An event is one small write; Nagle would hold it back for the ACK of the one before. */
	int err = set(fd, IPPROTO_TCP, TCP_NODELAY, 1);

	if (err == -EOPNOTSUPP) /* a unix socket has none of these */
		return 0;
	if (!err)
		err = set_keepalive(fd, s->tcp_keepalive_ms);
	/* A client that takes no ACK for this long is gone: a heartbeat that fits the send buffer proves
	 * nothing. */
	if (!err && s->user_timeout_ms)
		err = set(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, ms_to_int(s->user_timeout_ms));
	/* Always said explicitly, or a low net.ipv4.tcp_notsent_lowat would decide when the socket counts as
	 * full; 0 would mean that sysctl, so "no limit" is UINT_MAX. */
	if (!err)
		err = set(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT,
			s->notsent_lowat ? (int)MIN(s->notsent_lowat, (unsigned)INT_MAX) : -1);
	return err;
}

int tuning_stream(int fd, unsigned sndbuf)
{
	/* An autotuned buffer grows to 4 MiB and hides that a client lags. */
	return sndbuf ? set(fd, SOL_SOCKET, SO_SNDBUF, (int)MIN(sndbuf, (unsigned)INT_MAX / 2)) : 0;
}

int tuning_upstream_stream(int fd)
{
	/* Behind a client that stalls an autotuned one keeps megabytes (tcp_rmem[2]); this much carries a far
	 * upstream at 1 MB/s. */
	return set(fd, SOL_SOCKET, SO_RCVBUF, TUNING_STREAM_RCVBUF);
}

int tuning_upstream(int fd, const struct settings *s)
{
	/* Small requests and body pieces leave at once. */
	int err = set(fd, IPPROTO_TCP, TCP_NODELAY, 1);

	if (err == -EOPNOTSUPP)
		return 0;
	/* An upstream that vanished during a silent stream is found without a heartbeat of its own. */
	return err ? err : set_keepalive(fd, s->tcp_keepalive_ms);
}

void tuning_reset_on_close(int fd)
{
	struct linger reset = {.l_onoff = 1, .l_linger = 0};

	setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
}

uint64_t tuning_cookie(int fd)
{
	uint64_t cookie = 0;
	socklen_t len = sizeof(cookie);

	return getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &len) ? 0 : cookie;
}
