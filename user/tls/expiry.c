/* Until when certificates are valid: for warnings, for a reload that must not make it worse, for metrics. */
#include "tls/context.h"
#include <openssl/err.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <time.h>

static const char *file_of(const struct listener_settings *l, size_t i)
{
	return i < l->tls->ncertificates ? l->tls->certificates[i].certificate : "self-signed";
}

/* NULL: it is valid now. */
static const char *trouble(X509 *x)
{
	if (X509_cmp_current_time(X509_get0_notAfter(x)) < 0)
		return "has expired";
	return X509_cmp_current_time(X509_get0_notBefore(x)) > 0 ? "is not valid yet" : NULL;
}

static int64_t seconds(const ASN1_TIME *t)
{
	struct tm tm = {0};

	return ASN1_TIME_to_tm(t, &tm) ? (int64_t)timegm(&tm) : 0;
}

static void print_time(const ASN1_TIME *t, char out[32])
{
	struct tm tm = {0};

	if (!ASN1_TIME_to_tm(t, &tm) || !strftime(out, 32, "%Y-%m-%d %H:%M:%S UTC", &tm))
		snprintf(out, 32, "?");
}

static int tell(X509 *x, const char *file, const char *what, struct buf *out)
{
	char from[32], to[32];

	print_time(X509_get0_notBefore(x), from);
	print_time(X509_get0_notAfter(x), to);
	return buf_printf(out, "%s: a certificate that is valid now, found one that %s (%s to %s)\n", file,
		what, from, to);
}

int material_warn(const struct tls_material *m, const struct settings *s, struct buf *warnings)
{
	int err = 0;

	for (size_t i = 0; i < m->nlisteners; i++)
		for (size_t k = 0; k < m->listeners[i].npairs && !err; k++) {
			X509 *x = certificate_leaf(&m->listeners[i].pairs[k].certificate);

			if (x && trouble(x))
				err = tell(x, file_of(&s->listeners[i], k), trouble(x), warnings);
			X509_free(x);
		}
	return err;
}

static bool has(const struct tls_material *m, const struct tls_bytes *certificate)
{
	for (size_t i = 0; i < m->nlisteners; i++)
		for (size_t k = 0; k < m->listeners[i].npairs; k++) {
			const struct tls_bytes *other = &m->listeners[i].pairs[k].certificate;

			if (other->n == certificate->n && memcmp(other->p, certificate->p, other->n) == 0)
				return true;
		}
	return false;
}

int tls_material_compare(const struct tls_material *old, const struct tls_material *next,
	const struct settings *next_settings, struct buf *errors)
{
	int err = 0;

	for (size_t i = 0; i < next->nlisteners; i++)
		for (size_t k = 0; k < next->listeners[i].npairs && err != -ENOMEM; k++) {
			const struct tls_bytes *pem = &next->listeners[i].pairs[k].certificate;
			X509 *x = certificate_leaf(pem);

			if (x && trouble(x) && !has(old, pem))
				err = tell(x, file_of(&next_settings->listeners[i], k), trouble(x), errors)
					      ? -ENOMEM
					      : -EINVAL;
			X509_free(x);
		}
	return err;
}

size_t tls_material_certificates(const struct tls_material *m)
{
	size_t n = 0;

	for (size_t i = 0; i < m->nlisteners; i++)
		n += m->listeners[i].npairs;
	return n;
}

static void print_names(X509 *x, char *out, size_t size)
{
	char **names = NULL;
	size_t n = 0, at = 0;

	*out = 0;
	if (certificate_names(x, &names, &n))
		return;
	for (size_t i = 0; i < n && at < size; i++)
		at += (size_t)snprintf(out + at, size - at, "%s%s", i ? ", " : "", names[i]);
	names_free(names, n);
}

static void print_fingerprint(X509 *x, char out[65])
{
	unsigned char hash[32];
	unsigned n = sizeof(hash);

	*out = 0;
	if (X509_digest(x, EVP_sha256(), hash, &n))
		for (unsigned i = 0; i < n; i++)
			snprintf(out + (size_t)i * 2, 3, "%02x", hash[i]);
}

int tls_material_certificate(
	const struct tls_material *m, const struct settings *s, size_t i, struct tls_certificate_info *ret)
{
	for (size_t l = 0; l < m->nlisteners; i -= m->listeners[l++].npairs) {
		X509 *x;

		if (i >= m->listeners[l].npairs)
			continue;
		x = certificate_leaf(&m->listeners[l].pairs[i].certificate);
		if (!x)
			return -EINVAL;
		ret->file = file_of(&s->listeners[l], i);
		ret->not_after = seconds(X509_get0_notAfter(x));
		print_names(x, ret->space, sizeof(ret->space));
		ret->names = ret->space;
		print_fingerprint(x, ret->fingerprint);
		X509_free(x);
		return 0;
	}
	return -ENOENT;
}
