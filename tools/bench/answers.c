#include "origin.h"
#include "base/clock.h"
#include <stdio.h>

static void send_answer(struct conn *c, const struct request *r, const char *status, const char *type,
	const char *more, struct slice body)
{
	char head[512];
	int n = snprintf(head, sizeof(head),
		"HTTP/1.1 %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\nCache-Control: "
		"no-store\r\n%s%s\r\n",
		status, type, body.n, more, r->keep_alive ? "" : "Connection: close\r\n");

	conn_send(c, head, (size_t)n);
	if (r->method != REQUEST_HEAD_ONLY)
		conn_send(c, body.p, body.n);
}

static void answer_page(struct conn *c, const struct request *r)
{
	/* Both fields isolate the page, which makes the browser's clock fine enough to show microseconds. */
	send_answer(c, r, "200 OK", "text/html; charset=utf-8",
		"Cross-Origin-Opener-Policy: same-origin\r\nCross-Origin-Embedder-Policy: require-corp\r\n",
		page_html());
}

/* Of all processes. */
static void sum_up(const struct origin *o, struct origin_stats *ret)
{
	memset(ret, 0, sizeof(*ret));
	for (unsigned i = 0; i < o->processes; i++) {
		const struct origin_stats *one = &o->shared->stats[i];

		ret->streams += one->streams;
		ret->streams_ever += one->streams_ever;
		ret->events += one->events;
		ret->skipped += one->skipped;
		hist_merge(&ret->late, &one->late);
	}
}

/* The origin's own figures, and its clock: the page measures the two clocks' distance with it. */
static void answer_json(struct conn *c, const struct request *r)
{
	static struct origin_stats sum; /* large: it holds a histogram */
	struct origin *o = c->origin;
	struct slice reset;
	char text[512];
	int n;

	sum_up(o, &sum);
	n = snprintf(text, sizeof(text),
		"{\"server\":\"sluice-bench origin\",\"version\":\"%s\",\"now_ns\":%llu,\"streams\":%llu,"
		"\"streams_ever\":%llu,\"events\":%llu,\"skipped\":%llu,\"late_ns\":{\"p50\":%llu,\"p99\":%"
		"llu,"
		"\"max\":%llu}}\n",
		SLUICE_VERSION, (unsigned long long)clock_mono_ns(), (unsigned long long)sum.streams,
		(unsigned long long)sum.streams_ever, (unsigned long long)sum.events,
		(unsigned long long)sum.skipped, (unsigned long long)hist_quantile(&sum.late, 0.5),
		(unsigned long long)hist_quantile(&sum.late, 0.99), (unsigned long long)sum.late.max);
	send_answer(c, r, "200 OK", "application/json", "", (struct slice){text, (size_t)n});
	if (!request_query(r->query, SLICE("reset"), &reset))
		return;
	for (unsigned i = 0; i < o->processes; i++)
		memset(&o->shared->stats[i].late, 0, sizeof(sum.late));
}

/* [[tag, ns], …]: when which tagged stream was over, by this machine's CLOCK_MONOTONIC. */
static void answer_closes(struct conn *c, const struct request *r)
{
	const struct origin_shared *o = c->origin->shared;
	_cleanup_buf_ struct buf b = {0};
	size_t n = MIN((size_t)o->close_count, (size_t)ORIGIN_CLOSES_MAX);
	int err = buf_append(&b, "[", 1);

	for (size_t i = 0; !err && i < n; i++)
		err = buf_printf(&b, "%s[%llu,%llu]", i ? "," : "", (unsigned long long)o->closes[i].tag,
			(unsigned long long)o->closes[i].t_ns);
	if (!err)
		err = buf_append(&b, "]\n", 2);
	if (err)
		conn_close(c);
	else
		send_answer(c, r, "200 OK", "application/json", "", buf_slice(&b));
}

/* Says the head; the body goes back as it comes (conn.c). */
static void answer_echo(struct conn *c, const struct request *r)
{
	struct slice type = r->type.n && r->type.n < 200 ? r->type : SLICE("application/octet-stream");
	char head[512], framing[64];
	int n;

	snprintf(framing, sizeof(framing), "Content-Length: %llu", (unsigned long long)r->length);
	n = snprintf(head, sizeof(head), "HTTP/1.1 200 OK\r\nContent-Type: %.*s\r\n%s\r\n%s\r\n",
		SLICE_FMT(type), r->chunked ? "Transfer-Encoding: chunked" : framing,
		r->keep_alive ? "" : "Connection: close\r\n");
	conn_send(c, head, (size_t)n);
	c->echo = true;
}

void answer_request(struct conn *c, const struct request *r)
{
	struct slice path = r->path;

	if (r->method == REQUEST_OTHER) {
		send_answer(c, r, "405 Method Not Allowed", "text/plain", "Allow: GET, HEAD, POST\r\n",
			SLICE(""));
	} else if (slice_eq(path, SLICE("/events"))) {
		stream_start(c, r);
	} else if (slice_eq(path, SLICE("/"))) {
		answer_page(c, r);
	} else if (slice_eq(path, SLICE("/json"))) {
		answer_json(c, r);
	} else if (slice_eq(path, SLICE("/closes"))) {
		answer_closes(c, r);
	} else if (slice_eq(path, SLICE("/healthz"))) {
		send_answer(c, r, "200 OK", "text/plain", "", SLICE("ok\n"));
	} else if (slice_eq(path, SLICE("/echo")) && r->method == REQUEST_POST) {
		answer_echo(c, r);
	} else {
		send_answer(c, r, "404 Not Found", "text/plain", "",
			SLICE("The origin has /, /events, /json, /closes, /echo (POST) and /healthz.\n"));
	}
}
