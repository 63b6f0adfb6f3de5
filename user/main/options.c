#include "main/options.h"
#include <getopt.h>
#include <stdio.h>

enum {
	OPT_LISTEN = 1000,
	OPT_TO,
	OPT_LANE,
	OPT_WORKERS,
	OPT_INSTANCE,
	OPT_ADMIN,
	OPT_ADMIN_HTTP,
	OPT_HEARTBEAT,
	OPT_ACCESS_LOG,
	OPT_LOG_LEVEL,
	OPT_CONFIG,
	OPT_TLS_SELF_SIGNED,
	OPT_JSON
};

static const struct option proxy_flags[] = {
	{"listen", required_argument, NULL, OPT_LISTEN},
	{"to", required_argument, NULL, OPT_TO},
	{"lane", required_argument, NULL, OPT_LANE},
	{"workers", required_argument, NULL, OPT_WORKERS},
	{"instance", required_argument, NULL, OPT_INSTANCE},
	{"admin", required_argument, NULL, OPT_ADMIN},
	{"admin-http", required_argument, NULL, OPT_ADMIN_HTTP},
	{"heartbeat", required_argument, NULL, OPT_HEARTBEAT},
	{"access-log", required_argument, NULL, OPT_ACCESS_LOG},
	{"log-level", required_argument, NULL, OPT_LOG_LEVEL},
	{"tls-self-signed", no_argument, NULL, OPT_TLS_SELF_SIGNED},
	{0},
};

static const struct option config_flags[] = {
	{"config", required_argument, NULL, OPT_CONFIG},
	{0},
};

static const struct option probe_flags[] = {
	{"json", no_argument, NULL, OPT_JSON},
	{0},
};

static const struct option *flags_of(const char *command)
{
	if (strcmp(command, "proxy") == 0)
		return proxy_flags;
	return strcmp(command, "probe") == 0 ? probe_flags : config_flags;
}

static void say_flags(const char *command, const struct option *flags)
{
	fprintf(stderr, "sluice %s takes:", command);
	for (; flags->name; flags++)
		fprintf(stderr, " --%s%s", flags->name, flags->has_arg ? " VALUE" : "");
	fprintf(stderr, "; see sluice(8)\n");
}

static void store(struct options *o, int flag, const char *value)
{
	switch (flag) {
	case OPT_LISTEN:
		o->proxy.listen = value;
		break;
	case OPT_TO:
		o->proxy.to = value;
		break;
	case OPT_LANE:
		o->proxy.lane = value;
		break;
	case OPT_WORKERS:
		o->proxy.workers = value;
		break;
	case OPT_INSTANCE:
		o->proxy.instance = value;
		break;
	case OPT_ADMIN_HTTP:
		o->proxy.admin_http = value;
		break;
	case OPT_ADMIN:
		o->proxy.admin = value;
		break;
	case OPT_HEARTBEAT:
		o->proxy.heartbeat = value;
		break;
	case OPT_ACCESS_LOG:
		o->proxy.access_log = value;
		break;
	case OPT_LOG_LEVEL:
		o->proxy.log_level = value;
		break;
	case OPT_TLS_SELF_SIGNED:
		o->proxy.tls_self_signed = true;
		break;
	case OPT_CONFIG:
		o->config = value;
		break;
	default:
		o->json = true;
		break;
	}
}

static const char *missing(const char *command, const struct options *o)
{
	if (strcmp(command, "proxy") == 0)
		return !o->proxy.listen ? "--listen" : !o->proxy.to ? "--to" : NULL;
	return strcmp(command, "probe") != 0 && !o->config ? "--config" : NULL;
}

int options_parse(const char *command, int argc, char **argv, struct options *ret)
{
	const struct option *flags = flags_of(command);
	struct options o = {0};
	int flag;

	optind = 1;
	while ((flag = getopt_long(argc, argv, "", flags, NULL)) != -1) {
		if (flag == '?') {
			say_flags(command, flags);
			return -EINVAL;
		}
		store(&o, flag, optarg);
	}
	if (optind < argc) {
		fprintf(stderr, "sluice %s: unexpected argument '%s'\n", command, argv[optind]);
		say_flags(command, flags);
		return -EINVAL;
	}
	if (missing(command, &o)) {
		fprintf(stderr, "sluice %s: %s is required\n", command, missing(command, &o));
		say_flags(command, flags);
		return -EINVAL;
	}
	*ret = o;
	return 0;
}
