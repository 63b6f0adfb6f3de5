#include "tls/context.h"
#include "tls/ktls.h"
#include <openssl/err.h>
#include <stdio.h>

/* Mozilla's server side TLS, guideline 5.8 (ssl-config.mozilla.org): intermediate has TLS 1.2 with forward
 * secrecy and AEAD only, modern is TLS 1.3. The client's order counts: it knows whether it has AES in
 * hardware. */
#define CIPHERS_1_2                                                                                          \
	"ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:"                                         \
	"ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:"                                         \
	"ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305"
#define CIPHERS_1_3 "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256"

/* The hybrid group came with OpenSSL 3.5. */
static const char *const groups[] = {
	"X25519MLKEM768:X25519:prime256v1:secp384r1", "X25519:prime256v1:secp384r1"};

static bool set_groups(SSL_CTX *ctx)
{
	for (size_t i = 0; i < ARRAY_LEN(groups); i++)
		if (SSL_CTX_set1_groups_list(ctx, groups[i])) {
			ERR_clear_error();
			return true;
		}
	return false;
}

SSL_CTX *context_new(const SSL_METHOD *method, enum tls_version min, enum tls_profile profile)
{
	SSL_CTX *ctx = SSL_CTX_new(method);
	int lowest = min == TLS_1_3 || profile == TLS_MODERN ? TLS1_3_VERSION : TLS1_2_VERSION;

	if (!ctx)
		return NULL;
	SSL_CTX_set_options(ctx, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION);
	SSL_CTX_clear_options(ctx, SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_IGNORE_UNEXPECTED_EOF);
	SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
				      SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	/* One read takes a record's header and body; the buffer goes when it is empty. Without AUTO_RETRY a
	 * call looks at one record that is no data, then returns. */
	SSL_CTX_set_read_ahead(ctx, 1);
	SSL_CTX_clear_mode(ctx, SSL_MODE_AUTO_RETRY);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_max_early_data(ctx, 0);
	if (ktls_allowed())
		SSL_CTX_set_options(ctx, SSL_OP_ENABLE_KTLS);
	if (!SSL_CTX_set_min_proto_version(ctx, lowest) ||
		!SSL_CTX_set_max_proto_version(ctx, TLS1_3_VERSION) ||
		!SSL_CTX_set_cipher_list(ctx, CIPHERS_1_2) || !SSL_CTX_set_ciphersuites(ctx, CIPHERS_1_3) ||
		!set_groups(ctx)) {
		SSL_CTX_free(ctx);
		return NULL;
	}
	return ctx;
}

const char *openssl_reason(void)
{
	static char text[160];
	unsigned long e = ERR_peek_error();
	const char *reason = ERR_reason_error_string(e);

	if (reason)
		snprintf(text, sizeof(text), "%s", reason);
	else if (ERR_SYSTEM_ERROR(e))
		snprintf(text, sizeof(text), "%s", strerror(ERR_GET_REASON(e)));
	else
		snprintf(text, sizeof(text), "OpenSSL error %lx", e);
	ERR_clear_error();
	return text;
}

static int build(struct tls *t, const struct settings *s, const struct tls_material *m,
	struct tls_tickets *tickets, X509_STORE *system, struct buf *errors)
{
	int err = 0, one;

	for (size_t i = 0; i < s->nlisteners && err != -ENOMEM; i++) {
		if (!s->listeners[i].tls)
			continue;
		one = tls_server_new(&s->listeners[i], &m->listeners[i], tickets, &t->servers[i], errors);
		err = one ? one : err;
	}
	for (size_t i = 0; i < s->nupstreams && err != -ENOMEM; i++) {
		if (!s->upstreams[i].tls)
			continue;
		one = tls_client_new(&s->upstreams[i], &m->upstreams[i], system, &t->clients[i], errors);
		err = one ? one : err;
	}
	return err;
}

static void cleanup_tls(struct tls **t)
{
	tls_free(*t);
}

static int alloc_tls(const struct settings *s, struct tls **ret)
{
	struct tls *t = *ret = calloc(1, sizeof(*t));

	if (!t)
		return -ENOMEM;
	t->servers = calloc(MAX(s->nlisteners, (size_t)1), sizeof(struct tls_server *));
	t->clients = calloc(MAX(s->nupstreams, (size_t)1), sizeof(struct tls_client *));
	if (!t->servers || !t->clients)
		return -ENOMEM;
	t->nservers = s->nlisteners;
	t->nclients = s->nupstreams;
	return 0;
}

int tls_new(const struct settings *s, const struct tls_material *m, struct tls_tickets *tickets,
	struct tls **ret, struct buf *errors)
{
	_cleanup_(cleanup_tls) struct tls *t = NULL;
	X509_STORE *system = NULL;
	int err;

	if (m->nlisteners != s->nlisteners || m->nupstreams != s->nupstreams)
		return -EINVAL; /* of other settings */
	err = alloc_tls(s, &t);
	if (!err && m->system_ca.p) {
		system = X509_STORE_new();
		err = system ? authorities_read(
				       &m->system_ca, "the system's authorities", system, NULL, errors)
			     : -ENOMEM;
	}
	if (!err)
		err = build(t, s, m, tickets, system, errors);
	X509_STORE_free(system);
	if (err)
		return err;
	*ret = take_ptr(t);
	return 0;
}

void tls_free(struct tls *t)
{
	if (!t)
		return;
	for (size_t i = 0; i < t->nservers; i++)
		tls_server_unref(t->servers[i]);
	for (size_t i = 0; i < t->nclients; i++)
		tls_client_unref(t->clients[i]);
	free(t->servers);
	free(t->clients);
	free(t);
}
