#include "tls/context.h"
#include <openssl/err.h>
#include <stdio.h>
#include <sys/socket.h>

/* As in BoringSSL: nobody needs more key changes than this between two pieces of data. */
#define MAX_KEY_UPDATES 32
#define GATHER_BYTES	TLS_RECORD_MAX

static void cleanup_conn(struct tls_conn **c)
{
	tls_conn_free(*c);
}

static void say(struct tls_conn *c, const char *fmt, ...) printf_like(2, 3);

static void say(struct tls_conn *c, const char *fmt, ...)
{
	va_list args;

	if (c->why)
		return; /* the first cause counts */
	va_start(args, fmt);
	if (vasprintf(&c->why_text, fmt, args) < 0)
		c->why_text = NULL;
	va_end(args);
	c->why = c->why_text ? c->why_text : "out of memory";
}

/* Sees every message; only KeyUpdate (RFC 8446 4.6.3) after the handshake is of interest. */
static void on_message(int write, int version, int type, const void *bytes, size_t n, SSL *ssl, void *arg)
{
	const unsigned char *message = bytes;
	struct tls_conn *c = arg;

	(void)version;
	(void)ssl;
	if (write || type != SSL3_RT_HANDSHAKE || !n || *message != SSL3_MT_KEY_UPDATE)
		return;
	/* One that asks for new keys of ours (the byte behind the header); kernels before 6.14 take none. */
	if (c->io.ktls_send && n > 4 && message[4] == SSL_KEY_UPDATE_REQUESTED) {
		c->io.stop = true;
		say(c, "the client asks for new keys, which the kernel's TLS cannot change");
		return;
	}
	if (++c->key_updates <= MAX_KEY_UPDATES)
		return;
	c->io.stop = true;
	say(c, "flood of KeyUpdate messages");
}

static int conn_new(SSL_CTX *ctx, int fd, struct tls_conn **ret)
{
	_cleanup_(cleanup_conn) struct tls_conn *c = calloc(1, sizeof(*c));
	BIO *bio;

	if (!c)
		return -ENOMEM;
	c->io.fd = fd;
	c->ssl = SSL_new(ctx);
	bio = c->ssl ? io_bio_new(&c->io) : NULL;
	if (!bio) {
		ERR_clear_error();
		return -ENOMEM;
	}
	SSL_set_bio(c->ssl, bio, bio);
	if (!SSL_set_app_data(c->ssl, c)) {
		ERR_clear_error();
		return -ENOMEM;
	}
	SSL_set_msg_callback(c->ssl, on_message);
	SSL_set_msg_callback_arg(c->ssl, c);
	*ret = take_ptr(c);
	return 0;
}

int tls_accept(struct tls *t, size_t listener, int fd, struct tls_conn **ret)
{
	struct tls_server *s = listener < t->nservers ? t->servers[listener] : NULL;
	int err = s ? conn_new(s->hosts[0].ctx, fd, ret) : -EINVAL;

	if (err)
		return err;
	s->refs++;
	(*ret)->server = s;
	SSL_set_accept_state((*ret)->ssl);
	return 0;
}

int tls_connect(struct tls *t, size_t upstream, const char *server_name, int fd, struct tls_conn **ret)
{
	struct tls_client *client = upstream < t->nclients ? t->clients[upstream] : NULL;
	_cleanup_(cleanup_conn) struct tls_conn *c = NULL;
	int err = client ? conn_new(client->ctx, fd, &c) : -EINVAL;

	if (err)
		return err;
	client->refs++;
	c->client = client;
	SSL_set_connect_state(c->ssl);
	err = client_identify(c, server_name);
	ERR_clear_error();
	if (!err)
		*ret = take_ptr(c);
	return err;
}

