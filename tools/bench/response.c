#include "response.h"

void response_init(struct response *r)
{
	*r = (struct response){.head.max = RESPONSE_HEAD_MAX};
}

void response_done(struct response *r)
{
	buf_reset(&r->head);
}

void response_drop_head(struct response *r)
{
	buf_reset(&r->head);
}

struct slice response_field(const struct response *r, struct slice name)
{
	const char *p = r->head.data, *end = p + r->head.len;

	while (p && p < end) {
		const char *eol = memchr(p, '\n', (size_t)(end - p));
		struct slice line = {p, (size_t)((eol ? eol : end) - p)};
		const char *colon = memchr(line.p, ':', line.n);

		if (line.n && line.p[line.n - 1] == '\r')
			line.n--;
		if (colon && slice_eq_nocase((struct slice){line.p, (size_t)(colon - line.p)}, name))
			return slice_trim((struct slice){colon + 1, line.n - (size_t)(colon + 1 - line.p)});
		p = eol ? eol + 1 : end;
	}
	return (struct slice){NULL, 0};
}

static bool parse_length(struct slice s, uint64_t *ret)
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

/* "HTTP/1.x SSS": the status, or 0 when the line is something else. */
static uint16_t parse_status(struct slice head)
{
	const char *p = head.p;

	if (head.n < 13 || memcmp(p, "HTTP/1.", 7) || p[8] != ' ')
		return 0;
	for (int i = 9; i < 12; i++)
		if (p[i] < '0' || p[i] > '9')
			return 0;
	return (uint16_t)((p[9] - '0') * 100 + (p[10] - '0') * 10 + (p[11] - '0'));
}

static enum response_state head_done(struct response *r)
{
	static const struct slice sse = SLICE("text/event-stream");
	struct slice type, coding, length;
	uint16_t status = parse_status(buf_slice(&r->head));

	if (status < 100)
		return RESPONSE_BAD;
	if (status < 200 && status != 101) {
		r->head.len = 0;
		return RESPONSE_HEAD;
	}
	type = response_field(r, SLICE("Content-Type"));
	coding = response_field(r, SLICE("Transfer-Encoding"));
	length = response_field(r, SLICE("Content-Length"));
	if (coding.n && (length.n || !slice_eq_nocase(coding, SLICE("chunked"))))
		return RESPONSE_BAD;
	if (length.n && !parse_length(length, &r->left))
		return RESPONSE_BAD;
	r->status = status;
	r->chunked = coding.n > 0;
	r->has_length = length.n > 0;
	r->event_stream = type.n >= sse.n && slice_eq_nocase((struct slice){type.p, sse.n}, sse);
	if (status == 204 || status == 304 || (r->has_length && !r->left))
		return RESPONSE_END;
	return RESPONSE_BODY;
}

/* Takes head bytes up to the empty line. */
static size_t next_head(struct response *r, const char *p, size_t n)
{
	size_t old = r->head.len, from = old > 3 ? old - 3 : 0;
	const char *end;

	if (buf_append(&r->head, p, n)) {
		r->state = RESPONSE_BAD;
		return n;
	}
	end = memmem(r->head.data + from, r->head.len - from, "\r\n\r\n", 4);
	if (!end)
		return n;
	r->head.len = (size_t)(end + 4 - r->head.data);
	n = r->head.len - old;
	r->state = (uint8_t)head_done(r);
	return n;
}

static size_t next_body(struct response *r, const char *p, size_t n, struct slice *ret_body)
{
	if (r->chunked) {
		size_t used = dechunk_next(&r->chunk, p, n, ret_body);

		if (r->chunk.state == DECHUNK_BAD)
			r->state = RESPONSE_BAD;
		else if (r->chunk.state == DECHUNK_END)
			r->state = RESPONSE_END;
		return used;
	}
	if (r->has_length) {
		n = (size_t)MIN((uint64_t)n, r->left);
		r->left -= n;
		if (!r->left)
			r->state = RESPONSE_END;
	}
	*ret_body = (struct slice){p, n};
	return n;
}

size_t response_next(struct response *r, const char *p, size_t n, struct slice *ret_body)
{
	*ret_body = (struct slice){NULL, 0};
	if (r->state == RESPONSE_HEAD)
		return next_head(r, p, n);
	if (r->state == RESPONSE_BODY)
		return next_body(r, p, n, ret_body);
	return 0;
}

bool response_eof(const struct response *r)
{
	return r->state == RESPONSE_END || (r->state == RESPONSE_BODY && !r->chunked && !r->has_length);
}
