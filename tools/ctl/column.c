#include "ctl/column.h"
#include "ctl/units.h"
#include "observe/names.h"
#include <stdio.h>

#define SLOW_MS	   1000	 /* a lag that is worth a look */
#define STALLED_MS 10000 /* and one that is worth a call */

/* ---- numbers */

#define NUMBER(name, expr)                                                                                   \
	static uint64_t get_##name(const struct row *r)                                                      \
	{                                                                                                    \
		return (expr);                                                                               \
	}

NUMBER(id, r->s->c.id)
NUMBER(worker, r->s->c.worker)
NUMBER(status, r->s->c.status ? r->s->c.status : ROW_NEVER)
NUMBER(age, row_age_ms(r, r->s->c.start_ns))
NUMBER(last, row_age_ms(r, r->s->c.last_in_ns))
NUMBER(sent, row_age_ms(r, r->s->c.last_out_ns))
NUMBER(bytes, r->s->c.bytes_out)
NUMBER(in, r->s->c.bytes_in)
NUMBER(spliced, r->s->spliced ? r->s->f.redirected : 0)
NUMBER(events, r->s->c.events)
NUMBER(chunks, r->s->c.chunks)
NUMBER(rate, r->rate)
NUMBER(pace, r->events)
NUMBER(pending, row_pending(r))
NUMBER(pendmax, r->s->c.pending_max)
NUMBER(blocked, r->s->c.blocked_since_ns ? row_age_ms(r, r->s->c.blocked_since_ns) : 0)
NUMBER(lag, row_lag_ms(r))
NUMBER(sndbuf, r->s->c.sndbuf ? r->s->c.sndbuf : r->sock ? r->sock->sndbuf / 2 : ROW_NEVER)
NUMBER(unsent, row_unsent(r))
NUMBER(unacked, row_unacked(r))
NUMBER(queued, row_queue_ms(r))
NUMBER(srtt, row_srtt_us(r))
NUMBER(retrans, r->sock ? r->sock->retransmitted : ROW_NEVER)
NUMBER(spills, r->s->c.spills)
NUMBER(flips, r->s->c.flips)
NUMBER(hearts, r->s->c.heartbeats)
NUMBER(drops, r->s->c.drops)
NUMBER(dropped, r->s->c.dropped_events)
NUMBER(requests, r->s->c.requests)

static uint64_t since_start(const struct row *r, uint64_t then_ns)
{
	const struct sluice_ctl *c = &r->s->c;

	if (!then_ns)
		return ROW_NEVER;
	return then_ns > c->start_ns ? (then_ns - c->start_ns) / 1000 : 0;
}

NUMBER(head, since_start(r, r->s->c.head_ns))
NUMBER(first, since_start(r, r->s->c.first_event_ns))

/* ---- text */

#define TEXT(name, ...)                                                                                      \
	static void get_##name(const struct row *r, char out[COLUMN_TEXT_MAX])                               \
	{                                                                                                    \
		const struct sluice_ctl *c = &r->s->c;                                                       \
		snprintf(out, COLUMN_TEXT_MAX, __VA_ARGS__);                                                 \
	}

TEXT(lane, "%s", names_lane(c->lane))
TEXT(reason, "%s", names_reason(c->reason))
TEXT(state, "%s", view_state_name(c->state))
TEXT(route, "%s", c->route_name)
TEXT(upstream, "%s", c->upstream_name)
TEXT(method, "%s", c->method)
TEXT(host, "%s", c->host)
TEXT(path, "%s", c->path)
TEXT(request, "%s %s%s", c->method, c->host, c->path)
TEXT(proto, "%s%s",
	c->http >= 20	? "h2"
	: c->http == 10 ? "h1.0"
			: "h1.1",
	c->flags &SLUICE_CTL_TLS ? "+tls" : "")

static void get_client(const struct row *r, char out[COLUMN_TEXT_MAX])
{
	names_addr(&r->s->c.client, out);
}

static void get_server(const struct row *r, char out[COLUMN_TEXT_MAX])
{
	*out = '\0';
	if (r->s->c.upstream.family)
		names_addr(&r->s->c.upstream, out);
}

#define N(name, title, kind, weight, about)                                                                  \
	{                                                                                                    \
#name, title, about, kind, 0, weight, get_##name, NULL                                       \
	}
#define T(name, title, least, weight, about)                                                                 \
	{                                                                                                    \
#name, title, about, COLUMN_TEXT, least, weight, NULL, get_##name                            \
	}
#define A(name, title, weight, about)                                                                        \
	{                                                                                                    \
#name, title, about, COLUMN_ADDRESS, 12, weight, NULL, get_##name                            \
	}

