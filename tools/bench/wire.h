/* Bytes over one non-blocking socket, plain or TLS (OpenSSL), for the benchmark's ends of the line. The owner
 * polls the fd; TLS does its handshake inside the first call. One thread. Checks no certificate: what is
 * measured is the relay, and peers run with a certificate made for the run. */
#ifndef SLUICE_BENCH_WIRE_H
#define SLUICE_BENCH_WIRE_H

#include "base/util.h"
#include <openssl/types.h>
#include <sys/types.h>

/* All TLS ends offer this only, so that contenders are compared with one cipher, one curve, one kind of key.
 */
#define WIRE_TLS_SUITE "TLS_AES_128_GCM_SHA256"
#define WIRE_TLS_GROUP "P-256"

struct wire {
	SSL *ssl;      /* NULL: plain */
	int fd;	       /* the owner's to close, after wire_done() */
	bool want_out; /* TLS has to write before it can go on: poll for EPOLLOUT, then repeat the call */
};

/* A context for TLS 1.3 clients; `http` is what ALPN offers, 1 or 2. -ENOMEM. */
must_check int wire_client_context(unsigned http, SSL_CTX **ret);
/* For a server with HTTP/1.1 and the certificate and key of the PEM file `pem`. -EINVAL when that file is not
 * such. */
must_check int wire_server_context(const char *pem, SSL_CTX **ret);
void wire_context_free(SSL_CTX **context);

enum wire_end { WIRE_CLIENT, WIRE_SERVER };

/* `context` NULL: plain. A client names localhost as its server (SNI). -ENOMEM. */
must_check int wire_init(struct wire *w, int fd, SSL_CTX *context, enum wire_end end);
/* Frees the TLS state, without a close_notify. Legal on a zeroed struct. */
void wire_done(struct wire *w);

/* 0 when the handshake is over (or there is none), -EAGAIN, or a negative errno; -EPROTO for TLS's own
 * errors.
 */
must_check int wire_handshake(struct wire *w);
/* The protocol that ALPN agreed on, 1 or 2; 1 when nothing was said. */
unsigned wire_http(const struct wire *w);
/* Bytes, 0 at the end, -EAGAIN, or a negative errno. */
must_check ssize_t wire_recv(struct wire *w, void *p, size_t n);
must_check ssize_t wire_send(struct wire *w, const void *p, size_t n);
/* Says that nothing more will be sent: close_notify, then FIN. */
void wire_shutdown(struct wire *w);
/* Bytes wait that were taken from the socket already: no poll will tell of them, so read again. */
bool wire_pending(const struct wire *w);
/* What went wrong, for people, behind an error of the above. */
const char *wire_error(int err);

#endif
