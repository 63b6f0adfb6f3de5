/* READ_REQUEST and ROUTE: a whole head becomes a stream, is checked, routed, and rewritten for the upstream.
 */
#include "base/clock.h"
#include "net/addr.h"
#include "policy/pick_key.h"
#include "policy/route.h"
#include "stream/h2_conn.h"
#include <stdio.h>
#include <strings.h>

void stream_timeout(struct timer *t);
void stream_free_task(struct task *t);

static void on_again(struct task *t)
{
	struct stream *s = container_of(t, struct stream, again);

	if (!s->req.done && (s->state == STREAM_SEND_REQUEST || s->state == STREAM_COPY) && !send_pump(s))
		return;
	if (s->state == STREAM_COPY)
		copy_pump(s);
	else if (s->state == STREAM_TUNNEL)
		tunnel_pump(s);
	else
		lane_again(s);
}

static struct sluice_ctl *take_record(struct stream *s)
{
	struct sluice_ctl *c = slots_take(&s->env->slots);

	if (c) {
		s->env->by_slot[slots_number(&s->env->slots, c) - s->env->slots.first] = s;
		return c;
	}
	s->ctl_private = true;
	return calloc(1, sizeof(*c));
}

static struct stream *stream_new(struct client *c)
{
	struct env *env = c->env;
	struct stream *s = slab_take(&env->streams);

	if (!s)
		return NULL;
	s->env = env;
	s->ctl = take_record(s);
	if (!s->ctl) {
		slab_give(&env->streams, s);
		return NULL;
	}
	s->client = c;
	s->gen = generation_ref(env->now);
	s->up.source = (struct source){.fd = -1, .on_ready = stream_upstream_ready};
	s->lease.idle_fd = -1;
	timer_init(&s->timer, stream_timeout);
	task_init(&s->again, on_again);
	task_init(&s->free_task, stream_free_task);
	list_init(&s->waiter.link);
	c->stream = s;
	timer_stop(&c->timer);
	c->requests++;
	env->totals->streams_now++;
	return s;
}

static void copy_text(char *to, size_t size, struct slice from)
{
	size_t n = MIN(from.n, size - 1);

	if (n)
		memcpy(to, from.p, n);
	to[n] = '\0';
}

static void fill_record(struct stream *s, const struct h1_request *req)
{
	struct sluice_ctl *ctl = s->ctl;
	const struct settings *settings = s->gen->settings;

	ctl_begin(ctl);
	ctl->start_ns = s->client->first_byte_ns;
	ctl->client = s->client->addr;
	ctl->client_cookie = s->client->cookie;
	ctl->requests = s->client->requests;
	ctl->notsent_lowat = s->client->is_unix ? 0 : settings->notsent_lowat;
	ctl->user_timeout_ms = s->client->is_unix ? 0 : (uint32_t)settings->user_timeout_ms;
	if (client_is_tls(s->client))
		ctl->flags |= SLUICE_CTL_TLS;
	if (s->client->carrier)
		ctl->flags |= SLUICE_CTL_H2;
	if (req) {
		ctl->http = s->client->carrier ? 20 : (uint16_t)(10 + req->minor);
		copy_text(ctl->method, sizeof(ctl->method), req->method_text);
		copy_text(ctl->host, sizeof(ctl->host), req->host);
		copy_text(ctl->path, sizeof(ctl->path), req->path);
	}
	ctl_end(ctl);
}

static void refuse(struct stream *s, enum h1_rule rule)
{
	s->env->totals->refused[rule]++;
	s->close_client = true;
	stream_reply(s, h1_rule_status(rule), SLUICE_BY_REFUSED, h1_rule_label(rule), h1_rule_text(rule));
}

static bool is_idempotent(enum h1_method m)
{
	return m == H1_GET || m == H1_HEAD || m == H1_OPTIONS || m == H1_PUT || m == H1_DELETE;
}

static void plan_body(struct stream *s, const struct h1_request *req)
{
	s->req.framing = req->framing;
	s->req.left = req->content_length;
	s->req.unframed = s->client->carrier && req->framing == H1_BODY_CHUNKED;
	s->req.done =
		req->framing == H1_BODY_NONE || (req->framing == H1_BODY_LENGTH && !req->content_length);
	if (req->framing == H1_BODY_CHUNKED)
		chunk_init(&s->req.chunk);
}

