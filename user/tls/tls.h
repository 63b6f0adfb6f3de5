/* TLS to clients and to upstreams; the only user of OpenSSL. The master reads and checks every file
 * (material); a worker, which can open none of them, builds contexts from those bytes for each generation of
 * settings (tls) and one tls_conn per connection. Nothing here waits: every call on a connection does what
 * its socket allows. Used on one thread. */
#ifndef SLUICE_TLS_TLS_H
#define SLUICE_TLS_TLS_H

#include "conf/settings.h"
#include "sluice/counters.h"
#include <sys/types.h>
#include <sys/uio.h>

#define TLS_RECORD_MAX 16384 /* plaintext bytes of one record, RFC 8446 5.1 */

/* ---- the bytes of all certificates, keys, OCSP responses and authorities that the settings name */
struct tls_material;

/* Reads the files and tries them. -EINVAL: one line per mistake in `errors`, "file: what is allowed, found
 * what"; what is odd but usable (a certificate that has expired) is a line in `warnings` (NULL: not wanted).
 * Settings without TLS give an empty one. */
must_check int tls_material_load(
	const struct settings *s, struct tls_material **ret, struct buf *errors, struct buf *warnings);
/* NULL is legal. Wipes the keys. */
void tls_material_free(struct tls_material *m);
/* For a reload: as bytes for a memfd, and back. -EINVAL for bytes that pack did not write. */
must_check int tls_material_pack(const struct tls_material *m, struct buf *out);
must_check int tls_material_unpack(struct slice in, struct tls_material **ret);
/* A reload must not make it worse: -EINVAL, with lines in `errors`, when `next` has a certificate that is not
 * valid now and that `old` does not have. */
must_check int tls_material_compare(const struct tls_material *old, const struct tls_material *next,
	const struct settings *next_settings, struct buf *errors);

/* One certificate that is in use, for metrics. */
struct tls_certificate_info {
	const char *file;     /* "self-signed" when there is none; of the settings */
	const char *names;    /* "example.org, *.example.org", cut at 255 bytes */
	int64_t not_after;    /* seconds since 1970 */
	char fingerprint[65]; /* SHA-256, hex */
	char space[256];      /* where `names` stands */
};
size_t tls_material_certificates(const struct tls_material *m);
/* The i-th, of all listeners in turn. */
must_check int tls_material_certificate(
	const struct tls_material *m, const struct settings *s, size_t i, struct tls_certificate_info *ret);

/* ---- session ticket keys: shared memory made by the master before it forks, written by it only */
struct tls_tickets;

must_check int tls_tickets_new(struct tls_tickets **ret);
/* NULL is legal. */
void tls_tickets_free(struct tls_tickets *t);
/* A new key encrypts from now on; tickets of the last TLS_TICKET_KEYS - 1 keys are still taken. */
#define TLS_TICKET_KEYS 3
must_check int tls_tickets_rotate(struct tls_tickets *t);

/* ---- contexts of one generation of settings */
struct tls;

/* `tickets` NULL: no session is resumed by ticket. -EINVAL with lines in `errors`, or -ENOMEM. `t` keeps no
 * pointer to `s` and `m`. */
must_check int tls_new(const struct settings *s, const struct tls_material *m, struct tls_tickets *tickets,
	struct tls **ret, struct buf *errors);
/* NULL is legal. Connections keep what they need. */
void tls_free(struct tls *t);

/* ---- the kernel's TLS, for sending on the copy lane */
/* Tries it whole over loopback: both versions, data, an alert. 0, or a negative errno and why not in one
 * line. Takes some milliseconds; as root it loads the module. */
must_check int tls_ktls_try(char *why, size_t size);
/* For all contexts made from now on, in processes forked from now on; off at first. */
void tls_ktls_allow(bool on);

/* ---- one connection */
struct tls_conn;

/* The fd stays the caller's, is non-blocking and outlives the connection. -ENOMEM; -EINVAL: that listener or
 * upstream is plaintext. */
