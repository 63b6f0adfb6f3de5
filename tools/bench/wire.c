#include "wire.h"
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/socket.h>

static const unsigned char alpn_h2[] = "\x02h2", alpn_h1[] = "\x08http/1.1";

static int context_new(const SSL_METHOD *method, SSL_CTX **ret)
{
	SSL_CTX *c = SSL_CTX_new(method);

	if (!c || !SSL_CTX_set_min_proto_version(c, TLS1_3_VERSION) ||
		!SSL_CTX_set_ciphersuites(c, WIRE_TLS_SUITE) ||
		!SSL_CTX_set1_groups_list(c, WIRE_TLS_GROUP)) {
		SSL_CTX_free(c);
		return -ENOMEM;
	}
	/* One recv() for a record and what follows it; memory only while bytes wait; no stored sessions:
	 * every handshake is a full one. */
	SSL_CTX_set_read_ahead(c, 1);
	SSL_CTX_set_mode(c, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
				    SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	SSL_CTX_set_session_cache_mode(c, SSL_SESS_CACHE_OFF);
	*ret = c;
	return 0;
}

int wire_client_context(unsigned http, SSL_CTX **ret)
{
	int err = context_new(TLS_client_method(), ret);

	if (err)
		return err;
	SSL_CTX_set_verify(*ret, SSL_VERIFY_NONE, NULL);
	err = http == 2 ? SSL_CTX_set_alpn_protos(*ret, alpn_h2, sizeof(alpn_h2) - 1)
			: SSL_CTX_set_alpn_protos(*ret, alpn_h1, sizeof(alpn_h1) - 1);
	if (err) {
		wire_context_free(ret);
		return -ENOMEM;
	}
	return 0;
}

static int choose_h1(SSL *ssl, const unsigned char **out, unsigned char *out_n, const unsigned char *in,
	unsigned int in_n, void *arg)
{
	unsigned char *chosen;

	(void)ssl;
	(void)arg;
	if (SSL_select_next_proto(&chosen, out_n, alpn_h1, sizeof(alpn_h1) - 1, in, in_n) !=
		OPENSSL_NPN_NEGOTIATED)
		return SSL_TLSEXT_ERR_ALERT_FATAL;
	*out = chosen;
	return SSL_TLSEXT_ERR_OK;
}

int wire_server_context(const char *pem, SSL_CTX **ret)
{
	int err = context_new(TLS_server_method(), ret);

	if (err)
		return err;
	SSL_CTX_set_alpn_select_cb(*ret, choose_h1, NULL);
	SSL_CTX_set_num_tickets(*ret, 0);
	if (SSL_CTX_use_certificate_chain_file(*ret, pem) == 1 &&
		SSL_CTX_use_PrivateKey_file(*ret, pem, SSL_FILETYPE_PEM) == 1)
		return 0;
	wire_context_free(ret);
	return -EINVAL;
}

void wire_context_free(SSL_CTX **context)
{
	SSL_CTX_free(*context);
	*context = NULL;
}

int wire_init(struct wire *w, int fd, SSL_CTX *context, enum wire_end end)
{
	*w = (struct wire){.fd = fd};
	if (!context)
		return 0;
	w->ssl = SSL_new(context);
	if (!w->ssl || !SSL_set_fd(w->ssl, fd) ||
		(end == WIRE_CLIENT && !SSL_set_tlsext_host_name(w->ssl, "localhost"))) {
		wire_done(w);
		return -ENOMEM;
	}
	if (end == WIRE_CLIENT)
		SSL_set_connect_state(w->ssl);
	else
		SSL_set_accept_state(w->ssl);
	return 0;
}

void wire_done(struct wire *w)
{
	SSL_free(w->ssl);
	w->ssl = NULL;
}

/* 0 at the end, else a negative errno. */
static int tls_result(struct wire *w, int result)
{
	switch (SSL_get_error(w->ssl, result)) {
	case SSL_ERROR_WANT_READ:
		return -EAGAIN;
	case SSL_ERROR_WANT_WRITE:
		w->want_out = true;
		return -EAGAIN;
	case SSL_ERROR_ZERO_RETURN:
		return 0;
	case SSL_ERROR_SYSCALL:
		return errno ? -errno : -ECONNRESET;
	default:
		return -EPROTO;
	}
}

int wire_handshake(struct wire *w)
{
	int n, err;

	if (!w->ssl)
		return 0;
	w->want_out = false;
	ERR_clear_error();
	n = SSL_do_handshake(w->ssl);
	if (n == 1)
		return 0;
	err = tls_result(w, n);
	return err ? err : -ECONNRESET;
}

unsigned wire_http(const struct wire *w)
{
	const unsigned char *alpn = NULL;
	unsigned int n = 0;

	if (w->ssl)
		SSL_get0_alpn_selected(w->ssl, &alpn, &n);
	return n == 2 && !memcmp(alpn, "h2", 2) ? 2 : 1;
}

ssize_t wire_recv(struct wire *w, void *p, size_t n)
{
	ssize_t got;

	if (!w->ssl) {
		got = recv(w->fd, p, n, 0);
		return got >= 0 ? got : errno == EINTR ? -EAGAIN : -errno;
	}
	w->want_out = false;
	ERR_clear_error();
	got = SSL_read(w->ssl, p, (int)MIN(n, (size_t)INT32_MAX));
	return got > 0 ? got : tls_result(w, (int)got);
}

ssize_t wire_send(struct wire *w, const void *p, size_t n)
{
	ssize_t sent;
	int err;

	if (!w->ssl) {
		sent = send(w->fd, p, n, MSG_NOSIGNAL);
		return sent >= 0 ? sent : errno == EINTR ? -EAGAIN : -errno;
	}
	if (!n)
		return 0;
	w->want_out = false;
	ERR_clear_error();
	sent = SSL_write(w->ssl, p, (int)MIN(n, (size_t)INT32_MAX));
	if (sent > 0)
		return sent;
	err = tls_result(w, (int)sent);
	return err ? err : -EPIPE;
}

void wire_shutdown(struct wire *w)
{
	if (w->ssl) {
		ERR_clear_error();
		SSL_shutdown(w->ssl);
	}
	shutdown(w->fd, SHUT_WR);
}

bool wire_pending(const struct wire *w)
{
	return w->ssl && SSL_has_pending(w->ssl);
}

const char *wire_error(int err)
{
	const char *reason = err == -EPROTO ? ERR_reason_error_string(ERR_peek_last_error()) : NULL;

	return reason ? reason : strerror(-err);
}
