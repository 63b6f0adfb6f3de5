#include "doctor/observe.h"
#include <stdio.h>

void observe_init(struct observation *o)
{
	*o = (struct observation){.sent_ms = OBSERVE_NEVER,
		.head_ms = OBSERVE_NEVER,
		.body_ms = OBSERVE_NEVER,
		.event_ms = OBSERVE_NEVER};
	sse_init(&o->scan);
}

static void forget_fields(struct observation *o)
{
	for (size_t i = 0; i < o->nfields; i++) {
		free(o->fields[i].name);
		free(o->fields[i].value);
	}
	o->nfields = 0;
}

void observe_done(struct observation *o)
{
	forget_fields(o);
	free(o->fields);
	free(o->bursts);
	free(o->url);
	free(o->redirect);
	free(o->error);
	observe_init(o);
}

/* ---- head */

/* "HTTP/1.1 200 OK", "HTTP/2 200". */
static bool read_status(struct slice line, int *ret_http, int *ret_status)
{
	char text[64];
	int major, minor = 0;

	snprintf(text, sizeof(text), "%.*s", (int)MIN(line.n, sizeof(text) - 1), line.p);
	if (sscanf(text, "HTTP/%d.%d %d", &major, &minor, ret_status) != 3 &&
		sscanf(text, "HTTP/%d %d", &major, ret_status) != 2)
		return false;
	*ret_http = major * 10 + minor;
	return true;
}

/* A stranger's bytes: they reach terminals and JSON as printable ASCII. */
static char *printable(struct slice s)
{
	char *text = strndup(s.p, s.n);

	for (char *p = text; p && *p; p++)
		if (*p < 0x20 || *p > 0x7e)
			*p = '?';
	return text;
}

static int add_field(struct observation *o, struct slice line)
{
	const char *colon = memchr(line.p, ':', line.n);
	struct slice name, value;
	struct observe_field *f;

	if (!colon || o->nfields == OBSERVE_MAX_FIELD)
		return 0;
	if (!o->fields && !(o->fields = calloc(OBSERVE_MAX_FIELD, sizeof(*o->fields))))
		return -ENOMEM;
	name = (struct slice){line.p, (size_t)(colon - line.p)};
	value = slice_trim((struct slice){colon + 1, line.n - name.n - 1});
	f = &o->fields[o->nfields++];
	*f = (struct observe_field){printable(name), printable(value)};
	return f->name && f->value ? 0 : -ENOMEM;
}

/* A redirect that was followed: the head that counts is another one. */
static int keep_redirect(struct observation *o)
{
	const char *to = observe_field(o, "Location");

	if (o->status < 300 || o->status > 399 || !to)
		return 0;
	if (o->redirects++)
		return 0;
	o->redirect_status = o->status;
	o->redirect = strdup(to);
	return o->redirect ? 0 : -ENOMEM;
}

int observe_head_line(struct observation *o, int64_t at_ms, struct slice line)
{
	int http, status, err = 0;

	if (o->body_ms != OBSERVE_NEVER)
		return 0; /* a trailer */
	if (read_status(line, &http, &status)) {
		err = keep_redirect(o);
		forget_fields(o);
		o->http = http;
		o->status = status;
		o->head_ms = OBSERVE_NEVER;
		return err;
	}
	if (line.n)
		return add_field(o, line);
	if (o->status >= 200)
		o->head_ms = at_ms;
	else
		o->status = 0; /* 1xx: the head is yet to come */
	return 0;
}

/* ---- body */

static struct observe_burst *burst_at(struct observation *o, int64_t at_ms)
{
	struct observe_burst *b = o->nbursts ? &o->bursts[o->nbursts - 1] : NULL;

	if (b && (at_ms - b->last_ms <= OBSERVE_BURST_MS || o->nbursts == OBSERVE_MAX_BURST))
		return b;
	/* Grows by doubling: full whenever the count is a power of two. */
	if (!(o->nbursts & (o->nbursts - 1))) {
		size_t cap = o->nbursts ? o->nbursts * 2 : 1;
		struct observe_burst *more = realloc(o->bursts, cap * sizeof(*more));

		if (!more)
			return NULL;
		o->bursts = more;
	}
	b = &o->bursts[o->nbursts++];
	*b = (struct observe_burst){.at_ms = at_ms};
	return b;
}

static bool at_line_start(const struct sse_scan *s)
{
	return s->place != SSE_IN_LINE && s->place != SSE_BOM;
}

int observe_body(struct observation *o, int64_t at_ms, struct slice bytes)
{
	struct observe_burst *b = burst_at(o, at_ms);
	uint64_t before = o->scan.events;
	uint32_t comments = 0;

	if (!b)
		return -ENOMEM;
	if (o->body_ms == OBSERVE_NEVER)
		o->body_ms = at_ms;
	for (size_t i = 0; i < bytes.n; i++) {
		comments += bytes.p[i] == ':' && at_line_start(&o->scan);
		sse_feed(&o->scan, &bytes.p[i], 1);
	}
	if (!before && o->scan.events)
		o->event_ms = at_ms;
	b->last_ms = at_ms;
	b->bytes += bytes.n;
	b->events += (uint32_t)(o->scan.events - before);
	b->comments += comments;
	o->bytes += bytes.n;
	o->events = o->scan.events;
	o->comments += comments;
	return 0;
}

/* ---- questions */

const char *observe_field(const struct observation *o, const char *name)
{
	for (size_t i = 0; i < o->nfields; i++)
		if (strcasecmp(o->fields[i].name, name) == 0)
			return o->fields[i].value;
	return NULL;
}

bool observe_field_has(const struct observation *o, const char *name, const char *text)
{
	for (size_t i = 0; i < o->nfields; i++)
		if (strcasecmp(o->fields[i].name, name) == 0 && strcasestr(o->fields[i].value, text))
			return true;
	return false;
}

enum observe_framing observe_framing(const struct observation *o)
{
	if (o->http >= 20)
		return OBSERVE_BY_FRAMES;
	if (observe_field_has(o, "Transfer-Encoding", "chunked"))
		return OBSERVE_BY_CHUNKS;
	return observe_field(o, "Content-Length") ? OBSERVE_BY_LENGTH : OBSERVE_BY_CLOSE;
}

bool observe_mid_event(const struct observation *o)
{
	return o->scan.has_data || o->scan.place == SSE_IN_LINE;
}

int64_t observe_last_silence(const struct observation *o)
{
	int64_t last = o->nbursts ? o->bursts[o->nbursts - 1].last_ms : o->head_ms;

	return last == OBSERVE_NEVER ? 0 : o->end_ms - last;
}

int64_t observe_longest_silence(const struct observation *o, int64_t *ret_at)
{
	int64_t last = o->head_ms, longest = 0;

	*ret_at = last;
	for (size_t i = 0; i <= o->nbursts && last != OBSERVE_NEVER; i++) {
		int64_t next = i < o->nbursts ? o->bursts[i].at_ms : o->end_ms;

		if (next - last > longest) {
			longest = next - last;
			*ret_at = last;
		}
		if (i < o->nbursts)
			last = o->bursts[i].last_ms;
	}
	return longest;
}
