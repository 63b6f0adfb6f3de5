/* The flags of `sluice proxy`, checked like the keys that they stand for, into the same raw structs as a
 * file. */
#include "conf/address.h"
#include "conf/build.h"
#include "conf/mistakes.h"
#include "conf/schema.h"
#include <stdio.h>

/* One flag and the key behind it. */
static void check_flag(
	struct mistakes *m, const char *flag, enum section_id section, const char *key, const char *text)
{
	const struct key *k = key_find(&sections[section], slice_of(key));
	const char *hint = NULL;

	if (text && value_check(k, slice_of(text), &hint) < 0)
		mistake_value(m, 0, flag, k, slice_of(text), hint);
}

/* `--heartbeat 15` is in seconds; 15s is taken too. *ret_text is `text` or a copy in *ret_copy. -ENOMEM. */
static int seconds(const char *text, const char **ret_text, char **ret_copy)
{
	uint64_t value;

	*ret_text = text;
	if (!text || decimal_parse(slice_of(text), UINT64_MAX, &value) < 0)
		return 0;
	if (asprintf(ret_copy, "%ss", text) < 0) {
		*ret_copy = NULL;
		return -ENOMEM;
	}
	*ret_text = *ret_copy;
	return 0;
}

static struct slice behind(struct slice s, size_t n)
{
	return (struct slice){s.p + n, s.n - n};
}

/* The parts of --to as texts of the keys `address` and `path_prefix`; both are the caller's to free. */
struct target {
	char *address, *prefix;
	bool https;
};

static void target_done(struct target *t)
{
	free(t->address);
	free(t->prefix);
}

static bool has_scheme(struct slice url, struct slice scheme)
{
	return url.n >= scheme.n && strncasecmp(url.p, scheme.p, scheme.n) == 0;
}

/* NULL, or what is amiss. */
static const char *split_url(
	struct slice url, bool *ret_https, struct slice *ret_authority, struct slice *ret_path)
{
	struct slice rest;
	const char *slash;

	*ret_https = has_scheme(url, SLICE("https://"));
	if (!*ret_https && !has_scheme(url, SLICE("http://")))
		return "no http:// or https://";
	rest = behind(url, *ret_https ? 8 : 7);
	slash = rest.n ? memchr(rest.p, '/', rest.n) : NULL;
	*ret_authority = slash ? (struct slice){rest.p, (size_t)(slash - rest.p)} : rest;
	*ret_path = slash ? behind(rest, ret_authority->n) : (struct slice){NULL, 0};
	if (memchr(url.p, '?', url.n) || memchr(url.p, '#', url.n))
		return "no query and no fragment may follow";
	if (ret_authority->n && memchr(ret_authority->p, '@', ret_authority->n))
		return "no user may be named";
	return ret_authority->n ? NULL : "no host";
}

/* An address without a port gets 80, or 443. */
static bool has_port(struct slice authority)
{
	const char *close = memchr(authority.p, ']', authority.n);
	struct slice tail = close ? behind(authority, (size_t)(close - authority.p)) : authority;

	return memchr(tail.p, ':', tail.n) != NULL;
}

static int parse_target(const char *to, struct target *t, struct mistakes *m)
{
	static const char allowed[] = "http:// or https://HOST[:PORT][/PREFIX]";
	struct slice url = slice_of(to), authority = {0}, path = {0};
	const struct key *address = key_find(&sections[SECTION_server], SLICE("address"));
	const struct key *prefix = key_find(&sections[SECTION_upstream], SLICE("path_prefix"));
	const char *wrong = split_url(url, &t->https, &authority, &path), *hint;
	char text[QUOTED_MAX];

	if (wrong) {
		mistake_add(m, 0, "--to", "%s, found %s (%s)", allowed, quoted(url, text), wrong);
		return 0;
	}
	if (asprintf(&t->address, "%.*s%s", SLICE_FMT(authority),
		    has_port(authority) ? ""
		    : t->https		? ":443"
					: ":80") < 0) {
		t->address = NULL;
		return -ENOMEM;
	}
	if (path.n && !(t->prefix = strndup(path.p, path.n)))
		return -ENOMEM;
	if (slice_starts(authority, SLICE("unix:")) || value_check(address, slice_of(t->address), &hint) < 0)
		mistake_add(m, 0, "--to", "%s, found %s (no host or port)", allowed, quoted(authority, text));
	if (t->prefix && value_check(prefix, path, &hint) < 0)
		mistake_add(m, 0, "--to", "%s, found %s (no path)", allowed, quoted(path, text));
	return 0;
}

/* Other addresses take a config file, where `admin_http_remote` says that they are meant. */
static void check_admin_http(struct mistakes *m, const char *text)
{
	struct sockaddr_any addr;
	char found[QUOTED_MAX];

	if (text && (address_parse(slice_of(text), &addr) < 0 || !address_is_loopback(&addr)))
		mistake_add(m, 0, "--admin-http", "a loopback address and a port (127.0.0.1:9180), found %s",
			quoted(slice_of(text), found));
}

int settings_from_options(const struct proxy_options *o, struct settings **ret, struct buf *errors)
{
	_cleanup_(mistakes_done) struct mistakes m = {0};
	_cleanup_(target_done) struct target to = {0};
	_cleanup_free_ char *copy = NULL;
	struct raw_server server = {0};
	struct raw_upstream upstream = {.name = "upstream", .servers = &server, .servers_count = 1};
	struct raw_upstream_tls upstream_tls = {0};
	struct raw_listener_tls listener_tls = {0};
	struct raw_listener listener = {
		.listen = o->listen, .tls = o->tls_self_signed ? &listener_tls : NULL};
	struct raw_route route = {.name = "proxy"};
	struct raw_log log = {.level = o->log_level, .access = o->access_log};
	struct raw_top top = {.instance = o->instance,
		.admin = o->admin,
		.admin_http = o->admin_http,
		.lane = o->lane,
		.workers = o->workers,
		.log = &log,
		.listeners = &listener,
		.listeners_count = 1,
		.upstreams = &upstream,
		.upstreams_count = 1,
		.routes = &route,
		.routes_count = 1};
	int err = seconds(o->heartbeat, &route.heartbeat, &copy);

	if (!o->to)
		mistake_add(&m, 0, "--to", "http:// or https://HOST[:PORT][/PREFIX], found no such flag");
	else if (!err)
		err = parse_target(o->to, &to, &m);
	/* Left out is as wrong as empty, and told in the same words. */
	check_flag(&m, "--listen", SECTION_listener, "listen", o->listen ? o->listen : "");
	check_flag(&m, "--instance", SECTION_top, "instance", o->instance);
	check_flag(&m, "--admin", SECTION_top, "admin", o->admin);
	check_admin_http(&m, o->admin_http);
	check_flag(&m, "--lane", SECTION_top, "lane", o->lane);
	check_flag(&m, "--workers", SECTION_top, "workers", o->workers);
	check_flag(&m, "--heartbeat", SECTION_route, "heartbeat", route.heartbeat);
	check_flag(&m, "--access-log", SECTION_log, "access", o->access_log);
	check_flag(&m, "--log-level", SECTION_log, "level", o->log_level);
	err = err ? err : mistakes_tell(&m, errors);
	server.address = to.address;
	upstream.path_prefix = to.prefix;
	upstream.tls = to.https ? &upstream_tls : NULL;
	err = err ? err : settings_build(&top, ret);
	if (!err && o->tls_self_signed)
		(*ret)->listeners[0].tls->self_signed = true;
	return err;
}
