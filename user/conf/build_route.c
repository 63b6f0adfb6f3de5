#include "conf/build_route.h"
#include "conf/section.h"
#include <stdio.h>

void edits_release(struct h1_edits *e)
{
	for (size_t i = 0; i < e->n; i++) {
		free((void *)e->list[i].name.p);
		free((void *)e->list[i].value.p);
	}
	free((void *)e->list);
	*e = (struct h1_edits){0};
}

static int copy_slice(struct slice from, struct slice *ret)
{
	char *copy = strndup(from.p, from.n);

	if (!copy)
		return -ENOMEM;
	*ret = (struct slice){copy, from.n};
	return 0;
}

static int build_edit(const struct raw_edit *raw, struct h1_edit *edit)
{
	struct slice name, value;
	int err;

	if (raw->remove) {
		edit->op = H1_EDIT_REMOVE;
		return copy_slice(slice_of(raw->remove), &edit->name);
	}
	edit->op = raw->set ? H1_EDIT_SET : H1_EDIT_ADD;
	value_field_split(slice_of(raw->set ? raw->set : raw->add), &name, &value);
	err = copy_slice(name, &edit->name);
	return err ? err : copy_slice(value, &edit->value);
}

static int build_edits(const struct raw_edit *raw, size_t n, struct h1_edits *ret)
{
	struct h1_edit *list;
	int err = 0;

	if (!n)
		return 0;
	list = calloc(n, sizeof(*list));
	if (!list)
		return -ENOMEM;
	*ret = (struct h1_edits){list, n};
	for (size_t i = 0; i < n && !err; i++)
		err = build_edit(&raw[i], &list[i]);
	return err;
}

static int build_methods(const struct raw_route *raw, struct route_settings *r)
{
	for (size_t i = 0; i < raw->methods_count; i++) {
		uint64_t bit;
		int err = section_number(SECTION_route, "methods", raw->methods[i], &bit);

		if (err)
			return err;
		r->methods |= (unsigned)bit;
	}
	return 0;
}

/* No name: the only upstream there is. */
static int find_upstream(const struct settings *s, const char *name, size_t *ret)
{
	for (size_t i = 0; i < s->nupstreams; i++) {
		if (!name || strcmp(s->upstreams[i].name, name) == 0) {
			*ret = i;
			return 0;
		}
	}
	return -EINVAL;
}

static int build_name(size_t number, struct route_settings *r)
{
	if (!r->name && asprintf(&r->name, "route %zu", number) < 0) {
		r->name = NULL;
		return -ENOMEM;
	}
	return 0;
}

/* `raw` NULL: the catch-all route that a config without routes gets. */
static int build_route(
	const struct raw_route *raw, const struct settings *s, size_t number, struct route_settings *r)
{
	int err;

	r->lane = s->lane;
	err = section_apply(SECTION_route, raw, r);
	err = err ? err : section_apply(SECTION_timeouts, raw ? raw->timeouts : NULL, &r->timeouts);
	err = err ? err : section_apply(SECTION_slow, raw ? raw->slow : NULL, r);
	err = err ? err : build_name(number, r);
	err = err ? err : find_upstream(s, raw ? raw->upstream : NULL, &r->upstream);
	if (err || !raw)
		return err;
	err = build_methods(raw, r);
	err = err ? err : build_edits(raw->request_headers, raw->request_headers_count, &r->request_edits);
	return err ? err
		   : build_edits(raw->response_headers, raw->response_headers_count, &r->response_edits);
}

int build_routes(const struct raw_top *raw, struct settings *s)
{
	size_t n = raw->routes_count ? raw->routes_count : 1;
	int err = 0;

	s->routes = calloc(n, sizeof(*s->routes));
	if (!s->routes)
		return -ENOMEM;
	s->nroutes = n;
	for (size_t i = 0; i < n && !err; i++)
		err = build_route(raw->routes_count ? &raw->routes[i] : NULL, s, i + 1, &s->routes[i]);
	return err;
}
