#include "conf/settings.h"
#include "conf/build_route.h"
#include "conf/section.h"

static void upstream_release(struct upstream_settings *u)
{
	for (size_t i = 0; i < u->nservers; i++) {
		section_release(SECTION_server, &u->servers[i]);
		free(u->servers[i].host);
	}
	free(u->servers);
	section_release(SECTION_health, &u->health);
	if (u->tls)
		section_release(SECTION_upstream_tls, u->tls);
	free(u->tls);
	section_release(SECTION_upstream, u);
	free(u->path_prefix);
}

static void route_release(struct route_settings *r)
{
	section_release(SECTION_route, r);
	edits_release(&r->request_edits);
	edits_release(&r->response_edits);
}

static void listener_release(struct listener_settings *l)
{
	struct tls_listener_settings *t = l->tls;

	for (size_t i = 0; t && i < t->ncertificates; i++)
		section_release(SECTION_certificate, &t->certificates[i]);
	if (t) {
		section_release(SECTION_listener_tls, t);
		free(t->certificates);
	}
	free(t);
	section_release(SECTION_listener, l);
}

struct settings *settings_ref(struct settings *s)
{
	s->refs++;
	return s;
}

void settings_unref(struct settings *s)
{
	if (!s || --s->refs)
		return;
	for (size_t i = 0; i < s->nroutes; i++)
		route_release(&s->routes[i]);
	for (size_t i = 0; i < s->nupstreams; i++)
		upstream_release(&s->upstreams[i]);
	for (size_t i = 0; i < s->nlisteners; i++)
		listener_release(&s->listeners[i]);
	free(s->routes);
	free(s->upstreams);
	free(s->listeners);
	free(s->subject_headers);
	free(s->trusted);
	free(s->access_log);
	section_release(SECTION_top, s);
	free(s);
}
