#include "base/log.h"
#include "stream/env.h"

static void on_server_notice(void *arg, const struct server *s, bool up, const char *why)
{
	const char *upstream = server_upstream(s)->name;

	(void)arg;
	if (up)
		log_info("upstream %s: server %s is up: %s", upstream, server_address(s), why);
	else
		log_warn("upstream %s: server %s is down: %s", upstream, server_address(s), why);
}

int generation_new(struct env *env, struct settings *settings, struct sticky *sticky, struct generation **ret)
{
	struct generation *g = calloc(1, sizeof(*g) + settings->nroutes * sizeof(g->routes[0]));
	int err;

	if (!g) {
		settings_unref(settings);
		return -ENOMEM;
	}
	err = upstreams_new(env->loop, settings, sticky, env->workers, &g->upstreams);
	if (err) {
		settings_unref(settings);
		free(g);
		return err;
	}
	upstreams_set_notice(g->upstreams, on_server_notice, NULL);
	g->refs = 1;
	g->settings = settings;
	*ret = g;
	return 0;
}

struct generation *generation_ref(struct generation *g)
{
	g->refs++;
	return g;
}

void generation_unref(struct generation *g)
{
	if (!g || --g->refs)
		return;
	upstreams_free(g->upstreams);
	settings_unref(g->settings);
	free(g);
}

void generation_retire(struct generation *g)
{
	upstreams_retire(g->upstreams);
	generation_unref(g);
}
