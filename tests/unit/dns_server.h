/* A small DNS server inside the test's own loop, UDP and TCP on one port of the loopback, that says what the
 * test wants. Include once per binary, after loop_world.h. */
#ifndef SLUICE_TESTS_DNS_SERVER_H
#define SLUICE_TESTS_DNS_SERVER_H

#include "alloc_fail.h"
#include "base/buf.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>

enum dns_mode {
	DNS_ANSWER, /* the addresses; none of a family: NOERROR without records */
	DNS_NXDOMAIN,
	DNS_SERVFAIL,
	DNS_SILENT,
	DNS_FORGED, /* a well-formed answer with a wrong id first, then junk, then the right one */
	DNS_ONLY_A, /* silent on AAAA */
};

struct dns_zone {
	const char *name;
	enum dns_mode mode;
	const char *v4[8], *v6[8]; /* NULL-terminated */
	unsigned many;		   /* this many addresses 10.x.y.z instead: does not fit UDP */
	uint32_t ttl;
	const char *cname; /* the addresses belong to this name */
	uint32_t cname_ttl;
	unsigned queries; /* seen; A and AAAA each count */
};

struct dns_server {
	struct source udp, listening, tcp; /* one TCP client at a time */
	struct dns_zone *zones;
	size_t nzones;
	char address[32]; /* "127.0.0.1:port" */
	unsigned queries, over_tcp;
};

static inline void dns_u16(struct buf *b, unsigned v)
{
	unsigned char p[2] = {(unsigned char)(v >> 8), (unsigned char)v};

	assert_int_equal(buf_append(b, p, 2), 0);
}

static inline void dns_u32(struct buf *b, uint32_t v)
{
	dns_u16(b, v >> 16);
	dns_u16(b, v & 0xffff);
}

static inline void dns_name(struct buf *b, const char *name)
{
	while (*name) {
		size_t n = strcspn(name, ".");
		char len = (char)n;

		assert_int_equal(buf_append(b, &len, 1), 0);
		assert_int_equal(buf_append(b, name, n), 0);
		name += n + (name[n] == '.');
	}
	assert_int_equal(buf_append(b, "", 1), 0);
}

static inline void dns_record(
	struct buf *b, const struct dns_zone *z, unsigned type, const void *data, size_t n)
{
	if (z->cname)
		dns_name(b, z->cname);
	else
		dns_u16(b, 0xc00c); /* the question's name */
	dns_u16(b, type);
	dns_u16(b, 1);
	dns_u32(b, z->ttl);
	dns_u16(b, (unsigned)n);
	assert_int_equal(buf_append(b, data, n), 0);
}

static inline unsigned dns_records(struct buf *b, const struct dns_zone *z, unsigned type)
{
	const char *const *list = type == 1 ? z->v4 : z->v6;
	unsigned char ip[16];
	unsigned n = 0;

	for (unsigned i = 0; type == 1 && i < z->many; i++, n++) {
		unsigned char many[4] = {10, 0, (unsigned char)(i >> 8), (unsigned char)i};

		dns_record(b, z, 1, many, 4);
	}
	for (size_t i = 0; i < ARRAY_LEN(z->v4) && list[i]; i++, n++) {
		assert_int_equal(inet_pton(type == 1 ? AF_INET : AF_INET6, list[i], ip), 1);
		dns_record(b, z, type, ip, type == 1 ? 4 : 16);
	}
	return n;
}

static inline struct dns_zone *dns_find(struct dns_server *d, const char *name)
{
	for (size_t i = 0; i < d->nzones; i++)
		if (strcasecmp(d->zones[i].name, name) == 0)
			return &d->zones[i];
	return NULL;
}

/* The reply to a question of `n` bytes; false: none is sent. */
static inline bool dns_reply(struct dns_server *d, const unsigned char *q, size_t n, bool tcp,
	struct buf *out, enum dns_mode *ret_mode)
{
	char name[256] = "";
	size_t at = 12, len = 0;
	struct dns_zone *z;
	unsigned type, answers = 0, rcode = 0, flags = 0x8180;

	assert_true(n > 17);
	while (at < n && q[at]) {
		assert_true(at + q[at] < n && len + q[at] + 2 < sizeof(name));
		len += (size_t)snprintf(name + len, sizeof(name) - len, "%s%.*s", len ? "." : "", q[at],
			(const char *)q + at + 1);
		at += q[at] + 1u;
	}
	at++;
	type = (unsigned)q[at] << 8 | q[at + 1];
	at += 4;
	d->queries++;
	d->over_tcp += tcp;
	z = dns_find(d, name);
	*ret_mode = z ? z->mode : DNS_NXDOMAIN;
	if (z)
		z->queries++;
	if (*ret_mode == DNS_SILENT || (*ret_mode == DNS_ONLY_A && type != 1))
		return false;
	if (*ret_mode == DNS_NXDOMAIN)
		rcode = 3;
	if (*ret_mode == DNS_SERVFAIL)
		rcode = 2;
	assert_int_equal(buf_append(out, q, at), 0);
	if (!rcode && z->cname) {
		struct buf target = {0};

		dns_name(&target, z->cname);
		dns_u16(out, 0xc00c);
		dns_u16(out, 5);
		dns_u16(out, 1);
		dns_u32(out, z->cname_ttl);
		dns_u16(out, (unsigned)target.len);
		assert_int_equal(buf_append(out, target.data, target.len), 0);
		buf_reset(&target);
		answers++;
	}
	if (!rcode)
		answers += dns_records(out, z, type);
	if (!tcp && out->len > 512) { /* truncated: ask again over TCP */
		out->len = at;
		answers = 0;
		flags |= 0x0200;
	}
	flags |= rcode;
	out->data[2] = (char)(flags >> 8);
	out->data[3] = (char)flags;
	out->data[6] = (char)(answers >> 8);
	out->data[7] = (char)answers;
	memset(out->data + 8, 0, 4);
	return true;
}

