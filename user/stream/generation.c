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

/* The master has tried the same bytes: what fails here is memory. */
static int new_tls(struct env *env, const struct settings *s, const struct tls_material *m, struct tls **ret)
{
	_cleanup_buf_ struct buf errors = {0};
	int err = tls_new(s, m, env->tickets, ret, &errors);

	if (err && errors.len)
		log_error("%.*s", (int)errors.len - 1, errors.data);
	return err;
}

int generation_new(struct env *env, struct settings *settings, const struct tls_material *material,
	struct sticky *sticky, struct generation **ret)
{
	struct generation *g = calloc(1, sizeof(*g) + settings->nroutes * sizeof(g->routes[0]));
	int err;

	if (!g) {
		settings_unref(settings);
		return -ENOMEM;
	}
	err = new_tls(env, settings, material, &g->tls);
	err = err ? err : upstreams_new(env->loop, settings, sticky, env->workers, &g->upstreams);
	if (err) {
		tls_free(g->tls);
		settings_unref(settings);
		free(g);
		return err;
	}
	upstreams_set_notice(g->upstreams, on_server_notice, NULL);
	upstreams_set_tls(g->upstreams, g->tls);
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
	tls_free(g->tls);
	settings_unref(g->settings);
	free(g);
}

void generation_retire(struct generation *g)
{
	upstreams_retire(g->upstreams);
	generation_unref(g);
}
