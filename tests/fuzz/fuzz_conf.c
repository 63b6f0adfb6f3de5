/* Any bytes as sluice.yaml: settings that hold what the rest of the program takes for granted, or mistakes
 * that are told line by line. */
#include "fuzz.h"
#include "conf/settings.h"

static void check_edits(const struct h1_edits *edits)
{
	for (size_t i = 0; i < edits->n; i++) {
		const struct h1_edit *e = &edits->list[i];

		must(e->name.n > 0);
		must(!memchr(e->name.p, '\n', e->name.n) && !memchr(e->name.p, ':', e->name.n));
		if (e->op == H1_EDIT_REMOVE || !e->value.n)
			continue;
		must(!memchr(e->value.p, '\r', e->value.n) && !memchr(e->value.p, '\n', e->value.n));
		must(!memchr(e->value.p, 0, e->value.n));
	}
}

static void check_upstream(const struct upstream_settings *u)
{
	must(u->name && u->name[0] && strlen(u->name) < 32);
	must(u->nservers >= 1 && u->nservers <= 64);
	for (size_t i = 0; i < u->nservers; i++) {
		const struct server_settings *s = &u->servers[i];

		must(s->address && s->weight >= 1 && s->weight <= 256);
		must((s->host && s->port) || s->unix_addr.len);
	}
	must(u->balance != BALANCE_HASH || !u->balance_header != !u->balance_cookie);
	must(u->balance != BALANCE_STICKY || u->balance_header);
	must(u->health.path && u->health.path[0] == '/');
	must(!u->health.on || u->health.timeout_ms <= u->health.interval_ms);
	must(u->health.status_min <= u->health.status_max);
	must(!u->path_prefix || (u->path_prefix[0] == '/' && u->path_prefix[1]));
}

static void check_settings(const struct settings *s)
{
	must(s->refs == 1 && s->workers >= 1 && s->max_streams >= 1);
	must(s->nlisteners >= 1 && s->nupstreams >= 1 && s->nroutes >= 1);
	for (size_t i = 0; i < s->nlisteners; i++)
		must(s->listeners[i].listen && s->listeners[i].addr.len);
	for (size_t i = 0; i < s->nupstreams; i++)
		check_upstream(&s->upstreams[i]);
	for (size_t i = 0; i < s->nroutes; i++) {
		const struct route_settings *r = &s->routes[i];

		must(r->upstream < s->nupstreams && r->name && strlen(r->name) < 32);
		must(!r->path || r->path[0] == '/');
		must(r->slow != SLOW_DROP || r->slow_bytes >= 4096);
		check_edits(&r->request_edits);
		check_edits(&r->response_edits);
	}
}

/* Whole lines, each "f:LINE: …", of printable text. */
static void check_messages(struct slice told)
{
	bool starts = true;

	must(told.n > 0 && told.p[told.n - 1] == '\n');
	must(!slice_starts(told, SLICE("f:1: top: a mistake of sluice's own")));
	for (size_t i = 0; i < told.n; i++) {
		if (starts)
			must(told.n - i > 4 && told.p[i] == 'f' && told.p[i + 1] == ':');
		starts = told.p[i] == '\n';
		must(starts || (unsigned char)told.p[i] >= ' ');
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct settings *s = NULL;
	struct buf errors = {0};
	int err = settings_parse("f", (struct slice){(const char *)data, size}, &s, &errors);

	must(err == 0 || err == -EINVAL);
	must((err == 0) == (s != NULL));
	if (err) {
		check_messages(buf_slice(&errors));
	} else {
		must(errors.len == 0);
		check_settings(s);
	}
	settings_unref(s);
	buf_reset(&errors);
	return 0;
}
