/* What the response's head says, and when it came. */
#include "doctor/judge.h"

#define LATE_MS	    1000 /* a head that takes longer was waiting for something */
#define TOGETHER_MS 50	 /* head and body that come within this came as one */

static bool is_event_stream(const struct observation *o)
{
	const char *type = observe_field(o, "Content-Type");

	return type && strncasecmp(type, "text/event-stream", 17) == 0 &&
	       (!type[17] || type[17] == ';' || type[17] == ' ');
}

static void check_status(struct side *s)
{
	const struct observation *o = s->first;
	struct finding *f;

	if (o->status == 200)
		return;
	f = side_find(s, FINDING_STATUS);
	finding_evidence(f, "status %d from %s", o->status, o->url);
	if (o->status == 204)
		finding_cause(f, "204 tells EventSource to stop for good");
	else if (o->status >= 300 && o->status < 400)
		finding_cause(f, "a redirect that leads nowhere, or too many of them");
	else if (o->status == 401 || o->status == 403)
		finding_cause(f, "the stream wants credentials: give them with --header 'Authorization: …'");
	else if (o->status == 524 || o->status == 504)
		finding_cause(f, "a hop waited for the origin's head in vain: the origin is silent, or sends "
				 "its head late");
	else if (o->status >= 500)
		finding_cause(f, "a hop reached no working server behind it, or the application failed");
	else
		finding_cause(f, "EventSource takes 200 only and gives up for good on anything else");
}

static void check_type(struct side *s)
{
	const char *type = observe_field(s->first, "Content-Type");
	struct finding *f;

	if (s->first->status != 200 || is_event_stream(s->first))
		return;
	f = side_find(s, FINDING_TYPE);
	finding_evidence(f, "Content-Type: %s", type ? type : "(none)");
	if (type && strcasestr(type, "text/html"))
		finding_cause(f, "an HTML page: another location answered, a login page or an error page");
	else
		finding_cause(f, "the application does not set it; proxies also judge by it whether to hold, "
				 "compress or cache");
}

static void check_wait(struct side *s)
{
	const struct observation *o = s->first;
	int64_t wait = o->head_ms - o->sent_ms;
	struct finding *f;

	if (o->head_ms == OBSERVE_NEVER) {
		f = side_find(s, FINDING_HEAD_HELD);
		finding_evidence(f, "no response head within %.1f s of the request%s",
			(double)(o->end_ms - o->sent_ms) / 1000,
			o->end == OBSERVE_CUT ? "; then the connection was closed" : "");
		finding_cause(f, "a hop that buffers sends the head with the first full buffer, or the "
				 "application sends it with its first event");
		return;
	}
	if (wait < LATE_MS)
		return;
	if (o->body_ms != OBSERVE_NEVER && o->body_ms - o->head_ms <= TOGETHER_MS && o->bursts[0].bytes) {
		f = side_find(s, FINDING_HEAD_HELD);
		finding_evidence(f,
			"the head came %.2f s after the request, together with %u events (%llu bytes)",
			(double)wait / 1000, o->bursts[0].events, (unsigned long long)o->bursts[0].bytes);
		finding_cause(f, "a hop that buffers sends the head with the first full buffer, or the "
				 "application sends it with its first event");
	} else {
		f = side_find(s, FINDING_HEAD_LATE);
		finding_evidence(f, "the head came %.2f s after the request, the first byte of the body %s",
			(double)wait / 1000, o->body_ms == OBSERVE_NEVER ? "never" : "later");
		finding_cause(
			f, "the application works before it answers; send the head first, and then work");
	}
}

static void check_compression(struct side *s)
{
	const char *encoding = observe_field(s->first, "Content-Encoding");
	struct finding *f;

	if (!encoding || strcasecmp(encoding, "identity") == 0)
		return;
	f = side_find(s, FINDING_COMPRESSED);
	finding_evidence(f,
		"Content-Encoding: %s, asked with Accept-Encoding: gzip, deflate, br as browsers do",
		encoding);
	finding_cause(f,
		"a compressor holds bytes until its block is full unless it is flushed for every event, "
		"and nothing behind it can look into the stream or add heartbeats");
}

/* An HTTP/1.0 hop behind others shows itself by a body without chunks, or by its entry in Via. */
static void check_version(struct side *s)
{
	const struct observation *o = s->first;
	const char *via = observe_field(o, "Via");
	struct finding *f;
	bool old_via = via && (strncmp(via, "1.0 ", 4) == 0 || strstr(via, ", 1.0 ") || strstr(via, ",1.0 "));

	if (o->http != 10 && !old_via && observe_framing(o) != OBSERVE_BY_CLOSE)
		return;
	f = side_find(s, FINDING_HTTP10);
	if (o->http == 10)
		finding_evidence(f, "the answer's version is HTTP/1.0");
	else if (old_via)
		finding_evidence(f, "Via: %s", via);
	else
		finding_evidence(f, "the body has neither chunks nor a length: it ends with the connection%s",
			observe_field_has(o, "Connection", "close") ? " (Connection: close)" : "");
	finding_cause(f, "a hop speaks HTTP/1.0, or the application does not send chunks: a stream that "
			 "breaks off looks complete, and no connection is used twice");
}

