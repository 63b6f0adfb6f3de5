/* One TLS listener: a context per certificate, chosen by SNI; ALPN; stapling; tickets. */
#include "tls/context.h"
#include <ctype.h>
#include <openssl/err.h>
#include <openssl/sha.h>

#define SESSION_SECONDS (8 * 3600) /* two rotations of the ticket keys, with the default of 4 h */

static struct tls_server *server_of(SSL *ssl)
{
	struct tls_conn *c = SSL_get_app_data(ssl);

	return c->server;
}

/* ---- SNI (RFC 6066 3; wildcards as RFC 6125 6.4.3: one label, the leftmost) */

static bool host_has(const struct tls_host *h, const char *name)
{
	for (size_t i = 0; i < h->nnames; i++)
		if (strcmp(h->names[i], name) == 0)
			return true;
	return false;
}

static struct tls_host *find_host(struct tls_server *s, const char *server_name)
{
	char name[256], wild[256 + 1];
	size_t n = strnlen(server_name, sizeof(name));
	const char *dot;

	if (n >= sizeof(name))
		return NULL;
	for (size_t i = 0; i <= n; i++)
		name[i] = (char)tolower((unsigned char)server_name[i]);
	for (size_t i = 0; i < s->nhosts; i++)
		if (host_has(&s->hosts[i], name))
			return &s->hosts[i];
	dot = strchr(name, '.');
	if (!dot)
		return NULL;
	wild[0] = '*';
	memcpy(wild + 1, dot, strlen(dot) + 1);
	for (size_t i = 0; i < s->nhosts; i++)
		if (host_has(&s->hosts[i], wild))
			return &s->hosts[i];
	return NULL;
}

/* A name that no certificate has gets the default one: the client judges. */
static int on_server_name(SSL *ssl, int *alert, void *arg)
{
	const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
	struct tls_server *s = server_of(ssl);
	struct tls_host *h = name && s ? find_host(s, name) : NULL;

	(void)alert;
	(void)arg;
	if (h && h->ctx != SSL_get_SSL_CTX(ssl))
		SSL_set_SSL_CTX(ssl, h->ctx);
	return name ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_NOACK;
}

/* ---- ALPN (RFC 7301) */

static bool offers(const unsigned char *in, unsigned n, const char *protocol, const unsigned char **ret)
{
	size_t want = strlen(protocol);

	for (unsigned i = 0; i < n; i += in[i] + 1U)
		if (in[i] == want && i + 1 + want <= n && memcmp(in + i + 1, protocol, want) == 0) {
			*ret = in + i + 1;
			return true;
		}
	return false;
}

static int on_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_len, const unsigned char *in,
	unsigned n, void *arg)
{
	static const char *const known[] = {"h2", "http/1.1"};
	struct tls_server *s = server_of(ssl);

	(void)arg;
	for (size_t i = 0; s && i < ARRAY_LEN(known); i++) {
		if ((i == 0 && s->http == HTTP_1_1_ONLY) || (i == 1 && s->http == HTTP_2_ONLY))
			continue;
		if (offers(in, n, known[i], out)) {
			*out_len = (unsigned char)strlen(known[i]);
			return SSL_TLSEXT_ERR_OK;
		}
	}
	return SSL_TLSEXT_ERR_ALERT_FATAL;
}

/* ---- stapling (RFC 6066 8) */

static int on_status(SSL *ssl, void *arg)
{
	const struct tls_host *h = arg;
	EVP_PKEY *key = SSL_get_privatekey(ssl);
	int type = key ? EVP_PKEY_get_base_id(key) : 0;

	for (size_t i = 0; i < h->nstaples; i++) {
		const struct tls_bytes *r = &h->staples[i].response;
		void *copy;

		if (h->staples[i].key_type != type)
			continue;
		copy = OPENSSL_memdup(r->p, r->n);
		if (!copy)
			return SSL_TLSEXT_ERR_NOACK;
		SSL_set_tlsext_status_ocsp_resp(ssl, copy, (long)r->n);
		return SSL_TLSEXT_ERR_OK;
	}
	return SSL_TLSEXT_ERR_NOACK;
}

