#include "observe/access_log.h"
#include "base/clock.h"
#include "observe/names.h"
#include <jansson.h>
#include <stdio.h>

#define CERTIFICATE_MAX 512
#define LINE_MAX_BYTES	4096 /* PIPE_BUF: a write of at most this much is whole or not at all */

int access_log_redact(struct buf *out, struct slice query)
{
	while (query.n) {
		const char *amp = memchr(query.p, '&', query.n);
		size_t n = amp ? (size_t)(amp - query.p) : query.n;
		const char *eq = memchr(query.p, '=', n);
		/* Without a name it may be the secret itself. */
		int err = buf_printf(out, "%s%.*s%s", out->len ? "&" : "", (int)(eq ? eq - query.p : 0),
			query.p, eq ? "=***" : "***");

		if (err)
			return err;
		n += amp ? 1 : 0;
		query.p += n;
		query.n -= n;
	}
	return 0;
}

/* A line on its way: `broken` when a key is missing for want of memory. Half a line would be a lie. */
struct line {
	json_t *o;
	bool broken;
};

/* Takes over `value`. */
static void set(struct line *l, const char *key, json_t *value)
{
	if (json_object_set_new(l->o, key, value))
		l->broken = true;
}

static void set_int(struct line *l, const char *key, uint64_t value)
{
	set(l, key, json_integer((json_int_t)value));
}

static void set_flag(struct line *l, const char *key, const struct sluice_ctl *c, unsigned flag)
{
	set(l, key, json_boolean(c->flags & flag));
}

static double ms_between(uint64_t from_ns, uint64_t to_ns)
{
	return to_ns > from_ns ? (double)((to_ns - from_ns) / 1000) / 1000.0 : 0.0;
}

static void set_ms(struct line *l, const char *key, uint64_t from_ns, uint64_t to_ns)
{
	set(l, key, to_ns ? json_real(ms_between(from_ns, to_ns)) : json_null());
}

/* Heads are checked to be printable; what is not UTF-8 all the same must not break the line. */
static void set_text(struct line *l, const char *key, const char *text)
{
	json_t *s = text && *text ? json_string(text) : json_null(), *any = NULL;

	/* It is not UTF-8, or there is no memory: only the former fails again when there is some. */
	if (!s)
		any = json_string_nocheck(text);
	if (any)
		s = json_string(text);
	if (any && !s)
		s = json_string("(not UTF-8)");
	json_decref(any);
	set(l, key, s);
}

static void set_time(struct line *l)
{
	uint64_t now = clock_wall_ns();
	time_t seconds = (time_t)(now / NS_PER_S);
	struct tm tm;
	char text[40];
	size_t n;

	gmtime_r(&seconds, &tm);
	n = strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(text + n, sizeof(text) - n, ".%03uZ", (unsigned)(now % NS_PER_S / NS_PER_MS));
	set(l, "time", json_string(text));
}

/* A query that is too long to be shown is left out; one that there is no memory for breaks the line. */
static void set_query(struct line *l, struct slice query)
{
	_cleanup_buf_ struct buf target = {.max = 1024};
	int err = query.n ? access_log_redact(&target, query) : -ENODATA;

	if (!err)
		err = buf_append(&target, "", 1);
	if (!err)
		set_text(l, "query", target.data);
	else if (err == -ENOMEM)
		l->broken = true;
}

/* There is no such key when there is no certificate: most listeners ask for none. */
static void set_certificate(struct line *l, const char *subject)
{
	char text[CERTIFICATE_MAX + 1];

	if (!subject)
		return;
	snprintf(text, sizeof(text), "%s", subject);
	set_text(l, "client_certificate", text);
}

static struct line common(const char *event, const struct sluice_ctl *c, const struct log_request *req)
{
	struct line l = {.o = json_object()};
	char addr[NAMES_ADDR_MAX];

	set_time(&l);
	set(&l, "event", json_string(event));
	set_int(&l, "id", c->id);
	set_int(&l, "worker", c->worker);
	set_text(&l, "client", names_addr(&c->client, addr));
	set_certificate(&l, req->certificate);
	set_text(&l, "method", c->method);
	set_text(&l, "host", c->host);
	set_text(&l, "path", c->path);
	set_query(&l, req->query);
	set_int(&l, "status", c->status);
	set_text(&l, "route", c->route_name);
	set_text(&l, "upstream", c->upstream_name);
	set_text(&l, "server", c->upstream.family ? names_addr(&c->upstream, addr) : NULL);
	set_text(&l, "lane", names_lane(c->lane));
	set_text(&l, "lane_reason", names_reason(c->reason));
	set_ms(&l, "head_ms", c->start_ns, c->head_ns);
	return l;
}

static void emit(struct access_log *log, struct line *l)
{
	char text[LINE_MAX_BYTES];
	size_t n = l->broken
			   ? 0
			   : json_dumpb(l->o, text, sizeof(text) - 1, JSON_COMPACT | JSON_REAL_PRECISION(9));

	json_decref(l->o);
	if (n == 0 || n > sizeof(text) - 1) {
		log->totals->log_dropped++;
		return;
	}
	text[n++] = '\n';
	if (write(log->pipe_fd, text, n) != (ssize_t)n)
		log->totals->log_dropped++;
}

void access_log_open(struct access_log *log, const struct sluice_ctl *c, const struct log_request *req)
{
	struct line l;

	if (log->pipe_fd < 0)
		return;
	l = common("open", c, req);
	set_flag(&l, "event_stream", c, SLUICE_CTL_EVENT_STREAM);
	emit(log, &l);
}

void access_log_end(struct access_log *log, const struct sluice_ctl *c, const struct log_end *end)
{
	struct line l;

	if (log->pipe_fd < 0)
		return;
	l = common("end", c, &end->request);
	set_text(&l, "ended_by", names_end_by(end->by));
	set_text(&l, "phase", end->phase);
	set_text(&l, "reason", end->detail);
	set_flag(&l, "truncated", c, SLUICE_CTL_TRUNCATED);
	set_flag(&l, "event_stream", c, SLUICE_CTL_EVENT_STREAM);
	set_int(&l, "bytes_in", c->bytes_in);
	set_int(&l, "bytes_out", c->bytes_out);
	set_int(&l, "events", c->events);
	set_ms(&l, "age_ms", c->start_ns, end->now_ns);
	set_ms(&l, "first_event_ms", c->start_ns, c->first_event_ns);
	set_int(&l, "heartbeats", c->heartbeats);
	set_int(&l, "spills", c->spills);
	set_int(&l, "flips", c->flips);
	set_int(&l, "dropped_events", c->dropped_events);
	set_int(&l, "pending_max", c->pending_max);
	emit(log, &l);
}
