#include "conf/build.h"
#include "conf/address.h"
#include "conf/build_route.h"
#include "conf/section.h"
#include <sched.h>

unsigned build_cpu_count(void)
{
	cpu_set_t set;

	if (sched_getaffinity(0, sizeof(set), &set) < 0)
		return 1;
	return (unsigned)MAX(1, CPU_COUNT(&set));
}

static int build_listener_tls(const struct raw_listener_tls *raw, struct listener_settings *l)
{
	struct tls_listener_settings *t;
	int err;

	if (!raw)
		return 0;
	l->tls = t = calloc(1, sizeof(*t));
	if (!t)
		return -ENOMEM;
	err = section_apply(SECTION_listener_tls, raw, t);
	if (t->profile == TLS_MODERN)
		t->min_version = TLS_1_3;
	if (err || !raw->certificates_count)
		return err;
	t->certificates = calloc(raw->certificates_count, sizeof(*t->certificates));
	if (!t->certificates)
		return -ENOMEM;
	t->ncertificates = raw->certificates_count;
	for (size_t i = 0; i < t->ncertificates && !err; i++)
		err = section_apply(SECTION_certificate, &raw->certificates[i], &t->certificates[i]);
	return err;
}

static int build_listener(const struct raw_listener *raw, struct listener_settings *l)
{
	int err = section_apply(SECTION_listener, raw, l);

	err = err ? err : build_listener_tls(raw->tls, l);
	return err ? err : address_parse(slice_of(l->listen), &l->addr);
}

static int build_upstream_tls(const struct raw_upstream_tls *raw, struct upstream_settings *u)
{
	if (!raw)
		return 0;
	u->tls = calloc(1, sizeof(*u->tls));
	return u->tls ? section_apply(SECTION_upstream_tls, raw, u->tls) : -ENOMEM;
}

static int build_server(const struct raw_server *raw, struct server_settings *s)
{
	struct slice host;
	int err = section_apply(SECTION_server, raw, s);

	if (err)
		return err;
	if (slice_starts(slice_of(s->address), SLICE("unix:")))
		return address_parse(slice_of(s->address), &s->unix_addr);
	err = address_split(slice_of(s->address), &host, &s->port);
	if (err)
		return err;
	s->host = strndup(host.p, host.n);
	return s->host ? 0 : -ENOMEM;
}

static int build_health(const struct raw_health *raw, struct health_settings *h)
{
	uint64_t status;
	int err = section_apply(SECTION_health, raw, h);

	err = err ? err : section_number(SECTION_health, "status", raw ? raw->status : NULL, &status);
	if (err)
		return err;
	h->on = raw != NULL;
	h->status_min = (unsigned)(status >> 16);
	h->status_max = (unsigned)(status & 0xffff);
	/* A short interval alone need not bring a timeout with it. */
	if (raw && !raw->timeout)
		h->timeout_ms = MIN(h->timeout_ms, h->interval_ms);
	return 0;
}

/* "/api/" and "/api" put the same before "/x"; "/" puts nothing. */
static int build_path_prefix(const char *text, char **ret)
{
	size_t n = text ? strlen(text) : 0;

	while (n && text[n - 1] == '/')
		n--;
	if (!n)
		return 0;
	*ret = strndup(text, n);
	return *ret ? 0 : -ENOMEM;
}

static int build_upstream(const struct raw_upstream *raw, struct upstream_settings *u)
{
	int err = section_apply(SECTION_upstream, raw, u);

	err = err ? err : build_health(raw->health, &u->health);
	err = err ? err : build_upstream_tls(raw->tls, u);
	err = err ? err : build_path_prefix(raw->path_prefix, &u->path_prefix);
	if (err)
		return err;
	u->servers = calloc(raw->servers_count, sizeof(*u->servers));
	if (!u->servers)
		return -ENOMEM;
	u->nservers = raw->servers_count;
	for (size_t i = 0; i < u->nservers && !err; i++)
		err = build_server(&raw->servers[i], &u->servers[i]);
	return err;
}

static int build_subject_headers(struct settings *s)
{
	s->subject_headers = calloc(s->nlisteners, sizeof(*s->subject_headers));
	if (!s->subject_headers)
		return -ENOMEM;
	for (size_t i = 0; i < s->nlisteners; i++) {
		const struct tls_listener_settings *t = s->listeners[i].tls;

		if (t && t->client_subject_header)
			s->subject_headers[s->nsubject_headers++] = t->client_subject_header;
	}
	return 0;
}

static int build_lists(const struct raw_top *raw, struct settings *s)
{
	int err = 0;

	s->listeners = calloc(raw->listeners_count, sizeof(*s->listeners));
	s->upstreams = calloc(raw->upstreams_count, sizeof(*s->upstreams));
	if (!s->listeners || !s->upstreams)
		return -ENOMEM;
	s->nlisteners = raw->listeners_count;
	s->nupstreams = raw->upstreams_count;
	for (size_t i = 0; i < s->nlisteners && !err; i++)
		err = build_listener(&raw->listeners[i], &s->listeners[i]);
	err = err ? err : build_subject_headers(s);
	for (size_t i = 0; i < s->nupstreams && !err; i++)
		err = build_upstream(&raw->upstreams[i], &s->upstreams[i]);
	if (err || !raw->trusted_proxies_count)
		return err;
	s->trusted = calloc(raw->trusted_proxies_count, sizeof(*s->trusted));
	if (!s->trusted)
		return -ENOMEM;
	s->ntrusted = raw->trusted_proxies_count;
	for (size_t i = 0; i < s->ntrusted && !err; i++)
		err = cidr_parse(slice_of(raw->trusted_proxies[i]), &s->trusted[i]);
	return err;
}

static int build_top(const struct raw_top *raw, struct settings *s)
{
	const char *access = raw->log ? raw->log->access : NULL;
	int err = section_apply(SECTION_top, raw, s);

	err = err ? err : section_apply(SECTION_log, raw->log, s);
	err = err ? err : section_apply(SECTION_client, raw->client, s);
	err = err ? err : section_apply(SECTION_tls, raw->tls, s);
	err = err ? err : section_apply(SECTION_http2, raw->http2, &s->http2);
	if (err)
		return err;
	if (!s->workers)
		s->workers = build_cpu_count();
	if (!access || strcmp(access, "off") == 0)
		return 0;
	s->access_log = strdup(access);
	return s->access_log ? 0 : -ENOMEM;
}

static void cleanup_settings(struct settings **s)
{
	settings_unref(*s);
}

int settings_build(const struct raw_top *raw, struct settings **ret)
{
	_cleanup_(cleanup_settings) struct settings *s = calloc(1, sizeof(*s));
	int err;

	if (!s)
		return -ENOMEM;
	s->refs = 1;
	err = build_top(raw, s);
	err = err ? err : build_lists(raw, s);
	err = err ? err : build_routes(raw, s);
	if (err)
		return err;
	*ret = take_ptr(s);
	return 0;
}