const struct column columns[] = {
	N(id, "ID", COLUMN_NUMBER, 0,
		"the stream's number, unique for the daemon's life; as in the access log"),
	T(lane, "LANE", 0, 90, "who carries the body: splice (the kernel), copy (the relay), tunnel"),
	T(reason, "WHY", 8, 40, "why not a better lane"),
	T(state, "STATE", 0, 35, "step of its life: read_request … splice, drain"),
	A(client, "CLIENT", 70, "address of the client, behind PROXY protocol"),
	T(route, "ROUTE", 8, 60, "the route that matched"),
	T(upstream, "UPSTREAM", 8, 36, "the upstream's name"),
	A(server, "SERVER", 36, "its server's address"),
	T(method, "METHOD", 0, 20, "GET, POST, …"),
	T(host, "HOST", 8, 20, "as the client asked for it"),
	T(path, "PATH", 8, 20, "without the query"),
	T(request, "REQUEST", 12, 30, "method, host and path"),
	N(status, "STATUS", COLUMN_NUMBER, 20, "of the answer"),
	T(proto, "PROTO", 0, 25, "the client's side: h1.0, h1.1 or h2, with +tls"),
	N(age, "AGE", COLUMN_AGE, 85, "since the request's first byte"),
	N(last, "LAST", COLUMN_AGE, 88,
		"since the last byte from the upstream: for an event stream, since the last event"),
	N(sent, "SENT", COLUMN_AGE, 30, "since the client's socket last took a byte"),
	N(head, "HEAD", COLUMN_MICROS, 22, "from the request to the answer's head"),
	N(first, "FIRST", COLUMN_MICROS, 23, "from the request to the first event"),
	N(events, "EVENTS", COLUMN_NUMBER, 80, "events carried"),
	N(chunks, "CHUNKS", COLUMN_NUMBER, 15, "chunks from the upstream"),
	N(bytes, "BYTES", COLUMN_BYTES, 75, "written to the client"),
	N(in, "IN", COLUMN_BYTES, 15, "read from the upstream"),
	N(spliced, "SPLICED", COLUMN_BYTES, 15, "of those, carried by the kernel since it was hooked"),
	N(rate, "RATE", COLUMN_RATE, 78, "bytes a second to the client, at this moment"),
	N(pace, "EV/S", COLUMN_PACE, 76, "events a second, at this moment"),
	N(pending, "PENDING", COLUMN_BYTES, 86, "bytes in the relay that the client has not taken"),
	N(pendmax, "PENDMAX", COLUMN_BYTES, 33, "the most that ever were"),
	N(blocked, "BLOCKED", COLUMN_AGE, 34, "since when the client's socket takes nothing"),
	N(lag, "LAG", COLUMN_AGE, 87,
		"since when the client takes nothing although bytes wait, in the relay or the socket"),
	N(sndbuf, "SNDBUF", COLUMN_BYTES, 32, "the client's send buffer"),
	N(unsent, "UNSENT", COLUMN_BYTES, 45, "bytes in the socket that TCP has not sent"),
	N(unacked, "UNACKED", COLUMN_BYTES, 44, "bytes sent that the client's TCP has not acknowledged"),
	N(queued, "QUEUED", COLUMN_AGE, 43, "for how long those have got no further"),
	N(srtt, "SRTT", COLUMN_MICROS, 42, "smoothed round trip to the client"),
	N(retrans, "RETRANS", COLUMN_NUMBER, 15, "segments sent again"),
	N(spills, "SPILLS", COLUMN_NUMBER, 31, "times that lag took it off the splice lane"),
	N(flips, "FLIPS", COLUMN_NUMBER, 14, "changes of lane"),
	N(hearts, "HEARTS", COLUMN_NUMBER, 28, "heartbeats written"),
	N(drops, "DROPS", COLUMN_NUMBER, 27, "times that the policy drop acted"),
	N(dropped, "DROPPED", COLUMN_NUMBER, 29, "events that it left out"),
	N(requests, "REQS", COLUMN_NUMBER, 12, "requests on this client connection so far"),
	N(worker, "WORKER", COLUMN_NUMBER, 13, "the worker that has it"),
};
const size_t ncolumns = ARRAY_LEN(columns);

void columns_say(FILE *to)
{
	fputs("\ncolumns:\n", to);
	for (size_t i = 0; i < ncolumns; i++)
		fprintf(to, "  %-22s %s\n", columns[i].name, columns[i].about);
}

const struct column *column_find(const char *name, size_t n)
{
	for (size_t i = 0; i < ncolumns; i++)
		if (strlen(columns[i].name) == n && memcmp(columns[i].name, name, n) == 0)
			return &columns[i];
	return NULL;
}

bool column_is_rate(const struct column *col)
{
	return col->kind == COLUMN_RATE || col->kind == COLUMN_PACE;
}

const char *column_format(const struct column *col, const struct row *r, char out[COLUMN_TEXT_MAX])
{
	uint64_t n;

	if (col->text) {
		col->text(r, out);
		return out;
	}
	n = col->number(r);
	if (n == ROW_NEVER)
		return strcpy(out, "-");
	switch (col->kind) {
	case COLUMN_BYTES:
	case COLUMN_RATE:
		return units_bytes(n, out);
	case COLUMN_AGE:
		/* A lag of nothing is no age. */
		return n || (col->number != get_lag && col->number != get_blocked &&
				    col->number != get_queued)
			       ? units_age(n, out)
			       : strcpy(out, "-");
	case COLUMN_MICROS:
		return units_us(n, out);
	case COLUMN_PACE:
		snprintf(out, COLUMN_TEXT_MAX, n < 100000 ? "%.1f" : "%.0f", (double)n / 1000);
		return out;
	default:
		if (col->number == get_id)
			snprintf(out, COLUMN_TEXT_MAX, "%llu", (unsigned long long)n);
		else
			units_count(n, out);
		return out;
	}
}

enum mood column_mood(const struct column *col, const struct row *r)
{
	uint64_t n = col->number ? col->number(r) : 0;

	if (col->text == get_lane)
		return r->s->c.lane == SLUICE_LANE_SPLICE ? MOOD_GOOD : MOOD_PLAIN;
	if (col->number == get_lag || col->number == get_blocked || col->number == get_queued)
		return n == ROW_NEVER || n < SLOW_MS ? MOOD_PLAIN : n < STALLED_MS ? MOOD_WARN : MOOD_BAD;
	if (col->number == get_dropped || col->number == get_drops)
		return n ? MOOD_BAD : MOOD_FAINT;
	if (col->number == get_pending)
		return n ? MOOD_WARN : MOOD_FAINT;
	return col->number && (n == ROW_NEVER || (n == 0 && col->kind != COLUMN_AGE)) ? MOOD_FAINT
										      : MOOD_PLAIN;
}
