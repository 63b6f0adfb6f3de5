#include "cert.h"
#include <fcntl.h>
#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <sys/stat.h>

#define VALID_SECONDS (7L * 24 * 3600)

static bool add_extension(X509 *cert, int nid, const char *value)
{
	X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, NULL, nid, value);
	bool added = e && X509_add_ext(cert, e, -1);

	X509_EXTENSION_free(e);
	return added;
}

static bool fill(X509 *cert, EVP_PKEY *key)
{
	X509_NAME *name = X509_get_subject_name(cert);

	return X509_set_version(cert, X509_VERSION_3) && ASN1_INTEGER_set(X509_get_serialNumber(cert), 1) &&
	       X509_gmtime_adj(X509_getm_notBefore(cert), -3600) &&
	       X509_gmtime_adj(X509_getm_notAfter(cert), VALID_SECONDS) && X509_set_pubkey(cert, key) &&
	       X509_NAME_add_entry_by_txt(
		       name, "CN", MBSTRING_ASC, (const unsigned char *)"localhost", -1, -1, 0) &&
	       X509_set_issuer_name(cert, name) &&
	       add_extension(cert, NID_subject_alt_name, "DNS:localhost,IP:127.0.0.1") &&
	       add_extension(cert, NID_basic_constraints, "critical,CA:FALSE") &&
	       X509_sign(cert, key, EVP_sha256());
}

int cert_write(const char *path)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *cert = X509_new();
	int err = key && cert && fill(cert, key) ? 0 : -ENOMEM;
	int fd = err ? -1 : open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	FILE *f = fd < 0 ? NULL : fdopen(fd, "w");

	if (!err && !f)
		err = -errno;
	if (f) {
		if (!PEM_write_PrivateKey(f, key, NULL, NULL, 0, NULL, NULL) || !PEM_write_X509(f, cert))
			err = -EIO;
		if (fclose(f) && !err)
			err = -errno;
	} else if (fd >= 0) {
		close(fd);
	}
	X509_free(cert);
	EVP_PKEY_free(key);
	return err;
}
