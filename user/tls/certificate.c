/* Certificates, keys, authorities and OCSP responses: from PEM and DER to OpenSSL's structs, with words for
 * what is wrong. */
#include "tls/context.h"
#include <ctype.h>
#include <openssl/err.h>
#include <openssl/ocsp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

static void cleanup_bio(BIO **b)
{
	BIO_free(*b);
}

static void cleanup_x509(X509 **x)
{
	X509_free(*x);
}

static void cleanup_chain(STACK_OF(X509) * *s)
{
	sk_X509_pop_free(*s, X509_free);
}

static void cleanup_key(EVP_PKEY **k)
{
	EVP_PKEY_free(*k);
}

#define _cleanup_bio_ _cleanup_(cleanup_bio)

static int mistake(struct buf *errors, const char *file, const char *allowed, const char *found)
{
	return buf_printf(errors, "%s: %s, found %s\n", file, allowed, found) ? -ENOMEM : -EINVAL;
}

static BIO *bytes_bio(const struct tls_bytes *b)
{
	return BIO_new_mem_buf(b->p ? b->p : "", (int)b->n);
}

/* The reading stopped since there is no more, not since it is broken. */
static bool at_end(void)
{
	unsigned long e = ERR_peek_last_error();
	bool end = ERR_GET_LIB(e) == ERR_LIB_PEM && ERR_GET_REASON(e) == PEM_R_NO_START_LINE;

	if (end)
		ERR_clear_error();
	return end;
}

static int read_chain(const struct tls_bytes *pem, const char *file, X509 **ret_leaf, STACK_OF(X509) * chain,
	struct buf *errors)
{
	_cleanup_bio_ BIO *bio = bytes_bio(pem);
	_cleanup_(cleanup_x509) X509 *leaf = NULL;
	X509 *x;

	if (!bio)
		return -ENOMEM;
	while ((x = PEM_read_bio_X509(bio, NULL, NULL, NULL))) {
		if (!leaf) {
			leaf = x;
		} else if (!sk_X509_push(chain, x)) {
			X509_free(x);
			return -ENOMEM;
		}
	}
	if (!at_end())
		return mistake(errors, file, "whole PEM certificates, the server's first, then its chain",
			openssl_reason());
	if (!leaf)
		return mistake(errors, file,
			"PEM certificates (-----BEGIN CERTIFICATE-----), the server's first, then its chain",
			pem->n ? "none" : "an empty file");
	*ret_leaf = take_ptr(leaf);
	return 0;
}

X509 *certificate_leaf(const struct tls_bytes *pem)
{
	_cleanup_bio_ BIO *bio = bytes_bio(pem);
	X509 *x = bio ? PEM_read_bio_X509(bio, NULL, NULL, NULL) : NULL;

	ERR_clear_error();
	return x;
}

/* An encrypted key would ask at a terminal that a daemon has not. */
static int no_password(char *to, int size, int rw, void *asked)
{
	(void)to;
	(void)size;
	(void)rw;
	*(bool *)asked = true;
	return -1;
}

static int read_key(const struct tls_bytes *pem, const char *file, EVP_PKEY **ret, struct buf *errors)
{
	static const char allowed[] = "a PEM private key without a passphrase (-----BEGIN PRIVATE KEY-----)";
	_cleanup_bio_ BIO *bio = bytes_bio(pem);
	bool asked = false;

	if (!bio)
		return -ENOMEM;
	*ret = PEM_read_bio_PrivateKey(bio, NULL, no_password, &asked);
	if (*ret)
		return 0;
	/* OpenSSL 3 says "unsupported" of whatever it cannot read. */
	ERR_clear_error();
	if (asked)
		return mistake(errors, file, allowed, "an encrypted one");
	if (!pem->n)
		return mistake(errors, file, allowed, "an empty file");
	return mistake(errors, file, allowed,
		memmem(pem->p, pem->n, "PRIVATE KEY-----", 16) ? "a broken one" : "none");
}

/* What clients of both profiles can verify. */
static int check_key(EVP_PKEY *key, const char *file, struct buf *errors)
{
	static const char allowed[] =
		"an RSA key of at least 2048 bits, an EC key on P-256, P-384 or P-521, or an "
		"Ed25519 key";
	char found[64], group[32] = "another curve";
	int type = EVP_PKEY_get_base_id(key), bits = EVP_PKEY_get_bits(key);

	switch (type) {
	case EVP_PKEY_ED25519:
		return 0;
	case EVP_PKEY_RSA:
		if (bits >= 2048)
			return 0;
		snprintf(found, sizeof(found), "RSA with %d bits", bits);
		return mistake(errors, file, allowed, found);
	case EVP_PKEY_EC:
		(void)EVP_PKEY_get_group_name(key, group, sizeof(group), NULL);
		if (!strcmp(group, "prime256v1") || !strcmp(group, "secp384r1") ||
			!strcmp(group, "secp521r1"))
			return 0;
		snprintf(found, sizeof(found), "EC on %s", group);
		return mistake(errors, file, allowed, found);
	default:
		snprintf(found, sizeof(found), "%s", type ? OBJ_nid2sn(type) : EVP_PKEY_get0_type_name(key));
		return mistake(errors, file, allowed, found);
	}
}