/* What outlives the head's bytes. */
static int keep_request(struct stream *s, const struct h1_request *req)
{
	const struct upstream_settings *u = &s->gen->settings->upstreams[s->route->upstream];
	struct slice key = pick_key_of(u, req);
	int err;

	s->event_request = s->route->stream != STREAM_OFF &&
			   (req->accepts_event_stream || s->route->stream == STREAM_ON);
	s->wants_upgrade = req->upgrade.n > 0 && s->route->upgrade;
	s->idempotent = is_idempotent(req->method) && req->framing == H1_BODY_NONE && !s->wants_upgrade;
	if (key.p) {
		err = buf_append(&s->kept, key.p, key.n);
		if (err)
			return err;
	}
	s->query_at = s->kept.len;
	err = buf_append(&s->kept, req->query.p, req->query.n);
	if (err)
		return err;
	if (key.p)
		s->pick_value = (struct slice){s->kept.data ? s->kept.data : "", s->query_at};
	return 0;
}

/* Whom the client's certificate names, for the upstream. A reload may have taken the field out of what
 * clients must not send: then it says nothing any more. */
static void tell_subject(const struct stream *s, struct h1_forward *fwd)
{
	const struct tls_conn *tls = client_tls(s->client);
	const char *header = tls ? tls_client_subject_header(tls) : NULL;

	for (size_t i = 0; header && i < fwd->nown; i++) {
		if (strcasecmp(header, fwd->own[i]) == 0) {
			fwd->subject_header = slice_of(header);
			fwd->subject = slice_of(tls_client_subject(tls));
		}
	}
}

static int write_head(struct stream *s, const struct h1_request *req)
{
	const struct upstream_settings *u = &s->gen->settings->upstreams[s->route->upstream];
	char ip[64] = "";
	struct h1_forward fwd = {
		.scheme = client_is_tls(s->client) ? SLICE("https") : SLICE("http"),
		.client_trusted = s->client->trusted,
		.drop_accept_encoding = s->event_request && s->route->drop_accept_encoding,
		.host = slice_of(u->host),
		.path_prefix = slice_of(u->path_prefix),
		.upgrade = s->wants_upgrade,
		.own = s->gen->settings->subject_headers,
		.nown = s->gen->settings->nsubject_headers,
		.edits = s->route->request_edits,
	};

	addr_record_ip(&s->client->addr, ip, sizeof(ip));
	fwd.client_ip = slice_of(ip);
	tell_subject(s, &fwd);
	return h1_write_request(&s->req_head, req, &fwd);
}

/* A chunked body that is already broken in the bytes at hand is refused before the upstream hears of it. */
static enum h1_rule check_body_start(const struct stream *s, struct slice rest)
{
	struct chunk_reader r = s->req.chunk;
	uint64_t payload = 0;

	if (s->req.framing == H1_BODY_LENGTH && s->route->max_body && s->req.left > s->route->max_body)
		return H1_RULE_BODY_TOO_LARGE;
	while (s->req.framing == H1_BODY_CHUNKED && !s->req.unframed && rest.n && r.state != CHUNK_DONE &&
		r.state != CHUNK_BAD) {
		struct chunk_step step = chunk_next(&r, rest.p, rest.n);

		payload += step.payload.n;
		rest.p += step.used;
		rest.n -= step.used;
	}
	if (s->route->max_body && payload > s->route->max_body)
		return H1_RULE_BODY_TOO_LARGE;
	return r.state == CHUNK_BAD ? r.bad : H1_OK;
}

/* False: refused. */
static bool route_has_room(struct stream *s)
{
	size_t index = (size_t)(s->route - s->gen->settings->routes);
	unsigned limit = s->route->max_streams;

	if (limit && s->gen->routes[index].streams >= (limit + s->env->workers - 1) / s->env->workers)
		return false;
	s->gen->routes[index].streams++;
	s->counted_route = true;
	return true;
}

static void overload(struct stream *s, enum sluice_reject why, const char *detail)
{
	env_count_reject(s->env, why);
	s->close_client = true;
	stream_reply(s, 503, SLUICE_BY_OVERLOAD, detail, "The proxy is at its limit; try again shortly.");
}