static int add_staple(struct tls_host *h, const struct tls_bytes *response, X509 *leaf)
{
	struct tls_staple *staple = &h->staples[h->nstaples];

	staple->key_type = EVP_PKEY_get_base_id(X509_get0_pubkey(leaf));
	staple->response.p = OPENSSL_memdup(response->p, response->n);
	if (!staple->response.p)
		return -ENOMEM;
	staple->response.n = response->n;
	h->nstaples++;
	return 0;
}

/* ---- making */

static void host_done(struct tls_host *h)
{
	SSL_CTX_free(h->ctx);
	names_free(h->names, h->nnames);
	for (size_t i = 0; i < h->nstaples; i++)
		OPENSSL_free(h->staples[i].response.p);
}

void tls_server_unref(struct tls_server *s)
{
	if (!s || --s->refs)
		return;
	for (size_t i = 0; i < s->nhosts; i++)
		host_done(&s->hosts[i]);
	free(s->hosts);
	free(s->subject_header);
	free(s);
}

/* A session is resumed only where the same certificates of clients are asked for, across workers and reloads.
 */
static int set_session_context(
	SSL_CTX *ctx, const struct listener_settings *l, const struct tls_listener_material *m)
{
	unsigned char id[SHA256_DIGEST_LENGTH];
	_cleanup_buf_ struct buf text = {0};
	int err = buf_printf(&text, "%s %d ", l->listen, (int)l->tls->client_certificates);

	err = err ? err : buf_append(&text, m->client_ca.p, m->client_ca.n);
	if (err)
		return err;
	SHA256((const unsigned char *)text.data, text.len, id);
	return SSL_CTX_set_session_id_context(ctx, id, sizeof(id)) ? 0 : -ENOMEM;
}

static void set_tickets(SSL_CTX *ctx, const struct tls_listener_settings *t, struct tls_tickets *tickets)
{
	SSL_CTX_set_timeout(ctx, SESSION_SECONDS);
	if (t->tickets && tickets) {
		SSL_CTX_set_tlsext_ticket_key_evp_cb(ctx, tickets_callback);
		SSL_CTX_set_num_tickets(ctx, 1);
	} else {
		SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET);
		SSL_CTX_set_num_tickets(ctx, 0);
	}
}

static int set_client_certificates(SSL_CTX *ctx, const struct tls_listener_settings *t,
	const struct tls_listener_material *m, struct buf *errors)
{
	STACK_OF(X509_NAME) * subjects;
	int err, mode = SSL_VERIFY_PEER;

	if (t->client_certificates == CLIENT_CERTS_OFF)
		return 0;
	subjects = sk_X509_NAME_new_null();
	if (!subjects)
		return -ENOMEM;
	err = authorities_read(&m->client_ca, t->client_ca, SSL_CTX_get_cert_store(ctx), subjects, errors);
	SSL_CTX_set_client_CA_list(ctx, subjects);
	if (t->client_certificates == CLIENT_CERTS_REQUIRE)
		mode |= SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
	SSL_CTX_set_verify(ctx, mode, NULL);
	return err;
}

static int new_context(struct tls_host *h, const struct listener_settings *l,
	const struct tls_listener_material *m, struct tls_tickets *tickets, struct buf *errors)
{
	SSL_CTX *ctx = context_new(TLS_server_method(), l->tls->min_version, l->tls->profile);
	int err;

	if (!ctx)
		return -ENOMEM;
	h->ctx = ctx;
	SSL_CTX_set_tlsext_servername_callback(ctx, on_server_name);
	SSL_CTX_set_alpn_select_cb(ctx, on_alpn, NULL);
	SSL_CTX_set_tlsext_status_cb(ctx, on_status);
	SSL_CTX_set_tlsext_status_arg(ctx, h);
	set_tickets(ctx, l->tls, tickets);
	err = set_session_context(ctx, l, m);
	return err ? err : set_client_certificates(ctx, l->tls, m, errors);
}