static void check_caching(struct side *s)
{
	const struct observation *o = s->first;
	const char *age = observe_field(o, "Age"), *cache = observe_field(o, "X-Cache"),
		   *control = observe_field(o, "Cache-Control");
	struct finding *f;

	/* X-Cache speaks of each cache in turn ("MISS, HIT"), Cloudflare has a field of its own. */
	if ((age && atoi(age) > 0) || (cache && strcasestr(cache, "hit")) ||
		observe_field_has(o, "CF-Cache-Status", "HIT")) {
		f = side_find(s, FINDING_CACHED);
		finding_evidence(f, "Age: %s, X-Cache: %s, CF-Cache-Status: %s", age ? age : "-",
			cache ? cache : "-",
			observe_field(o, "CF-Cache-Status") ? observe_field(o, "CF-Cache-Status") : "-");
		finding_cause(f, "a cache keeps event streams: clients see old events");
	}
	if (observe_field_has(o, "Cache-Control", "no-transform") &&
		(observe_field_has(o, "Cache-Control", "no-cache") ||
			observe_field_has(o, "Cache-Control", "no-store")))
		return;
	f = side_find(s, FINDING_NO_CACHE);
	finding_evidence(f, "Cache-Control: %s", control ? control : "(none)");
	finding_cause(f, "no-cache keeps caches off, no-transform keeps compressors off");
}

/* nginx takes X-Accel-Buffering for itself and does not pass it on: its absence behind nginx says nothing. */
static void check_accel(struct side *s)
{
	struct hop_seen seen[HOP_COUNT];
	size_t n = hops_see(s->first, seen);
	struct finding *f;

	for (size_t i = 0; i < n; i++)
		if (seen[i].id == HOP_NGINX)
			return;
	if (observe_field_has(s->first, "X-Accel-Buffering", "no"))
		return;
	f = side_find(s, FINDING_NO_ACCEL);
	finding_evidence(f, "X-Accel-Buffering: %s",
		observe_field(s->first, "X-Accel-Buffering") ? observe_field(s->first, "X-Accel-Buffering")
							     : "(none)");
	finding_cause(f, "with `no`, any nginx in the chain streams whatever its configuration says");
}

static void check_length(struct side *s)
{
	struct finding *f;

	if (!observe_field(s->first, "Content-Length") || observe_framing(s->first) == OBSERVE_BY_CHUNKS)
		return;
	f = side_find(s, FINDING_LENGTH);
	finding_evidence(f, "Content-Length: %s", observe_field(s->first, "Content-Length"));
	finding_cause(
		f, "a hop took the whole stream before it sent it on, or the application wrote it whole");
}

static void check_redirect(struct side *s)
{
	const struct observation *o = s->first;
	struct finding *f;

	if (!o->redirects)
		return;
	f = side_find(s, FINDING_REDIRECT);
	finding_evidence(
		f, "status %d, Location: %s (%u in all)", o->redirect_status, o->redirect, o->redirects);
	finding_cause(f,
		"every reconnect asks twice; give clients the final address. Across hosts, EventSource "
		"wants CORS and drops credentials");
}

static void check_cors(struct side *s)
{
	const char *asked = s->looks->request_origin,
		   *allowed = observe_field(s->first, "Access-Control-Allow-Origin");
	struct finding *f;

	if (!asked || (allowed && (strcmp(allowed, "*") == 0 || strcmp(allowed, asked) == 0)))
		return;
	f = side_find(s, FINDING_CORS);
	finding_evidence(f, "Origin: %s was sent, Access-Control-Allow-Origin: %s came", asked,
		allowed ? allowed : "(none)");
	finding_cause(
		f, "browsers refuse the stream to pages of that origin; with credentials `*` is not enough");
}

static void check_six(struct side *s)
{
	struct finding *f;

	if (s->first->http >= 20 || !s->first->url || strncmp(s->first->url, "https:", 6) != 0)
		return;
	f = side_find(s, FINDING_SIX);
	finding_evidence(f, "HTTP/1.1 over TLS: HTTP/2 was offered and not taken");
	finding_cause(f, "the seventh tab waits for ever");
}

void judge_head(struct side *s)
{
	check_wait(s);
	if (s->first->head_ms == OBSERVE_NEVER)
		return;
	check_redirect(s);
	check_status(s);
	check_type(s);
	if (s->has[FINDING_STATUS] || s->has[FINDING_TYPE])
		return; /* another answer than the one that was meant */
	check_compression(s);
	check_version(s);
	check_caching(s);
	check_accel(s);
	check_length(s);
	check_cors(s);
	check_six(s);
}