static void route_request(struct stream *s, const struct h1_request *req, size_t head_len)
{
	struct client *c = s->client;
	enum h1_rule rule;

	stream_move(s, STREAM_ROUTE);
	s->route = route_find(s->gen->settings, req);
	if (!s->route) {
		if (head_len)
			buf_drop(&c->in, head_len);
		stream_reply(s, 404, SLUICE_BY_REFUSED, "no_route",
			"No route matches this host, path and method.");
		return;
	}
	ctl_begin(s->ctl);
	s->ctl->route = (uint16_t)(s->route - s->gen->settings->routes);
	s->ctl->policy = (uint8_t)s->route->slow;
	s->ctl->limit = s->route->slow == SLOW_BLOCK ? 0 : (uint32_t)s->route->slow_bytes;
	copy_text(s->ctl->route_name, sizeof(s->ctl->route_name), slice_of(s->route->name));
	copy_text(s->ctl->upstream_name, sizeof(s->ctl->upstream_name),
		slice_of(s->gen->settings->upstreams[s->route->upstream].name));
	ctl_end(s->ctl);
	if (keep_request(s, req) || write_head(s, req)) {
		overload(s, SLUICE_REJECT_MEMORY, "memory");
		return;
	}
	/* The head's bytes are used up; req points into them, so this comes last. An idle stream keeps no
	 * memory for it. */
	if (head_len)
		buf_drop(&c->in, head_len);
	if (!c->in.len)
		buf_reset(&c->in);
	memset(&c->scan, 0, sizeof(c->scan));
	rule = check_body_start(s, buf_slice(&c->in));
	if (rule != H1_OK)
		refuse(s, rule);
	else if (c->wire.fin || c->wire.dead)
		/* It ended with its last byte: no other event will tell. */
		stream_end(s, SLUICE_BY_CLIENT, c->wire.dead ? "reset" : "closed");
	else if (!route_has_room(s))
		overload(s, SLUICE_REJECT_ROUTE, "route max_streams");
	else
		dial_begin(s);
}

static void begin(struct stream *s, const struct h1_request *req, size_t head_len)
{
	s->method = req->method;
	s->minor = req->minor;
	s->keep_alive = req->keep_alive && !s->env->draining;
	plan_body(s, req);
	fill_record(s, req);
	if (s->ctl_private)
		overload(s, SLUICE_REJECT_SLOTS, "slots");
	else
		route_request(s, req, head_len);
}

void request_start(struct client *c, enum h1_rule rule, size_t len)
{
	struct env *env = c->env;
	struct h1_request *req = &env->request;
	struct stream *s = stream_new(c);

	if (!s) {
		env_count_reject(env, SLUICE_REJECT_MEMORY);
		client_close(c, CLIENT_RESET);
		return;
	}
	env->totals->requests++;
	if (rule == H1_OK)
		rule = h1_request_parse(c->in.data + c->scan.skip, len - c->scan.skip, req);
	if (rule != H1_OK) {
		fill_record(s, NULL);
		refuse(s, rule);
		return;
	}
	begin(s, req, len);
}

void request_start_parsed(struct client *c, const struct h1_request *req)
{
	struct stream *s = stream_new(c);

	if (!s) {
		env_count_reject(c->env, SLUICE_REJECT_MEMORY);
		h2_slot_release(c, true, H2_REFUSED_STREAM);
		return;
	}
	c->env->totals->requests++;
	begin(s, req, 0);
}

void request_refused(struct client *c, enum h1_rule rule)
{
	struct stream *s = stream_new(c);

	c->env->totals->requests++;
	c->env->totals->refused[rule]++;
	if (!s) {
		h2_slot_release(c, true, H2_REFUSED_STREAM);
		return;
	}
	fill_record(s, NULL);
	stream_end(s, SLUICE_BY_REFUSED, h1_rule_label(rule));
}

void request_timed_out(struct client *c)
{
	struct stream *s = stream_new(c);

	if (!s) {
		client_close(c, CLIENT_RESET);
		return;
	}
	fill_record(s, NULL);
	s->close_client = true;
	stream_reply(s, 408, SLUICE_BY_TIMEOUT, "client_head", "The request head did not end in time.");
}