void tls_conn_free(struct tls_conn *c)
{
	if (!c)
		return;
	/* Without this OpenSSL takes the session for broken and forgets it. */
	if (c->ssl && !c->failed)
		SSL_set_shutdown(c->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
	SSL_free(c->ssl);
	tls_server_unref(c->server);
	tls_client_unref(c->client);
	free(c->host);
	free(c->why_text);
	free(c->subject);
	free(c->subject_header);
	free(c);
}

const char *tls_why(const struct tls_conn *c)
{
	return c->why ? c->why : "no failure";
}

enum sluice_tls_fail tls_failure(const struct tls_conn *c)
{
	return c->failure;
}

static void say_tls_error(struct tls_conn *c)
{
	long verify = SSL_get_verify_result(c->ssl);
	unsigned long error = ERR_peek_error();
	const char *reason = openssl_reason();

	c->failure = failure_of(error, verify);
	if (verify != X509_V_OK && !c->done)
		say(c, "certificate verify failed: %s", X509_verify_cert_error_string(verify));
	else
		say(c, "%s", reason);
}

/* What a failed call means. `n` is its result. */
static int fail(struct tls_conn *c, int n)
{
	int error = SSL_get_error(c->ssl, n), err = -EPROTO;

	c->wants_write = error == SSL_ERROR_WANT_WRITE;
	if (!c->io.stop && (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE))
		return -EAGAIN;
	if (error == SSL_ERROR_ZERO_RETURN) {
		c->closed = true;
		return 0;
	}
	c->failed = true;
	c->failure = SLUICE_TLS_FAIL_OTHER;
	if (c->io.stop) {
		err = -EPROTO;
	} else if (c->io.eof) { /* before the error of the alert that cannot be sent any more */
		say(c, c->done ? "the connection ended without close_notify" : "the peer has gone");
		c->failure = SLUICE_TLS_FAIL_CLOSED;
		err = -ECONNRESET;
	} else if (c->io.error) {
		say(c, "%s", strerror(c->io.error));
		c->failure = SLUICE_TLS_FAIL_CLOSED;
		err = -c->io.error;
	} else if (ERR_GET_REASON(ERR_peek_error()) == ERR_R_MALLOC_FAILURE) {
		say(c, "out of memory");
		err = -ENOMEM;
	} else {
		say_tls_error(c);
	}
	ERR_clear_error();
	return err;
}

static bool is_printable(const char *p, size_t n)
{
	size_t i = 0;

	while (i < n && p[i] >= ' ' && p[i] <= '~')
		i++;
	return i == n;
}

/* The subject of a client's certificate. What would not be all of it is for the log alone: two names that are
 * cut may look the same. */
static int note_subject(struct tls_conn *c)
{
	X509 *x = SSL_get0_peer_certificate(c->ssl);
	const char *header = c->server->subject_header;
	int err = -ENOMEM;
	size_t keep;
	char *p;
	long n;
	BIO *b;

	if (!x || SSL_get_verify_result(c->ssl) != X509_V_OK)
		return 0;
	b = BIO_new(BIO_s_mem());
	/* Control bytes and all beyond ASCII are escaped (ASN1_STRFLGS_RFC2253). */
	if (b && X509_NAME_print_ex(b, X509_get_subject_name(x), 0, XN_FLAG_RFC2253) >= 0) {
		n = BIO_get_mem_data(b, &p);
		keep = (size_t)MIN(n, (long)TLS_SUBJECT_MAX);
		c->subject = calloc(1, keep + 1);
		err = c->subject ? 0 : -ENOMEM;
		if (c->subject && keep)
			memcpy(c->subject, p, keep);
		if (!err && header && n && n <= TLS_SUBJECT_MAX && is_printable(p, (size_t)n)) {
			c->subject_header = strdup(header);
			err = c->subject_header ? 0 : -ENOMEM;
		}
	}
	BIO_free(b);
	ERR_clear_error();
	return err;
}

/* What only the handshake needed. */
static int finish(struct tls_conn *c)
{
	const unsigned char *protocol;
	unsigned n;

	if (c->server && note_subject(c)) {
		c->failed = true;
		say(c, "out of memory");
		c->failure = SLUICE_TLS_FAIL_OTHER;
		return -ENOMEM;
	}
	c->done = true;
	/* One of a few busy connections, not one of many idle ones: it keeps its buffers. */
	SSL_get0_alpn_selected(c->ssl, &protocol, &n);
	if (n == 2 && memcmp(protocol, "h2", 2) == 0)
		SSL_clear_mode(c->ssl, SSL_MODE_RELEASE_BUFFERS);
	if (c->server) {
		SSL_set_tlsext_status_ocsp_resp(c->ssl, NULL, 0);
		tls_server_unref(take_ptr(c->server));
	}
	return 0;
}

int tls_handshake(struct tls_conn *c)
{
	int n, err;

	if (c->done)
		return 0;
	if (c->failed)
		return -EPROTO;
	n = SSL_do_handshake(c->ssl);
	if (n == 1)
		return finish(c);
	err = fail(c, n);
	if (!err) {
		c->failed = true;
		say(c, "the peer closed during the handshake");
		c->failure = SLUICE_TLS_FAIL_CLOSED;
		err = -ECONNRESET;
	}
	return err;
}

ssize_t tls_recv(struct tls_conn *c, void *p, size_t n)
{
	int got, err;

	if (c->closed)
		return 0;
	if (c->failed)
		return -EPROTO;
	got = SSL_read(c->ssl, p, (int)MIN(n, (size_t)INT32_MAX));
	if (got > 0) {
		c->recv_wants_write = false;
		c->key_updates = 0;
		return got;
	}
	err = fail(c, got);
	c->recv_wants_write = err == -EAGAIN && c->wants_write;
	return err;
}

/* The bytes of one record in a row: the first part itself when it fills it. */
static const char *gather(const struct iovec *iov, size_t niov, char *space, size_t *ret_n)
{
	size_t n = 0, i = 0;

	while (i < niov && !iov[i].iov_len)
		i++;
	if (i == niov) {
		*ret_n = 0;
		return space;
	}
	if (i + 1 == niov || iov[i].iov_len >= GATHER_BYTES) {
		*ret_n = MIN(iov[i].iov_len, (size_t)GATHER_BYTES);
		return iov[i].iov_base;
	}
	for (; i < niov && n < GATHER_BYTES; i++) {
		size_t take = MIN(iov[i].iov_len, GATHER_BYTES - n);

		memcpy(space + n, iov[i].iov_base, take);
		n += take;
	}
	*ret_n = n;
	return space;
}

/* The kernel makes the records, one of each call. */
static ssize_t send_plain(struct tls_conn *c, const struct iovec *iov, size_t niov)
{
	struct msghdr m = {.msg_iov = (struct iovec *)iov, .msg_iovlen = niov};
	ssize_t sent = sendmsg(c->io.fd, &m, MSG_NOSIGNAL);

	c->wants_write = sent < 0;
	if (sent >= 0)
		return sent;
	if (errno == EAGAIN || errno == EINTR)
		return -EAGAIN;
	c->failed = true;
	say(c, "%s", strerror(errno));
	return -errno;
}

ssize_t tls_send(struct tls_conn *c, const struct iovec *iov, size_t niov)
{
	static char space[GATHER_BYTES];
	const char *p;
	size_t n;
	int sent, err;

	if (c->failed)
		return -EPIPE;
	if (c->io.ktls_send && c->done)
		return send_plain(c, iov, niov);
	p = gather(iov, niov, space, &n);
	if (c->retry && n < c->retry)
		return -EINVAL;
	n = c->retry ? c->retry : n;
	if (!n)
		return 0;
	sent = SSL_write(c->ssl, p, (int)n);
	if (sent > 0) {
		c->retry = 0;
		c->send_wants_read = false;
		return sent;
	}
	err = fail(c, sent);
	c->send_wants_read = err == -EAGAIN && !c->wants_write;
	if (err == -EAGAIN)
		c->retry = (uint32_t)n;
	return err ? err : -EPIPE;
}

bool tls_wants_write(const struct tls_conn *c)
{
	return c->wants_write;
}

bool tls_recv_wants_write(const struct tls_conn *c)
{
	return c->recv_wants_write;
}

bool tls_send_wants_read(const struct tls_conn *c)
{
	return c->send_wants_read;
}

bool tls_peek_end(struct tls_conn *c)
{
	char byte;
	int n, err;

	if (c->closed || c->failed)
		return true;
	n = SSL_peek(c->ssl, &byte, 1);
	if (n > 0)
		return false;
	err = fail(c, n);
	c->recv_wants_write = err == -EAGAIN && c->wants_write;
	return err != -EAGAIN;
}

bool tls_pending(const struct tls_conn *c)
{
	return !c->closed && !c->failed && SSL_has_pending(c->ssl);
}

bool tls_shutdown(struct tls_conn *c)
{
	bool full;
	int n;

	/* Behind half a record there is no place for it. */
	if (!c->done || c->failed || c->retry)
		return true;
	n = SSL_shutdown(c->ssl);
	full = n < 0 && !c->io.error && SSL_get_error(c->ssl, n) == SSL_ERROR_WANT_WRITE;
	ERR_clear_error();
	return !full;
}

static enum tls_alpn alpn_of(const SSL *ssl)
{
	const unsigned char *p;
	unsigned n;

	SSL_get0_alpn_selected(ssl, &p, &n);
	if (n == 2 && memcmp(p, "h2", 2) == 0)
		return TLS_ALPN_H2;
	return n ? TLS_ALPN_H1 : TLS_ALPN_NONE;
}

const char *tls_client_subject(const struct tls_conn *c)
{
	return c->subject;
}

const char *tls_client_subject_header(const struct tls_conn *c)
{
	return c->subject_header;
}

void tls_info(const struct tls_conn *c, struct tls_info *ret)
{
	SSL *ssl = c->ssl;

	*ret = (struct tls_info){
		.alpn = alpn_of(ssl),
		.version = SSL_get_version(ssl),
		.cipher = SSL_get_cipher_name(ssl),
		.group = SSL_group_to_name(ssl, (int)SSL_get_negotiated_group(ssl)),
		.server_name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name),
		.resumed = SSL_session_reused(ssl),
		.ktls_send = c->io.ktls_send,
		.client_cert = c->subject != NULL,
		.client_subject = c->subject,
	};
}
