/* Contexts and connections inside tls/. */
#ifndef SLUICE_TLS_CONTEXT_H
#define SLUICE_TLS_CONTEXT_H

#include "sluice/counters.h"
#include "tls/material.h"
#include <openssl/ssl.h>

/* A certificate (two of different key types at most, when their names are the same) and whom it is for. */
struct tls_host {
	SSL_CTX *ctx;
	char **names; /* lower case, "*.example.org" for a wildcard */
	size_t nnames;
	struct tls_staple {
		int key_type; /* EVP_PKEY_RSA, … */
		struct tls_bytes response;
	} staples[3];
	size_t nstaples;
};

/* One TLS listener. Each connection holds a reference until its handshake is done. */
struct tls_server {
	int refs;
	enum http_versions http;
	char *subject_header; /* NULL: none */
	struct tls_tickets *tickets;
	struct tls_host *hosts; /* the first is the default */
	size_t nhosts;
};

/* One TLS upstream. Connections hold a reference, for the session that the next one resumes. */
struct tls_client {
	int refs;
	SSL_CTX *ctx;
	bool verify;
	char *server_name;
	SSL_SESSION *session; /* the last one that was given; NULL: none */
	char *session_host;   /* by whom */
};

struct tls {
	struct tls_server **servers; /* by listener; NULL: plaintext */
	size_t nservers;
	struct tls_client **clients; /* by upstream */
	size_t nclients;
};

/* ---- server.c, client.c */
must_check int tls_server_new(const struct listener_settings *l, const struct tls_listener_material *m,
	struct tls_tickets *tickets, struct tls_server **ret, struct buf *errors);
void tls_server_unref(struct tls_server *s);
must_check int tls_client_new(const struct upstream_settings *u, const struct tls_upstream_material *m,
	X509_STORE *system, struct tls_client **ret, struct buf *errors);
void tls_client_unref(struct tls_client *c);
/* SNI, the name to verify, the session to resume. */
struct tls_conn;
must_check int client_identify(struct tls_conn *conn, const char *host);

/* ---- context.c */
/* With everything that both sides share: versions, ciphers, groups, options. */
SSL_CTX *context_new(const SSL_METHOD *method, enum tls_version min, enum tls_profile profile);
/* The newest entry of OpenSSL's queue in words, and the queue emptied. Static. */
const char *openssl_reason(void);

/* ---- certificate.c */
/* Puts a certificate, its chain and its key into the context. `file` and `key_file` are for messages. */
must_check int certificate_use(SSL_CTX *ctx, const struct tls_pair *pair, const char *file,
	const char *key_file, X509 **ret_leaf, struct buf *errors);
/* The leaf alone; NULL: there is none that can be read. */
X509 *certificate_leaf(const struct tls_bytes *pem);
/* The names that the certificate is for, in lower case. */
must_check int certificate_names(X509 *leaf, char ***ret, size_t *ret_n);
void names_free(char **names, size_t n);
/* A file of authorities. `subjects`, unless NULL, gets their names, for a CertificateRequest. */
must_check int authorities_read(const struct tls_bytes *pem, const char *file, X509_STORE *store,
	STACK_OF(X509_NAME) * subjects, struct buf *errors);
must_check int staple_check(const struct tls_bytes *der, const char *file, X509 *leaf, struct buf *errors);

/* ---- tickets.c */
/* SSL_CTX_set_tlsext_ticket_key_evp_cb's; the keys are those of the connection's server. */
int tickets_callback(SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher,
	EVP_MAC_CTX *mac, int encrypt);

/* ---- bio.c */
struct tls_io {
	int fd;
	int error; /* errno of the last failure that is not EAGAIN; 0: none */
	bool eof;  /* the peer has ended its direction */
	bool stop; /* reading is over: the peer floods */
	bool ktls_send;
	unsigned char ktls_type; /* record type of the next write, when the kernel encrypts; 0: data */
};
BIO *io_bio_new(struct tls_io *io);

/* ---- failure.c: `error` of OpenSSL's queue, and the verdict on the peer's certificate */
enum sluice_tls_fail failure_of(unsigned long error, long verify);

/* ---- conn.c */
struct tls_conn {
	SSL *ssl;
	struct tls_io io;
	struct tls_server *server; /* NULL: a client */
	struct tls_client *client;
	uint32_t retry;	      /* bytes of the record that is made but not sent; 0: none */
	uint16_t key_updates; /* since the last application data */
	bool done;	      /* the handshake */
	bool failed;
	bool closed; /* close_notify came */
	bool recv_wants_write, send_wants_read, wants_write;
	char *host; /* a client's: whose session it is */
	char *why_text;
	const char *why;
	enum sluice_tls_fail failure;	/* with `why`, of a handshake */
	char *subject, *subject_header; /* of a client that has shown a certificate */
};

#endif