must_check int tls_accept(struct tls *t, size_t listener, int fd, struct tls_conn **ret);
/* `server_name`: the server's host as configured (upstreams[].tls.server_name goes before it); NULL: none. An
 * IP address is verified, but not sent as SNI. */
must_check int tls_connect(
	struct tls *t, size_t upstream, const char *server_name, int fd, struct tls_conn **ret);
/* NULL is legal. Does not close the fd. */
void tls_conn_free(struct tls_conn *c);

/* 0: done. -EAGAIN: again when the fd is ready (reading, or writing when tls_wants_write). Any other: it
 * failed (-EPROTO: TLS, -ECONNRESET: the peer went, -ENOMEM, …), tls_why() has the text; an alert was sent.
 */
must_check int tls_handshake(struct tls_conn *c);
/* Of the last failure, for the log: "no shared cipher", "certificate verify failed: certificate has expired".
 * Never NULL; static or owned by `c`. */
const char *tls_why(const struct tls_conn *c);
/* Of a handshake that failed, for counting. */
enum sluice_tls_fail tls_failure(const struct tls_conn *c);

/* > 0; 0: close_notify came; -EAGAIN; -ECONNRESET: the connection ended without close_notify (truncation) or
 * was reset; another negative errno. */
ssize_t tls_recv(struct tls_conn *c, void *p, size_t n);
/* Bytes taken, at most TLS_RECORD_MAX: one record, handed to the socket whole. -EAGAIN: the record is made
 * but not all sent, the next call must begin with the same bytes (as many of them as this one had, up to
 * TLS_RECORD_MAX; more may follow). Or -errno. */
ssize_t tls_send(struct tls_conn *c, const struct iovec *iov, size_t niov);
/* What the last -EAGAIN of handshake, recv or send waits for: the fd to become writable, else readable. */
bool tls_wants_write(const struct tls_conn *c);
/* tls_recv said -EAGAIN because it has to write (a KeyUpdate's answer); tls_send because it has to read. */
bool tls_recv_wants_write(const struct tls_conn *c);
bool tls_send_wants_read(const struct tls_conn *c);
/* Looks at what came without taking application data: true when the peer has sent close_notify, ended the
 * connection or broke it. False also while application data stands before that. */
bool tls_peek_end(struct tls_conn *c);
/* Bytes are here, decrypted or not, that the fd will not announce again. */
bool tls_pending(const struct tls_conn *c);
/* Sends close_notify; not after a failure, or behind half a record. False: the socket is full, and it is to
 * be asked again when that has room. */
bool tls_shutdown(struct tls_conn *c);

enum tls_alpn { TLS_ALPN_NONE, TLS_ALPN_H1, TLS_ALPN_H2 };

/* Static texts, or the connection's. */
struct tls_info {
	enum tls_alpn alpn;
	const char *version;	 /* "TLSv1.3" */
	const char *cipher;	 /* "TLS_AES_128_GCM_SHA256" */
	const char *group;	 /* "X25519"; NULL: not known (resumed) */
	const char *server_name; /* SNI; NULL: none */
	bool resumed;
	bool ktls_send;		    /* the kernel encrypts: plain send() works for application data */
	bool client_cert;	    /* the peer has shown a certificate, and it is verified */
	const char *client_subject; /* tls_client_subject() */
};
/* After the handshake. */
void tls_info(const struct tls_conn *c, struct tls_info *ret);

#define TLS_SUBJECT_MAX 1024
/* Of a client that has shown a certificate, which was verified: its subject (RFC 2253, "CN=…,O=…"), escaped
 * to printable ASCII, cut at TLS_SUBJECT_MAX bytes; "" for one that names nobody. NULL: there is none. After
 * the handshake; the connection's. */
const char *tls_client_subject(const struct tls_conn *c);
/* The field that tells it to upstreams (listeners[].tls.client_subject_header). NULL: none does, and none may
 * when the subject is empty or was cut. */
const char *tls_client_subject_header(const struct tls_conn *c);

#endif
