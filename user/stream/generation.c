#include "stream/env.h"

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
	if (!g->retired)
		upstreams_free(g->upstreams);
	settings_unref(g->settings);
	free(g);
}

void generation_retire(struct generation *g)
{
	g->retired = true;
	upstreams_retire(g->upstreams);
	generation_unref(g);
}
