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
	section_release(SECTION_upstream, u);
	free(u->path_prefix);
}

static void route_release(struct route_settings *r)
{
	section_release(SECTION_route, r);
	edits_release(&r->request_edits);
	edits_release(&r->response_edits);
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
		section_release(SECTION_listener, &s->listeners[i]);
	free(s->routes);
	free(s->upstreams);
	free(s->listeners);
	free(s->trusted);
	free(s->access_log);
	section_release(SECTION_top, s);
	free(s);
}
