#include "request.h"

static bool to_number(struct slice s, uint64_t *ret)
{
	uint64_t v = 0;

	if (!s.n || s.n > 18)
		return false;
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] < '0' || s.p[i] > '9')
			return false;
		v = v * 10 + (uint64_t)(s.p[i] - '0');
	}
	*ret = v;
	return true;
}

static enum request_method to_method(struct slice s)
{
	if (slice_eq(s, SLICE("GET")))
		return REQUEST_GET;
	if (slice_eq(s, SLICE("HEAD")))
		return REQUEST_HEAD_ONLY;
	return slice_eq(s, SLICE("POST")) ? REQUEST_POST : REQUEST_OTHER;
}

/* Takes the bytes up to `sep` off the front of *s; all of it when there is none. */
static struct slice take_until(struct slice *s, char sep)
{
	const char *at = s->n ? memchr(s->p, sep, s->n) : NULL;
	struct slice front = {s->p, at ? (size_t)(at - s->p) : s->n};
	size_t used = front.n + (at ? 1 : 0);

	s->p += used;
	s->n -= used;
	return front;
}

static struct slice take_line(struct slice *s)
{
	struct slice line = take_until(s, '\n');

	if (line.n && line.p[line.n - 1] == '\r')
		line.n--;
	return line;
}

static int parse_line(struct slice line, struct request *r)
{
	struct slice target;

	r->method = to_method(take_until(&line, ' '));
	target = take_until(&line, ' ');
	if (!target.n || target.p[0] != '/' || line.n != 8 || memcmp(line.p, "HTTP/1.", 7) ||
		line.p[7] < '0' || line.p[7] > '1')
		return -EBADMSG;
	r->minor = (uint8_t)(line.p[7] - '0');
	r->keep_alive = r->minor == 1;
	r->path = take_until(&target, '?');
	r->query = target;
	return 0;
}

static int parse_field(struct slice line, struct request *r)
{
	struct slice name = take_until(&line, ':'), value = slice_trim(line);

	if (slice_eq_nocase(name, SLICE("Last-Event-ID"))) {
		if (!to_number(value, &r->last_event_id))
			r->last_event_id = 0;
	} else if (slice_eq_nocase(name, SLICE("Content-Length"))) {
		return to_number(value, &r->length) ? 0 : -EBADMSG;
	} else if (slice_eq_nocase(name, SLICE("Transfer-Encoding"))) {
		r->chunked = slice_eq_nocase(value, SLICE("chunked"));
		return r->chunked ? 0 : -EBADMSG;
	} else if (slice_eq_nocase(name, SLICE("Connection"))) {
		if (slice_eq_nocase(value, SLICE("close")))
			r->keep_alive = false;
		else if (slice_eq_nocase(value, SLICE("keep-alive")))
			r->keep_alive = true;
	} else if (slice_eq_nocase(name, SLICE("Content-Type"))) {
		r->type = value;
	} else if (slice_eq_nocase(name, SLICE("Expect"))) {
		r->expect = slice_eq_nocase(value, SLICE("100-continue"));
	}
	return 0;
}

int request_parse(const char *p, size_t n, struct request *ret, size_t *ret_len)
{
	const char *end = memmem(p, n, "\r\n\r\n", 4);
	struct request r = {0};
	struct slice rest;
	int err;

	if (!end) {
		*ret_len = 0;
		return n > REQUEST_HEAD_MAX ? -EMSGSIZE : 0;
	}
	rest = (struct slice){p, (size_t)(end + 2 - p)};
	err = parse_line(take_line(&rest), &r);
	while (!err && rest.n)
		err = parse_field(take_line(&rest), &r);
	if (!err && r.chunked && r.length)
		err = -EBADMSG;
	if (err)
		return err;
	*ret = r;
	*ret_len = (size_t)(end + 4 - p);
	return 0;
}

bool request_query(struct slice query, struct slice name, struct slice *ret)
{
	while (query.n) {
		struct slice pair = take_until(&query, '&');
		struct slice key = take_until(&pair, '=');

		if (slice_eq(key, name)) {
			*ret = pair;
			return true;
		}
	}
	return false;
}