int certificate_use(SSL_CTX *ctx, const struct tls_pair *pair, const char *file, const char *key_file,
	X509 **ret_leaf, struct buf *errors)
{
	_cleanup_(cleanup_x509) X509 *leaf = NULL;
	_cleanup_(cleanup_chain) STACK_OF(X509) *chain = sk_X509_new_null();
	_cleanup_(cleanup_key) EVP_PKEY *key = NULL;
	int err = chain ? read_chain(&pair->certificate, file, &leaf, chain, errors) : -ENOMEM;

	if (err)
		return err;
	err = read_key(pair->key.p ? &pair->key : &pair->certificate, key_file, &key, errors);
	err = err ? err : check_key(key, key_file, errors);
	if (err)
		return err;
	if (!X509_check_private_key(leaf, key)) {
		ERR_clear_error();
		return buf_printf(errors,
			       "%s: the private key of the first certificate in %s, found the key of "
			       "another\n",
			       key_file, file)
			       ? -ENOMEM
			       : -EINVAL;
	}
	if (!SSL_CTX_use_cert_and_key(ctx, leaf, key, chain, 1))
		return mistake(errors, file, "a certificate that OpenSSL can use", openssl_reason());
	*ret_leaf = take_ptr(leaf);
	return 0;
}

void names_free(char **names, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(names[i]);
	free(names);
}

static int add_name(char ***names, size_t *n, const ASN1_STRING *name)
{
	char **more = reallocarray(*names, *n + 1, sizeof(char *));
	char *copy;

	if (!more)
		return -ENOMEM;
	*names = more;
	copy = strndup((const char *)ASN1_STRING_get0_data(name), (size_t)ASN1_STRING_length(name));
	if (!copy)
		return -ENOMEM;
	for (char *p = copy; *p; p++)
		*p = (char)tolower((unsigned char)*p);
	more[(*n)++] = copy;
	return 0;
}

int certificate_names(X509 *leaf, char ***ret, size_t *ret_n)
{
	GENERAL_NAMES *san = X509_get_ext_d2i(leaf, NID_subject_alt_name, NULL, NULL);
	char **names = NULL;
	size_t n = 0;
	int err = 0, at;

	for (int i = 0; !err && i < sk_GENERAL_NAME_num(san); i++) {
		const GENERAL_NAME *g = sk_GENERAL_NAME_value(san, i);

		if (g->type == GEN_DNS)
			err = add_name(&names, &n, g->d.dNSName);
	}
	at = san ? -1 : X509_NAME_get_index_by_NID(X509_get_subject_name(leaf), NID_commonName, -1);
	if (!err && at >= 0)
		err = add_name(&names, &n,
			X509_NAME_ENTRY_get_data(X509_NAME_get_entry(X509_get_subject_name(leaf), at)));
	GENERAL_NAMES_free(san);
	if (err) {
		names_free(names, n);
		return err;
	}
	*ret = names;
	*ret_n = n;
	return 0;
}

static int add_authority(X509 *x, X509_STORE *store, STACK_OF(X509_NAME) * subjects)
{
	X509_NAME *name;

	if (!X509_STORE_add_cert(store, x))
		return -ENOMEM;
	if (!subjects)
		return 0;
	name = X509_NAME_dup(X509_get_subject_name(x));
	if (!name || !sk_X509_NAME_push(subjects, name)) {
		X509_NAME_free(name);
		return -ENOMEM;
	}
	return 0;
}

int authorities_read(const struct tls_bytes *pem, const char *file, X509_STORE *store,
	STACK_OF(X509_NAME) * subjects, struct buf *errors)
{
	static const char allowed[] = "PEM certificates of authorities (-----BEGIN CERTIFICATE-----)";
	_cleanup_bio_ BIO *bio = bytes_bio(pem);
	size_t n = 0;
	int err = 0;
	X509 *x;

	if (!bio)
		return -ENOMEM;
	while (!err && (x = PEM_read_bio_X509(bio, NULL, NULL, NULL))) {
		err = add_authority(x, store, subjects);
		X509_free(x);
		n++;
	}
	if (err)
		return err;
	if (!at_end())
		return mistake(errors, file, allowed, openssl_reason());
	return n ? 0 : mistake(errors, file, allowed, pem->n ? "none" : "an empty file");
}

static bool answers_for(OCSP_BASICRESP *basic, X509 *leaf)
{
	for (int i = 0; i < OCSP_resp_count(basic); i++) {
		const OCSP_CERTID *id = OCSP_SINGLERESP_get0_id(OCSP_resp_get0(basic, i));
		ASN1_INTEGER *serial = NULL;

		if (OCSP_id_get0_info(NULL, NULL, NULL, &serial, (OCSP_CERTID *)id) && serial &&
			ASN1_INTEGER_cmp(serial, X509_get0_serialNumber(leaf)) == 0)
			return true;
	}
	return false;
}

int staple_check(const struct tls_bytes *der, const char *file, X509 *leaf, struct buf *errors)
{
	static const char allowed[] =
		"a good OCSP response in DER for this certificate (openssl ocsp -respout)";
	const unsigned char *p = (const unsigned char *)der->p;
	OCSP_RESPONSE *response = d2i_OCSP_RESPONSE(NULL, &p, (long)der->n);
	OCSP_BASICRESP *basic = response ? OCSP_response_get1_basic(response) : NULL;
	int err = 0;

	if (!response)
		err = mistake(errors, file, allowed, "something else");
	else if (OCSP_response_status(response) != OCSP_RESPONSE_STATUS_SUCCESSFUL || !basic)
		err = mistake(
			errors, file, allowed, OCSP_response_status_str(OCSP_response_status(response)));
	else if (!answers_for(basic, leaf))
		err = mistake(errors, file, allowed, "one for another certificate");
	OCSP_BASICRESP_free(basic);
	OCSP_RESPONSE_free(response);
	ERR_clear_error();
	return err;
}
