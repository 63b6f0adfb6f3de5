/* Does the kernel's TLS do what a stream needs? Found out with a connection over loopback, both of whose ends
 * send through it and receive without. */
#include "tls/context.h"
#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/tls.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>

#define WAIT_MS 1000
#define BYTES	40000 /* more than two records */

struct trial {
	struct settings *settings;
	struct tls_material *material;
	struct tls *tls;
	int fds[2]; /* server, client */
	struct tls_conn *ends[2];
	char *why;
	size_t why_size;
};

static int fail(struct trial *t, int err, const char *what, const char *detail)
{
	snprintf(t->why, t->why_size, "%s: %s", what, detail ? detail : strerror(-err));
	return err;
}

static int connect_pair(struct trial *t)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	_cleanup_close_ int l = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	socklen_t n = sizeof(a);

	t->fds[1] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (l < 0 || t->fds[1] < 0 || bind(l, (struct sockaddr *)&a, n) || listen(l, 1) ||
		getsockname(l, (struct sockaddr *)&a, &n) || connect(t->fds[1], (struct sockaddr *)&a, n))
		return fail(t, -errno, "loopback", NULL);
	/* Only now: a connect() that does not block is not done at once. */
	if (fcntl(t->fds[1], F_SETFL, O_NONBLOCK))
		return fail(t, -errno, "loopback", NULL);
	t->fds[0] = accept4(l, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	return t->fds[0] < 0 ? fail(t, -errno, "loopback", NULL) : 0;
}

static void wait_for(struct trial *t, int side)
{
	struct pollfd p = {.fd = t->fds[side], .events = tls_wants_write(t->ends[side]) ? POLLOUT : POLLIN};

	(void)poll(&p, 1, WAIT_MS);
}

/* Until one of the sides whose handshake is not done can go on. Either may be the last to wait. */
static void wait_for_either(struct trial *t, const int err[2])
{
	struct pollfd p[2];

	for (int side = 0; side < 2; side++)
		p[side] = (struct pollfd){.fd = err[side] == -EAGAIN ? t->fds[side] : -1,
			.events = tls_wants_write(t->ends[side]) ? POLLOUT : POLLIN};
	(void)poll(p, 2, WAIT_MS);
}

static int shake_hands(struct trial *t)
{
	int err[2] = {-EAGAIN, -EAGAIN};

	for (int i = 0; i < 20; i++) {
		for (int side = 1; side >= 0; side--) {
			if (err[side] != -EAGAIN)
				continue;
			err[side] = tls_handshake(t->ends[side]);
			if (err[side] && err[side] != -EAGAIN)
				return fail(t, err[side], "handshake", tls_why(t->ends[side]));
		}
		if (!err[0] && !err[1])
			return 0;
		wait_for_either(t, err);
	}
	return fail(t, -ETIMEDOUT, "handshake", NULL);
}

/* Everything that the client gets must be what was sent, and then close_notify. */
static int take(struct trial *t, size_t n)
{
	static char got[BYTES];
	size_t at = 0;
	int tries = 0;

	while (tries++ < 1000) {
		ssize_t k = tls_recv(t->ends[1], got, sizeof(got));

		if (k == -EAGAIN) {
			wait_for(t, 1);
			continue;
		}
		if (k < 0)
			return fail(t, (int)k, "what the kernel sent", tls_why(t->ends[1]));
		for (ssize_t i = 0; i < k; i++, at++)
			if (got[i] != (char)(at * 7))
				return fail(t, -EBADMSG, "data", "not as sent");
		if (!k)
			return at == n ? 0 : fail(t, -EBADMSG, "data", "not all of it came");
		if (at == n)
			tls_shutdown(t->ends[0]);
	}
	return fail(t, -ETIMEDOUT, "data", "not all of it came");
}

static int send_and_take(struct trial *t)
{
	static char data[BYTES];
	size_t at = 0;

	for (size_t i = 0; i < BYTES; i++)
		data[i] = (char)(i * 7);
	while (at < BYTES) {
		struct iovec iov = {data + at, BYTES - at};
		ssize_t n = tls_send(t->ends[0], &iov, 1);

		if (n < 0)
			return fail(t, (int)n, "sending", NULL);
		at += (size_t)n;
	}
	return take(t, at);
}

/* No TLS at all is said in the operator's words. */
static int look_for_module(struct trial *t)
{
	if (setsockopt(t->fds[0], SOL_TCP, TCP_ULP, "tls", sizeof("tls")) == 0)
		return 0;
	if (errno == ENOENT)
		return fail(
			t, -ENOENT, "no kernel TLS", "the module is not there (CONFIG_TLS, modprobe tls)");
	return fail(t, -errno, "TCP_ULP tls", NULL);
}

static int run(struct trial *t, int version)
{
	_cleanup_buf_ struct buf errors = {0};
	struct tls_info info;
	int err = connect_pair(t);

	err = err ? err : look_for_module(t);
	if (err)
		return err;
	err = tls_new(t->settings, t->material, NULL, &t->tls, &errors);
	err = err ? err : tls_accept(t->tls, 0, t->fds[0], &t->ends[0]);
	err = err ? err : tls_connect(t->tls, 0, NULL, t->fds[1], &t->ends[1]);
	if (err)
		return fail(t, err, "contexts", NULL);
	SSL_set_max_proto_version(t->ends[1]->ssl, version);
	err = shake_hands(t);
	if (err)
		return err;
	tls_info(t->ends[0], &info);
	if (!info.ktls_send)
		return fail(t, -EOPNOTSUPP, info.version, "the kernel does not take the keys of this cipher");
	return send_and_take(t);
}

static void end(struct trial *t)
{
	for (int i = 0; i < 2; i++) {
		tls_conn_free(t->ends[i]);
		if (t->fds[i] >= 0)
			close(t->fds[i]);
	}
	tls_free(t->tls);
}

int tls_ktls_try(char *why, size_t size)
{
	struct proxy_options o = {
		.listen = "127.0.0.1:0", .to = "https://127.0.0.1:1", .tls_self_signed = true};
	struct trial whole = {.fds = {-1, -1}, .why = why, .why_size = size};
	_cleanup_buf_ struct buf errors = {0};
	int err = settings_from_options(&o, &whole.settings, &errors);

	if (err)
		return fail(&whole, err, "settings", NULL);
	whole.settings->upstreams[0].tls->verify = false;
	err = tls_material_load(whole.settings, &whole.material, &errors, NULL);
	if (err)
		fail(&whole, err, "certificate", NULL);
	tls_ktls_allow(true);
	for (int v = TLS1_2_VERSION; !err && v <= TLS1_3_VERSION; v++) {
		struct trial t = whole;

		err = run(&t, v);
		end(&t);
	}
	tls_ktls_allow(false);
	tls_material_free(whole.material);
	settings_unref(whole.settings);
	return err;
}
