#include "doctor/hops.h"
#include <stdio.h>

const struct hop hops[HOP_COUNT] = {
#define HOP(id, word_, name_, silent_) [HOP_##id] = {.word = word_, .name = name_, .silent = silent_},
#include "doctor/hops.def"
#undef HOP
};

/* A field that gives a hop away: its value holds `text`, or anything when `text` is "". */
static const struct sign {
	enum hop_id id;
	const char *field, *text;
} signs[] = {
	{HOP_NGINX, "Server", "nginx"},
	{HOP_NGINX, "Server", "openresty"},
	{HOP_CADDY, "Server", "caddy"},
	{HOP_CADDY, "Via", "caddy"},
	{HOP_APACHE, "Server", "apache"},
	{HOP_APACHE, "Via", "apache"},
	{HOP_ENVOY, "Server", "envoy"},
	{HOP_ENVOY, "X-Envoy-Upstream-Service-Time", ""},
	{HOP_CLOUDFLARE, "CF-Ray", ""},
	{HOP_CLOUDFLARE, "Server", "cloudflare"},
	{HOP_AZURE, "X-Azure-Ref", ""},
	{HOP_AZURE, "X-MSEdge-Ref", ""},
	{HOP_AZURE, "Server", "Microsoft-Azure"},
	{HOP_AZURE, "Set-Cookie", "ARRAffinity"},
	{HOP_AZURE, "X-Ms-Middleware-Request-Id", ""},
	{HOP_SLUICE, "Via", "sluice"},
	{HOP_CLOUDFRONT, "X-Amz-Cf-Id", ""},
	{HOP_CLOUDFRONT, "Via", "cloudfront"},
	{HOP_AWS_ALB, "Server", "awselb"},
	{HOP_AWS_ALB, "Set-Cookie", "AWSALB"},
	{HOP_VARNISH, "X-Varnish", ""},
	{HOP_VARNISH, "Via", "varnish"},
	{HOP_VARNISH, "X-Served-By", "cache-"},
	{HOP_HAPROXY, "Server", "haproxy"},
	{HOP_HAPROXY, "Via", "haproxy"},
};

static const char *field_with(const struct observation *o, const struct sign *s)
{
	for (size_t i = 0; i < o->nfields; i++)
		if (strcasecmp(o->fields[i].name, s->field) == 0 && strcasestr(o->fields[i].value, s->text))
			return o->fields[i].value;
	return NULL;
}

/* Via names a hop that no sign knows, or X-Cache speaks of a cache. */
static bool see_other(const struct observation *o, size_t known, struct hop_seen *ret)
{
	const char *via = observe_field(o, "Via"), *cache = observe_field(o, "X-Cache");

	*ret = (struct hop_seen){.id = HOP_OTHER};
	if (!known && via)
		snprintf(ret->evidence, sizeof(ret->evidence), "Via: %s", via);
	else if (!known && cache)
		snprintf(ret->evidence, sizeof(ret->evidence), "X-Cache: %s", cache);
	return ret->evidence[0];
}

size_t hops_see(const struct observation *o, struct hop_seen *ret)
{
	bool seen[HOP_COUNT] = {0};
	size_t n = 0;

	for (size_t i = 0; i < ARRAY_LEN(signs); i++) {
		const char *value = field_with(o, &signs[i]);

		if (!value || seen[signs[i].id])
			continue;
		seen[signs[i].id] = true;
		ret[n].id = signs[i].id;
		snprintf(ret[n].evidence, sizeof(ret[n].evidence), "%s: %s", signs[i].field, value);
		n++;
	}
	n += n < HOP_COUNT && see_other(o, n, &ret[n]);
	return n;
}

/* ---- fixes */

static const char *const fixes[FIX_COUNT][HOP_COUNT + 1] = {
#define FIX(kind, hop, text) [FIX_##kind][HOP_##hop] = text,
#define FIX_APP(kind, text)  [FIX_##kind][HOP_COUNT] = text,
#include "doctor/fixes.def"
#undef FIX
#undef FIX_APP
};

const char *fix_text(enum fix_kind kind, enum hop_id hop)
{
	return fixes[kind][hop];
}

/* ---- timeouts */

static const struct {
	int seconds;
	const char *whose;
} timeouts[] = {
	{15, "Envoy's default route timeout (an age)"},
	{20, "the default backend timeout of Azure Application Gateway"},
	{30, "a usual HAProxy `timeout server`, CloudFront's default origin timeout, Azure Front Door's "
	     "older default"},
	{50, "`timeout server` in Debian's haproxy.cfg"},
	{55, "Heroku's router"},
	{60, "nginx's default proxy_read_timeout, the default idle timeout of AWS load balancers, Apache's "
	     "default Timeout"},
	{100, "Cloudflare's proxy read timeout (error 524)"},
	{120, "Cloudflare's newer proxy read timeout (error 524)"},
	{230, "the front end of Azure App Service"},
	{240, "the default idle timeout of Azure Load Balancer (4 minutes)"},
	{300, "Envoy's default stream_idle_timeout, Apache's Timeout in Debian's apache2.conf"},
	{350, "AWS NAT gateway and network load balancer"},
};

const char *timeout_owner(int64_t ms)
{
	for (size_t i = 0; i < ARRAY_LEN(timeouts); i++) {
		int64_t t = timeouts[i].seconds * 1000LL;

		/* A timer fires late, never early; the clock of the look may begin a little behind the hop's.
		 */
		if (ms > t - 300 && ms < t + MAX(1500, t / 50))
			return timeouts[i].whose;
	}
	return NULL;
}
