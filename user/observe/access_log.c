#include "observe/access_log.h"
#include "base/clock.h"
#include "observe/names.h"
#include <jansson.h>
#include <stdio.h>

#define LINE_MAX_BYTES 4096 /* PIPE_BUF: a write of at most this much is whole or not at all */

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

static double ms_between(uint64_t from_ns, uint64_t to_ns)
{
	return to_ns > from_ns ? (double)((to_ns - from_ns) / 1000) / 1000.0 : 0.0;
}

static void set_ms(json_t *o, const char *key, uint64_t from_ns, uint64_t to_ns)
{
	json_object_set_new(o, key, to_ns ? json_real(ms_between(from_ns, to_ns)) : json_null());
}

static void set_text(json_t *o, const char *key, const char *text)
{
	/* Heads are checked to be printable; what is not UTF-8 all the same must not break the line. */
	json_t *s = text && *text ? json_string(text) : json_null();

	json_object_set_new(o, key, s ? s : json_string("(not UTF-8)"));
}

static void set_time(json_t *o)
{
	uint64_t now = clock_wall_ns();
	time_t seconds = (time_t)(now / NS_PER_S);
	struct tm tm;
	char text[40];
	size_t n;

	gmtime_r(&seconds, &tm);
	n = strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(text + n, sizeof(text) - n, ".%03uZ", (unsigned)(now % NS_PER_S / NS_PER_MS));
	json_object_set_new(o, "time", json_string(text));
}

static json_t *common(const char *event, const struct sluice_ctl *c, struct slice query)
{
	_cleanup_buf_ struct buf target = {.max = 1024};
	char addr[NAMES_ADDR_MAX];
	json_t *o = json_object();

	set_time(o);
	json_object_set_new(o, "event", json_string(event));
	json_object_set_new(o, "id", json_integer((json_int_t)c->id));
	json_object_set_new(o, "worker", json_integer(c->worker));
	set_text(o, "client", names_addr(&c->client, addr));
	set_text(o, "method", c->method);
	set_text(o, "host", c->host);
	set_text(o, "path", c->path);
	if (query.n && access_log_redact(&target, query) == 0 && buf_append(&target, "", 1) == 0)
		set_text(o, "query", target.data);
	json_object_set_new(o, "status", json_integer(c->status));
	set_text(o, "route", c->route_name);
	set_text(o, "upstream", c->upstream_name);
	set_text(o, "server", c->upstream.family ? names_addr(&c->upstream, addr) : NULL);
	set_text(o, "lane", names_lane(c->lane));
	set_text(o, "lane_reason", names_reason(c->reason));
	set_ms(o, "head_ms", c->start_ns, c->head_ns);
	return o;
}

static void emit(struct access_log *log, json_t *o)
{
	char line[LINE_MAX_BYTES];
	size_t n = json_dumpb(o, line, sizeof(line) - 1, JSON_COMPACT | JSON_REAL_PRECISION(9));

	json_decref(o);
	if (n == 0 || n > sizeof(line) - 1) {
		log->totals->log_dropped++;
		return;
	}
	line[n++] = '\n';
	if (write(log->pipe_fd, line, n) != (ssize_t)n)
		log->totals->log_dropped++;
}

void access_log_open(struct access_log *log, const struct sluice_ctl *c, struct slice query)
{
	json_t *o;

	if (log->pipe_fd < 0)
		return;
	o = common("open", c, query);
	json_object_set_new(o, "event_stream", json_boolean(c->flags & SLUICE_CTL_EVENT_STREAM));
	emit(log, o);
}

void access_log_end(struct access_log *log, const struct sluice_ctl *c, const struct log_end *end)
{
	json_t *o;

	if (log->pipe_fd < 0)
		return;
	o = common("end", c, end->query);
	set_text(o, "ended_by", names_end_by(end->by));
	set_text(o, "phase", end->phase);
	set_text(o, "reason", end->detail);
	json_object_set_new(o, "truncated", json_boolean(c->flags & SLUICE_CTL_TRUNCATED));
	json_object_set_new(o, "event_stream", json_boolean(c->flags & SLUICE_CTL_EVENT_STREAM));
	json_object_set_new(o, "bytes_in", json_integer((json_int_t)c->bytes_in));
	json_object_set_new(o, "bytes_out", json_integer((json_int_t)c->bytes_out));
	json_object_set_new(o, "events", json_integer((json_int_t)c->events));
	set_ms(o, "age_ms", c->start_ns, end->now_ns);
	set_ms(o, "first_event_ms", c->start_ns, c->first_event_ns);
	json_object_set_new(o, "heartbeats", json_integer(c->heartbeats));
	json_object_set_new(o, "spills", json_integer(c->spills));
	json_object_set_new(o, "flips", json_integer(c->flips));
	json_object_set_new(o, "dropped_events", json_integer(c->dropped_events));
	json_object_set_new(o, "pending_max", json_integer(c->pending_max));
	emit(log, o);
}
