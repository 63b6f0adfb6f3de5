#include "tls/self_signed.h"
#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <stdio.h>

#define DAYS 30

static int to_bytes(BIO *b, struct tls_bytes *ret)
{
	char *p;
	long n = BIO_get_mem_data(b, &p);

	ret->p = malloc((size_t)n);
	if (!ret->p)
		return -ENOMEM;
	memcpy(ret->p, p, (size_t)n);
	ret->n = (size_t)n;
	return 0;
}

/* "DNS:localhost,DNS:host,IP:192.0.2.1". */
static int print_names(const struct sockaddr_any *listen, struct buf *out)
{
	char host[256] = "", ip[INET6_ADDRSTRLEN] = "";
	static const struct in6_addr any6;
	bool any = true;
	int err = buf_printf(out, "DNS:localhost");

	if (gethostname(host, sizeof(host) - 1) == 0 && *host && strcmp(host, "localhost") != 0)
		err = err ? err : buf_printf(out, ",DNS:%s", host);
	if (listen->sa.sa_family == AF_INET) {
		any = listen->in4.sin_addr.s_addr == INADDR_ANY;
		inet_ntop(AF_INET, &listen->in4.sin_addr, ip, sizeof(ip));
	} else if (listen->sa.sa_family == AF_INET6) {
		any = memcmp(&listen->in6.sin6_addr, &any6, sizeof(any6)) == 0;
		inet_ntop(AF_INET6, &listen->in6.sin6_addr, ip, sizeof(ip));
	}
	if (err)
		return err;
	return any ? buf_printf(out, ",IP:127.0.0.1,IP:::1") : buf_printf(out, ",IP:%s", ip);
}

static bool add_extension(X509 *x, int nid, const char *value)
{
	X509V3_CTX ctx;
	X509_EXTENSION *e;
	bool ok;

	X509V3_set_ctx_nodb(&ctx);
	X509V3_set_ctx(&ctx, x, x, NULL, NULL, 0);
	e = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	ok = e && X509_add_ext(x, e, -1);
	X509_EXTENSION_free(e);
	return ok;
}

static bool fill(X509 *x, EVP_PKEY *key, const char *names)
{
	X509_NAME *subject = X509_get_subject_name(x);
	uint64_t serial;

	return RAND_bytes((unsigned char *)&serial, sizeof(serial)) == 1 &&
	       X509_set_version(x, X509_VERSION_3) &&
	       ASN1_INTEGER_set_uint64(X509_get_serialNumber(x), serial >> 1) &&
	       X509_gmtime_adj(X509_getm_notBefore(x), -3600) &&
	       X509_time_adj_ex(X509_getm_notAfter(x), DAYS, 0, NULL) && X509_set_pubkey(x, key) &&
	       X509_NAME_add_entry_by_txt(
		       subject, "CN", MBSTRING_ASC, (const unsigned char *)"sluice self-signed", -1, -1, 0) &&
	       X509_set_issuer_name(x, subject) && add_extension(x, NID_subject_alt_name, names) &&
	       add_extension(x, NID_basic_constraints, "critical,CA:FALSE") &&
	       add_extension(x, NID_key_usage, "critical,digitalSignature") &&
	       add_extension(x, NID_ext_key_usage, "serverAuth") && X509_sign(x, key, EVP_sha256()) > 0;
}

int self_signed_make(const struct sockaddr_any *listen, struct tls_pair *ret)
{
	_cleanup_buf_ struct buf names = {0};
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *x = X509_new();
	BIO *cert = BIO_new(BIO_s_mem()), *secret = BIO_new(BIO_s_secmem());
	int err = key && x && cert && secret ? print_names(listen, &names) : -ENOMEM;

	if (!err && !(fill(x, key, names.data) && PEM_write_bio_X509(cert, x) &&
			    PEM_write_bio_PKCS8PrivateKey(secret, key, NULL, NULL, 0, NULL, NULL)))
		err = -EIO;
	err = err ? err : to_bytes(cert, &ret->certificate);
	err = err ? err : to_bytes(secret, &ret->key);
	BIO_free(cert);
	BIO_free(secret);
	X509_free(x);
	EVP_PKEY_free(key);
	ERR_clear_error();
	return err;
}