static inline void dns_on_udp(struct source *s, uint32_t events)
{
	struct dns_server *d = container_of(s, struct dns_server, udp);
	unsigned char q[2048];
	struct sockaddr_in from;
	socklen_t len = sizeof(from);
	ssize_t n = recvfrom(s->fd, q, sizeof(q), 0, (struct sockaddr *)&from, &len);
	struct buf out = {0};
	enum dns_mode mode;

	(void)events;
	alloc_fail_pause(true);
	if (n > 0 && dns_reply(d, q, (size_t)n, false, &out, &mode)) {
		if (mode == DNS_FORGED) {
			out.data[0] ^= 0x55;
			out.data[out.len - 1] ^= 1; /* another address */
			sendto(s->fd, out.data, out.len, 0, (struct sockaddr *)&from, len);
			sendto(s->fd, "junk", 4, 0, (struct sockaddr *)&from, len);
			out.data[0] ^= 0x55;
			out.data[out.len - 1] ^= 1;
		}
		sendto(s->fd, out.data, out.len, 0, (struct sockaddr *)&from, len);
	}
	buf_reset(&out);
	alloc_fail_pause(false);
}

static inline void dns_tcp_close(struct dns_server *d)
{
	if (d->tcp.fd < 0)
		return;
	loop_del(loop, &d->tcp);
	close(d->tcp.fd);
	d->tcp.fd = -1;
}

static inline void dns_on_tcp(struct source *s, uint32_t events)
{
	struct dns_server *d = container_of(s, struct dns_server, tcp);
	unsigned char q[2050];
	ssize_t n = recv(s->fd, q, sizeof(q), 0);
	struct buf out = {0}, framed = {0};
	enum dns_mode mode;
	size_t at = 0;

	(void)events;
	if (n <= 0) {
		dns_tcp_close(d);
		return;
	}
	alloc_fail_pause(true);
	/* Each question comes in one piece on the loopback; several may come together. */
	while (at + 2 < (size_t)n) {
		size_t len = (size_t)q[at] << 8 | q[at + 1];

		assert_true(at + 2 + len <= (size_t)n);
		if (dns_reply(d, q + at + 2, len, true, &out, &mode)) {
			dns_u16(&framed, (unsigned)out.len);
			assert_int_equal(buf_append(&framed, out.data, out.len), 0);
		}
		buf_reset(&out);
		at += 2 + len;
	}
	assert_int_equal(send(s->fd, framed.data, framed.len, MSG_NOSIGNAL), framed.len);
	buf_reset(&framed);
	alloc_fail_pause(false);
}

static inline void dns_on_accept(struct source *s, uint32_t events)
{
	struct dns_server *d = container_of(s, struct dns_server, listening);

	(void)events;
	dns_tcp_close(d);
	d->tcp = (struct source){
		.fd = accept4(s->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC), .on_ready = dns_on_tcp};
	assert_true(d->tcp.fd >= 0);
	assert_int_equal(loop_add(loop, &d->tcp, EPOLLIN), 0);
}

static inline void dns_start(struct dns_server *d, struct dns_zone *zones, size_t n)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(a);
	int tcp = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int udp = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	assert_int_equal(bind(tcp, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(listen(tcp, 8), 0);
	assert_int_equal(getsockname(tcp, (struct sockaddr *)&a, &len), 0);
	assert_int_equal(bind(udp, (struct sockaddr *)&a, sizeof(a)), 0);
	*d = (struct dns_server){.zones = zones,
		.nzones = n,
		.udp = {.fd = udp, .on_ready = dns_on_udp},
		.listening = {.fd = tcp, .on_ready = dns_on_accept},
		.tcp = {.fd = -1}};
	snprintf(d->address, sizeof(d->address), "127.0.0.1:%u", ntohs(a.sin_port));
	assert_int_equal(loop_add(loop, &d->udp, EPOLLIN), 0);
	assert_int_equal(loop_add(loop, &d->listening, EPOLLIN), 0);
}

static inline void dns_stop(struct dns_server *d)
{
	dns_tcp_close(d);
	loop_del(loop, &d->udp);
	loop_del(loop, &d->listening);
	close(d->udp.fd);
	close(d->listening.fd);
}

#endif
