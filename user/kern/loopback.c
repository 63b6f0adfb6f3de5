#include "kern/loopback.h"
#include "base/clock.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#define CLIENT_SNDBUF 16384 /* the kernel doubles it */
/* Small enough to stall soon; in a smaller one TCP itself drops what it has no room for, and waits 200 ms to
 * send it again. */
#define READER_RCVBUF 32768
#define READER_MSS    1400 /* with loopback's 64 KiB a small window moves at the pace of timers */

static char byte_at(uint64_t at)
{
	return (char)(at ^ at >> 8 ^ at >> 16);
}

static void set(int fd, int level, int name, int value)
{
	/* Tuning: without it the self-test says more, not less. */
	(void)!setsockopt(fd, level, name, &value, sizeof(value));
}

static int listen_at(int family, struct sockaddr_storage *ret, socklen_t *ret_len, int mss)
{
	_cleanup_close_ int l = socket(family, SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_TCP);
	struct sockaddr_storage a = {.ss_family = (sa_family_t)family};

	if (l < 0)
		return -errno;
	if (family == AF_INET)
		((struct sockaddr_in *)&a)->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	else
		((struct sockaddr_in6 *)&a)->sin6_addr = in6addr_loopback;
	*ret_len = family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);
	if (mss)
		set(l, IPPROTO_TCP, TCP_MAXSEG, mss);
	if (bind(l, (struct sockaddr *)&a, *ret_len) || listen(l, 1) ||
		getsockname(l, (struct sockaddr *)&a, ret_len))
		return -errno;
	*ret = a;
	return take_fd(l);
}

/* [0] dialled, [1] accepted. IPv4, or IPv6 on a host without it. */
static int pair(int ret[2], int mss)
{
	struct sockaddr_storage a;
	socklen_t len;
	_cleanup_close_ int l = listen_at(AF_INET, &a, &len, mss);

	if (l < 0)
		l = listen_at(AF_INET6, &a, &len, mss);
	if (l < 0)
		return l;
	ret[0] = socket(a.ss_family, SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_TCP);
	if (ret[0] < 0)
		return -errno;
	if (mss)
		set(ret[0], IPPROTO_TCP, TCP_MAXSEG, mss);
	if (connect(ret[0], (struct sockaddr *)&a, len))
		return -errno;
	ret[1] = accept4(l, NULL, NULL, SOCK_CLOEXEC);
	if (ret[1] < 0)
		return -errno;
	for (int i = 0; i < 2; i++)
		set(ret[i], IPPROTO_TCP, TCP_NODELAY, 1);
	return 0;
}

int loopback_open(struct loopback *w, struct splice *k, uint32_t slot)
{
	int up[2] = {-1, -1}, down[2] = {-1, -1};
	int err = pair(up, 0);

	if (!err)
		err = pair(down, READER_MSS);
	*w = (struct loopback){
		.k = k, .slot = slot, .up = up[0], .origin = up[1], .reader = down[0], .client = down[1]};
	if (err)
		return err;
	set(w->client, SOL_SOCKET, SO_SNDBUF, CLIENT_SNDBUF);
	set(w->reader, SOL_SOCKET, SO_RCVBUF, READER_RCVBUF);
	memset(&splice_ctl(k)[slot], 0, sizeof(struct sluice_ctl));
	return 0;
}

