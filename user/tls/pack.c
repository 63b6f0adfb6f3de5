/* Material as bytes: counts and lengths in the machine's order, since only this host reads them. */
#include "tls/context.h"

#define MAGIC	  0x736c7431U /* "slt1" */
#define ABSENT	  UINT32_MAX
#define COUNT_MAX 4096

static int put_number(struct buf *out, uint32_t n)
{
	return buf_append(out, &n, sizeof(n));
}

static int put_bytes(struct buf *out, const struct tls_bytes *b)
{
	int err = put_number(out, b->p ? (uint32_t)b->n : ABSENT);

	return err || !b->p ? err : buf_append(out, b->p, b->n);
}

static int put_pair(struct buf *out, const struct tls_pair *p)
{
	int err = put_bytes(out, &p->certificate);

	err = err ? err : put_bytes(out, &p->key);
	return err ? err : put_bytes(out, &p->ocsp);
}

int tls_material_pack(const struct tls_material *m, struct buf *out)
{
	int err = put_number(out, MAGIC);

	err = err ? err : put_number(out, (uint32_t)m->nlisteners);
	err = err ? err : put_number(out, (uint32_t)m->nupstreams);
	for (size_t i = 0; i < m->nlisteners && !err; i++) {
		const struct tls_listener_material *l = &m->listeners[i];

		err = put_number(out, (uint32_t)l->npairs);
		for (size_t k = 0; k < l->npairs && !err; k++)
			err = put_pair(out, &l->pairs[k]);
		err = err ? err : put_bytes(out, &l->client_ca);
	}
	for (size_t i = 0; i < m->nupstreams && !err; i++) {
		err = put_bytes(out, &m->upstreams[i].ca);
		err = err ? err : put_pair(out, &m->upstreams[i].own);
	}
	return err ? err : put_bytes(out, &m->system_ca);
}

static int get_number(struct slice *in, uint32_t *ret)
{
	if (in->n < sizeof(*ret))
		return -EINVAL;
	memcpy(ret, in->p, sizeof(*ret));
	in->p += sizeof(*ret);
	in->n -= sizeof(*ret);
	return 0;
}

static int get_count(struct slice *in, uint32_t *ret)
{
	int err = get_number(in, ret);

	return err ? err : *ret > COUNT_MAX ? -EINVAL : 0;
}

static int get_bytes(struct slice *in, struct tls_bytes *ret)
{
	uint32_t n;
	int err = get_number(in, &n);

	if (err || n == ABSENT)
		return err;
	if (n > in->n)
		return -EINVAL;
	ret->p = malloc(MAX(n, 1U));
	if (!ret->p)
		return -ENOMEM;
	memcpy(ret->p, in->p, n);
	ret->n = n;
	in->p += n;
	in->n -= n;
	return 0;
}

static int get_pair(struct slice *in, struct tls_pair *ret)
{
	int err = get_bytes(in, &ret->certificate);

	err = err ? err : get_bytes(in, &ret->key);
	return err ? err : get_bytes(in, &ret->ocsp);
}

static int get_listener(struct slice *in, struct tls_listener_material *l)
{
	uint32_t pairs;
	int err = get_count(in, &pairs);

	err = err ? err : material_pairs(l, pairs);
	for (size_t k = 0; k < l->npairs && !err; k++)
		err = get_pair(in, &l->pairs[k]);
	return err ? err : get_bytes(in, &l->client_ca);
}

static void cleanup_material(struct tls_material **m)
{
	tls_material_free(*m);
}

int tls_material_unpack(struct slice in, struct tls_material **ret)
{
	_cleanup_(cleanup_material) struct tls_material *m = NULL;
	uint32_t magic, listeners, upstreams;
	int err = get_number(&in, &magic);

	if (err || magic != MAGIC)
		return -EINVAL;
	err = get_count(&in, &listeners);
	err = err ? err : get_count(&in, &upstreams);
	err = err ? err : material_new(listeners, upstreams, &m);
	for (size_t i = 0; !err && i < m->nlisteners; i++)
		err = get_listener(&in, &m->listeners[i]);
	for (size_t i = 0; !err && i < m->nupstreams; i++) {
		err = get_bytes(&in, &m->upstreams[i].ca);
		err = err ? err : get_pair(&in, &m->upstreams[i].own);
	}
	err = err ? err : get_bytes(&in, &m->system_ca);
	if (!err && in.n)
		err = -EINVAL;
	if (!err)
		*ret = take_ptr(m);
	return err;
}
