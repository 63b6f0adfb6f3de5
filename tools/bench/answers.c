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

/* The origin's own figures, and its clock: the page measures the two clocks' distance with it. */
static void answer_json(struct conn *c, const struct request *r)
{
	struct origin *o = c->origin;
	struct slice reset;
	char text[512];
	int n = snprintf(text, sizeof(text),
		"{\"server\":\"sluice-bench origin\",\"version\":\"%s\",\"now_ns\":%llu,\"streams\":%llu,"
		"\"streams_ever\":%llu,\"events\":%llu,\"skipped\":%llu,\"late_ns\":{\"p50\":%llu,\"p99\":%"
		"llu,"
		"\"max\":%llu}}\n",
		SLUICE_VERSION, (unsigned long long)clock_mono_ns(), (unsigned long long)o->streams,
		(unsigned long long)o->streams_ever, (unsigned long long)o->events,
		(unsigned long long)o->skipped, (unsigned long long)hist_quantile(&o->late, 0.5),
		(unsigned long long)hist_quantile(&o->late, 0.99), (unsigned long long)o->late.max);

	send_answer(c, r, "200 OK", "application/json", "", (struct slice){text, (size_t)n});
	if (request_query(r->query, SLICE("reset"), &reset))
		memset(&o->late, 0, sizeof(o->late));
}

/* [[tag, ns], …]: when which tagged stream was over, by this machine's CLOCK_MONOTONIC. */
static void answer_closes(struct conn *c, const struct request *r)
{
	struct origin *o = c->origin;
	_cleanup_buf_ struct buf b = {0};
	int err = buf_append(&b, "[", 1);

	for (size_t i = 0; !err && i < o->close_count; i++)
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