void loopback_close(struct loopback *w)
{
	int fds[] = {w->origin, w->up, w->client, w->reader};
	struct linger reset = {.l_onoff = 1};

	splice_forget(w->k, w->slot);
	memset(&splice_ctl(w->k)[w->slot], 0, sizeof(struct sluice_ctl));
	for (size_t i = 0; i < ARRAY_LEN(fds); i++) {
		if (fds[i] < 0)
			continue;
		/* No TIME_WAIT. */
		(void)!setsockopt(fds[i], SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
		close(fds[i]);
	}
}

static void here(const struct loopback *w, struct sluice_track *ret)
{
	*ret = (struct sluice_track){
		.framing = w->length ? SLUICE_BODY_LENGTH : SLUICE_BODY_CLOSE,
		.chunk = SLUICE_CHUNK_DATA,
		.left = w->length ? w->length - w->received : 0,
	};
}

int loopback_engage(struct loopback *w)
{
	struct sluice_track at;

	here(w, &at);
	w->copying = false;
	return splice_engage(w->k, w->slot, w->up, w->client, &at);
}

static bool send_pattern(struct loopback *w, int fd, size_t n)
{
	char text[8192];
	ssize_t done;

	n = MIN(n, sizeof(text));
	for (size_t i = 0; i < n; i++)
		text[i] = byte_at(w->sent + i);
	done = send(fd, text, n, MSG_NOSIGNAL | MSG_DONTWAIT);
	if (done > 0)
		w->sent += (uint64_t)done;
	return done == (ssize_t)n;
}

bool loopback_send(struct loopback *w, size_t n)
{
	return send_pattern(w, w->origin, n);
}

bool loopback_write(struct loopback *w, size_t n)
{
	bool all = send_pattern(w, w->client, n);

	if (all)
		splice_wrote(w->k, w->slot, n, n);
	return all;
}

bool loopback_copy(struct loopback *w, size_t n)
{
	n = MIN(n, sizeof(w->hold));
	return recv(w->up, w->hold, n, MSG_WAITALL) == (ssize_t)n &&
	       send(w->client, w->hold, n, MSG_NOSIGNAL) == (ssize_t)n;
}

static void on_note(void *ctx, uint32_t slot)
{
	struct loopback *w = ctx;

	if (slot != w->slot || w->copying || splice_next(w->k, slot) != SPLICE_READ)
		return;
	splice_disengage(w->k, slot);
	w->copying = true;
}

void loopback_turn(struct loopback *w)
{
	splice_notes_read(w->k, 0, on_note, w);
	if (!w->copying)
		return;
	if (!w->held) {
		ssize_t n = recv(w->up, w->hold, sizeof(w->hold), MSG_DONTWAIT);

		if (n <= 0 || splice_took(w->k, w->slot, (size_t)n))
			return;
		w->held = (size_t)n;
	}
	if (splice_drained(w->k, w->slot)) {
		ssize_t n = send(w->client, w->hold, w->held, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n <= 0)
			return;
		splice_wrote(w->k, w->slot, (size_t)n, 0);
		w->held -= (size_t)n;
		memmove(w->hold, w->hold + n, w->held);
	}
}

/* Something to do, or a millisecond. */
static void rest(const struct loopback *w)
{
	struct pollfd p[] = {
		{.fd = w->reader, .events = POLLIN}, {.fd = splice_notes_fd(w->k, 0), .events = POLLIN}};

	poll(p, ARRAY_LEN(p), 1);
}

static bool take(struct loopback *w)
{
	char text[8192];
	ssize_t n = recv(w->reader, text, sizeof(text), MSG_DONTWAIT);

	for (ssize_t i = 0; i < n; i++)
		w->wrong |= text[i] != byte_at(w->received + (uint64_t)i);
	if (n > 0)
		w->received += (uint64_t)n;
	return n > 0;
}

bool loopback_expect(struct loopback *w, int ms)
{
	uint64_t end = clock_mono_ns() + (uint64_t)ms * NS_PER_MS;

	while (w->received < w->sent && !w->wrong && clock_mono_ns() < end) {
		loopback_turn(w);
		if (!take(w))
			rest(w);
	}
	/* Nothing more may follow: a repeat would be on its way already. */
	while (take(w))
		;
	return w->received == w->sent && !w->wrong;
}

bool loopback_resume(struct loopback *w, int ms)
{
	uint64_t end = clock_mono_ns() + (uint64_t)ms * NS_PER_MS;
	struct sluice_track at;

	here(w, &at);
	while (w->copying && clock_mono_ns() < end) {
		loopback_turn(w);
		if (!w->held && splice_resume(w->k, w->slot, &at) == 0)
			w->copying = false;
		else
			rest(w);
	}
	return !w->copying;
}

bool loopback_eof(struct loopback *w, int ms)
{
	uint64_t end = clock_mono_ns() + (uint64_t)ms * NS_PER_MS;
	ssize_t n;

	splice_disengage(w->k, w->slot);
	w->copying = true;
	do {
		loopback_turn(w);
		n = w->held ? -1 : recv(w->up, w->hold, sizeof(w->hold), MSG_DONTWAIT | MSG_PEEK);
		if (n == 0 && splice_left(w->k, w->slot) == 0)
			return true;
		rest(w);
	} while (clock_mono_ns() < end);
	return false;
}

bool loopback_ended(struct loopback *w, int ms)
{
	uint64_t end = clock_mono_ns() + (uint64_t)ms * NS_PER_MS;

	while (splice_next(w->k, w->slot) != SPLICE_ENDED) {
		if (clock_mono_ns() > end)
			return false;
		loopback_turn(w);
		rest(w);
	}
	splice_disengage(w->k, w->slot);
	w->copying = true;
	while (!splice_drained(w->k, w->slot))
		if (clock_mono_ns() > end)
			return false;
	return true;
}