static bool same_names(const struct tls_host *a, char **names, size_t n)
{
	if (a->nnames != n)
		return false;
	for (size_t i = 0; i < n; i++)
		if (!host_has(a, names[i]))
			return false;
	return true;
}

/* The host that this certificate joins: the same names, another type of key. A context holds one of each type
 * and takes that which the client can verify. */
static struct tls_host *twin(struct tls_server *s, X509 *leaf, char **names, size_t n)
{
	int type = EVP_PKEY_get_base_id(X509_get0_pubkey(leaf));

	for (size_t i = 0; i < s->nhosts; i++) {
		X509 *other = SSL_CTX_get0_certificate(s->hosts[i].ctx);

		if (same_names(&s->hosts[i], names, n) && other &&
			EVP_PKEY_get_base_id(X509_get0_pubkey(other)) != type &&
			s->hosts[i].nstaples < ARRAY_LEN(s->hosts[i].staples))
			return &s->hosts[i];
	}
	return NULL;
}

static int add_pair(struct tls_server *s, const struct listener_settings *l,
	const struct tls_listener_material *m, size_t i, struct tls_tickets *tickets, struct buf *errors)
{
	const struct tls_pair *pair = &m->pairs[i];
	const struct certificate_settings *named =
		i < l->tls->ncertificates ? &l->tls->certificates[i] : NULL;
	const char *file = named ? named->certificate : "self-signed";
	const char *key_file = named && named->key ? named->key : file;
	struct tls_host *h = &s->hosts[s->nhosts], *other;
	X509 *leaf = NULL;
	int err;

	*h = (struct tls_host){0};
	s->nhosts++;
	err = new_context(h, l, m, tickets, errors);
	err = err ? err : certificate_use(h->ctx, pair, file, key_file, &leaf, errors);
	err = err ? err : certificate_names(leaf, &h->names, &h->nnames);
	if (!err && pair->ocsp.p && named)
		err = staple_check(&pair->ocsp, named->ocsp, leaf, errors);
	if (!err && h->nnames) {
		s->nhosts--; /* not its own twin */
		other = twin(s, leaf, h->names, h->nnames);
		s->nhosts++;
		if (other) {
			X509 *ignored = NULL;

			err = certificate_use(other->ctx, pair, file, key_file, &ignored, errors);
			X509_free(ignored);
			host_done(h);
			s->nhosts--;
			h = other;
		}
	}
	if (!err && pair->ocsp.p)
		err = add_staple(h, &pair->ocsp, leaf);
	X509_free(leaf);
	return err;
}

int tls_server_new(const struct listener_settings *l, const struct tls_listener_material *m,
	struct tls_tickets *tickets, struct tls_server **ret, struct buf *errors)
{
	struct tls_server *s = calloc(1, sizeof(*s));
	int err = 0, one;

	if (!s)
		return -ENOMEM;
	s->refs = 1;
	s->http = l->http;
	s->tickets = l->tls->tickets ? tickets : NULL;
	s->hosts = calloc(MAX(m->npairs, (size_t)1), sizeof(*s->hosts));
	if (!s->hosts || !m->npairs)
		err = s->hosts ? -EINVAL : -ENOMEM;
	if (l->tls->client_subject_header) {
		s->subject_header = strdup(l->tls->client_subject_header);
		if (!s->subject_header)
			err = -ENOMEM;
	}
	for (size_t i = 0; i < m->npairs && err != -ENOMEM; i++) {
		one = add_pair(s, l, m, i, tickets, errors);
		err = one ? one : err;
	}
	if (err) {
		tls_server_unref(s);
		return err;
	}
	*ret = s;
	return 0;
}
