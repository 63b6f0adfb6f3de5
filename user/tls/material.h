/* What tls_material is. Private to tls/. */
#ifndef SLUICE_TLS_MATERIAL_H
#define SLUICE_TLS_MATERIAL_H

#include "tls/tls.h"

/* p NULL: no such file is named. */
struct tls_bytes {
	char *p;
	size_t n;
};

struct tls_pair {
	struct tls_bytes certificate, key, ocsp; /* key NULL: it is in the certificate's file */
};

struct tls_listener_material {
	struct tls_pair *pairs;
	size_t npairs;
	struct tls_bytes client_ca;
};

struct tls_upstream_material {
	struct tls_bytes ca; /* NULL: the system's */
	struct tls_pair own;
};

/* In the settings' order; those without TLS are empty. */
struct tls_material {
	struct tls_listener_material *listeners;
	size_t nlisteners;
	struct tls_upstream_material *upstreams;
	size_t nupstreams;
	struct tls_bytes system_ca; /* when an upstream needs it */
};

must_check int material_new(size_t nlisteners, size_t nupstreams, struct tls_material **ret);
must_check int material_pairs(struct tls_listener_material *l, size_t n);
/* A line for each certificate that is not valid now. */
must_check int material_warn(const struct tls_material *m, const struct settings *s, struct buf *warnings);

#endif
