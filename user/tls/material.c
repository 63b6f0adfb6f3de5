/* The files, read by the master and tried as the workers will use them. */
#include "tls/context.h"
#include "tls/self_signed.h"
#include <fcntl.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <stdio.h>
#include <sys/stat.h>

#define FILE_MAX_BYTES (4 * 1024 * 1024) /* Debian's bundle of all authorities has 220 KiB */

static void bytes_free(struct tls_bytes *b)
{
	if (b->p)
		OPENSSL_cleanse(b->p, b->n);
	free(b->p);
}

static void pair_free(struct tls_pair *p)
{
	bytes_free(&p->certificate);
	bytes_free(&p->key);
	bytes_free(&p->ocsp);
}

void tls_material_free(struct tls_material *m)
{
	if (!m)
		return;
	for (size_t i = 0; i < m->nlisteners; i++) {
		for (size_t k = 0; k < m->listeners[i].npairs; k++)
			pair_free(&m->listeners[i].pairs[k]);
		free(m->listeners[i].pairs);
		bytes_free(&m->listeners[i].client_ca);
	}
	for (size_t i = 0; i < m->nupstreams; i++) {
		bytes_free(&m->upstreams[i].ca);
		pair_free(&m->upstreams[i].own);
	}
	bytes_free(&m->system_ca);
	free(m->listeners);
	free(m->upstreams);
	free(m);
}

int material_new(size_t nlisteners, size_t nupstreams, struct tls_material **ret)
{
	struct tls_material *m = calloc(1, sizeof(*m));

	if (!m)
		return -ENOMEM;
	m->listeners = calloc(MAX(nlisteners, (size_t)1), sizeof(*m->listeners));
	m->upstreams = calloc(MAX(nupstreams, (size_t)1), sizeof(*m->upstreams));
	if (!m->listeners || !m->upstreams) {
		tls_material_free(m);
		return -ENOMEM;
	}
	m->nlisteners = nlisteners;
	m->nupstreams = nupstreams;
	*ret = m;
	return 0;
}

int material_pairs(struct tls_listener_material *l, size_t n)
{
	l->pairs = calloc(MAX(n, (size_t)1), sizeof(*l->pairs));
	if (!l->pairs)
		return -ENOMEM;
	l->npairs = n;
	return 0;
}

/* ---- reading */

/* One load: goes on after a mistake, to tell all of them. */
struct reading {
	struct buf *errors;
	int err; /* -EINVAL or -ENOMEM */
};

static void wrong(struct reading *r, const char *file, const char *what)
{
	bool told = buf_printf(r->errors, "%s: cannot be read: %s\n", file, what) == 0;

	if (r->err != -ENOMEM)
		r->err = told ? -EINVAL : -ENOMEM;
}

static int fill(int fd, struct tls_bytes *b)
{
	while (b->n < FILE_MAX_BYTES + 1) {
		char *more = realloc(b->p, b->n + 64 * 1024);
		ssize_t n;

		if (!more)
			return -ENOMEM;
		b->p = more;
		n = read(fd, b->p + b->n, 64 * 1024);
		if (n < 0)
			return -errno;
		if (!n)
			return 0;
		b->n += (size_t)n;
	}
	return -EFBIG;
}

/* `file` NULL: there is none. */
static void read_file(struct reading *r, const char *file, struct tls_bytes *ret)
{
	/* A FIFO would wait for a writer. */
	_cleanup_close_ int fd = file ? open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK) : -1;
	struct stat st;
	int err;

	if (!file)
		return;
	if (fd < 0 || fstat(fd, &st)) {
		wrong(r, file, strerror(errno));
		return;
	}
	if (!S_ISREG(st.st_mode)) {
		wrong(r, file, "no regular file");
		return;
	}
	err = fill(fd, ret);
	if (err)
		wrong(r, file, err == -EFBIG ? "more than 4 MiB" : strerror(-err));
}

static void read_listener(
	struct reading *r, const struct listener_settings *l, struct tls_listener_material *m)
{
	const struct tls_listener_settings *t = l->tls;
	int err = material_pairs(m, t->self_signed ? 1 : t->ncertificates);

	if (!err && t->self_signed)
		err = self_signed_make(&l->addr, &m->pairs[0]);
	if (err) {
		r->err = err;
		return;
	}
	for (size_t i = 0; i < t->ncertificates; i++) {
		read_file(r, t->certificates[i].certificate, &m->pairs[i].certificate);
		read_file(r, t->certificates[i].key, &m->pairs[i].key);
		read_file(r, t->certificates[i].ocsp, &m->pairs[i].ocsp);
	}
	read_file(r, t->client_ca, &m->client_ca);
}

static bool needs_system(const struct settings *s)
{
	for (size_t i = 0; i < s->nupstreams; i++)
		if (s->upstreams[i].tls && s->upstreams[i].tls->verify && !s->upstreams[i].tls->ca)
			return true;
	return false;
}

/* Where Debian, Fedora and OpenSSL itself keep the bundle; SSL_CERT_FILE goes before them, as everywhere. */
static void read_system(struct reading *r, struct tls_bytes *ret)
{
	static const char *const known[] = {"/etc/ssl/certs/ca-certificates.crt",
		"/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem"};
	const char *file = getenv(X509_get_default_cert_file_env());

	for (size_t i = 0; !file && i < ARRAY_LEN(known); i++)
		if (access(known[i], R_OK) == 0)
			file = known[i];
	if (file)
		read_file(r, file, ret);
	else
		wrong(r, known[0],
			"there is no store of authorities on this system: install ca-certificates, or name a "
			"file with upstreams[].tls.ca");
}

static void read_all(struct reading *r, const struct settings *s, struct tls_material *m)
{
	for (size_t i = 0; i < s->nlisteners; i++)
		if (s->listeners[i].tls)
			read_listener(r, &s->listeners[i], &m->listeners[i]);
	for (size_t i = 0; i < s->nupstreams; i++) {
		const struct tls_upstream_settings *t = s->upstreams[i].tls;

		if (!t)
			continue;
		read_file(r, t->ca, &m->upstreams[i].ca);
		read_file(r, t->certificate, &m->upstreams[i].own.certificate);
		read_file(r, t->key, &m->upstreams[i].own.key);
	}
	if (needs_system(s))
		read_system(r, &m->system_ca);
}

static void cleanup_material(struct tls_material **m)
{
	tls_material_free(*m);
}

int tls_material_load(
	const struct settings *s, struct tls_material **ret, struct buf *errors, struct buf *warnings)
{
	_cleanup_(cleanup_material) struct tls_material *m = NULL;
	struct reading r = {.errors = errors};
	struct tls *tried;
	int err = material_new(s->nlisteners, s->nupstreams, &m);

	if (err)
		return err;
	read_all(&r, s, m);
	/* What could be read is not tried while something else could not: the message would be a consequence.
	 */
	if (r.err)
		return r.err;
	err = tls_new(s, m, NULL, &tried, errors);
	if (err)
		return err;
	tls_free(tried);
	err = warnings ? material_warn(m, s, warnings) : 0;
	if (!err)
		*ret = take_ptr(m);
	return err;
}
