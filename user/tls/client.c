/* One TLS upstream: who it must be, our own certificate, the session to resume. */
#include "tls/context.h"
#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>

/* OpenSSL gives up its reference: a session ticket has come (at any time in TLS 1.3). */
static int on_session(SSL *ssl, SSL_SESSION *session)
{
	struct tls_conn *c = SSL_get_app_data(ssl);

	/* Meanwhile another name may have been connected to. */
	if (!c->client || !c->host || strcmp(c->host, c->client->session_host) != 0)
		return 0;
	SSL_SESSION_free(c->client->session);
	c->client->session = session;
	return 1;
}

static int set_verify(SSL_CTX *ctx, const struct tls_upstream_settings *t,
	const struct tls_upstream_material *m, X509_STORE *system, struct buf *errors)
{
	if (!t->verify) {
		SSL_CTX_set_verify(ctx, SSL_VERIFY_NONE, NULL);
		return 0;
	}
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
	if (m->ca.p)
		return authorities_read(&m->ca, t->ca, SSL_CTX_get_cert_store(ctx), NULL, errors);
	if (!system)
		return -EINVAL;
	SSL_CTX_set1_cert_store(ctx, system);
	return 0;
}

static int set_own(SSL_CTX *ctx, const struct tls_upstream_settings *t, const struct tls_upstream_material *m,
	struct buf *errors)
{
	X509 *leaf = NULL;
	int err;

	if (!m->own.certificate.p)
		return 0;
	err = certificate_use(ctx, &m->own, t->certificate, t->key ? t->key : t->certificate, &leaf, errors);
	X509_free(leaf);
	return err;
}

int tls_client_new(const struct upstream_settings *u, const struct tls_upstream_material *m,
	X509_STORE *system, struct tls_client **ret, struct buf *errors)
{
	const struct tls_upstream_settings *t = u->tls;
	struct tls_client *c = calloc(1, sizeof(*c));
	int err;

	if (!c)
		return -ENOMEM;
	c->refs = 1;
	c->verify = t->verify;
	c->server_name = t->server_name ? strdup(t->server_name) : NULL;
	c->ctx = context_new(TLS_client_method(), t->min_version, TLS_INTERMEDIATE);
	if (!c->ctx || (t->server_name && !c->server_name)) {
		tls_client_unref(c);
		return -ENOMEM;
	}
	SSL_CTX_set_session_cache_mode(c->ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL_STORE);
	SSL_CTX_sess_set_new_cb(c->ctx, on_session);
	err = set_verify(c->ctx, t, m, system, errors);
	err = err ? err : set_own(c->ctx, t, m, errors);
	if (err) {
		tls_client_unref(c);
		return err;
	}
	*ret = c;
	return 0;
}

void tls_client_unref(struct tls_client *c)
{
	if (!c || --c->refs)
		return;
	SSL_SESSION_free(c->session);
	free(c->session_host);
	SSL_CTX_free(c->ctx);
	free(c->server_name);
	free(c);
}

static bool is_ip(const char *name)
{
	unsigned char ip[16];

	return inet_pton(AF_INET, name, ip) == 1 || inet_pton(AF_INET6, name, ip) == 1;
}

int client_identify(struct tls_conn *conn, const char *host)
{
	struct tls_client *c = conn->client;
	const char *name = c->server_name ? c->server_name : host;
	SSL *ssl = conn->ssl;
	char *copy;

	if (name && !is_ip(name) && !SSL_set_tlsext_host_name(ssl, name))
		return -ENOMEM;
	if (c->verify && !name)
		return -EINVAL; /* a unix socket without server_name: cross_tls.c refuses it */
	if (c->verify) {
		SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
		if (is_ip(name) ? !X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), name)
				: !SSL_set1_host(ssl, name))
			return -ENOMEM;
	}
	/* A resumed session is not verified again: only for the name it was verified for. */
	name = name ? name : "";
	conn->host = strdup(name);
	if (!conn->host)
		return -ENOMEM;
	if (c->session && c->session_host && strcmp(c->session_host, name) == 0)
		return SSL_set_session(ssl, c->session) ? 0 : -ENOMEM;
	copy = strdup(name);
	if (!copy)
		return -ENOMEM;
	SSL_SESSION_free(take_ptr(c->session));
	free(c->session_host);
	c->session_host = copy;
	return 0;
}
