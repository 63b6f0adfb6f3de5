#include "main/commands.h"
#include "base/log.h"
#include "main/master.h"
#include "main/options.h"
#include "tls/tls.h"
#include <stdio.h>

int command_proxy(int argc, char **argv)
{
	_cleanup_buf_ struct buf errors = {0};
	struct settings *settings;
	struct options o;

	if (options_parse("proxy", argc, argv, &o))
		return 2;
	if (settings_from_options(&o.proxy, &settings, &errors)) {
		fprintf(stderr, "%.*s", SLICE_FMT(buf_slice(&errors)));
		return 2;
	}
	return master_run(settings, NULL);
}

static int load(const char *path, struct settings **ret)
{
	_cleanup_buf_ struct buf errors = {0};
	int err = settings_load(path, ret, &errors);

	if (err)
		fprintf(stderr, "%.*s", SLICE_FMT(buf_slice(&errors)));
	return err;
}

int command_run(int argc, char **argv)
{
	struct settings *settings;
	struct options o;

	if (options_parse("run", argc, argv, &o))
		return 2;
	if (load(o.config, &settings))
		return 1;
	return master_run(settings, o.config);
}

int command_check(int argc, char **argv)
{
	_cleanup_buf_ struct buf errors = {0};
	struct tls_material *material = NULL;
	int err;
	struct settings *settings;
	struct options o;

	if (options_parse("check", argc, argv, &o))
		return 2;
	if (load(o.config, &settings))
		return 1;
	err = tls_material_load(settings, &material, &errors, &errors);
	fprintf(stderr, "%.*s", SLICE_FMT(buf_slice(&errors)));
	tls_material_free(material);
	if (err) {
		settings_unref(settings);
		return 1;
	}
	printf("%s: good; %zu listeners, %zu upstreams, %zu routes\n", o.config, settings->nlisteners,
		settings->nupstreams, settings->nroutes);
	settings_unref(settings);
	return 0;
}
