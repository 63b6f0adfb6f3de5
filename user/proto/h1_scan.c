#include "proto/h1_fields.h"
#include "proto/h1_chars.h"

#define TLS_HANDSHAKE 0x16 /* first byte of a TLS record that may hold a ClientHello */

/* The first byte of a message, and the empty line that may stand before a request. Returns with scan->started
 * false when more bytes are needed. */
static enum h1_rule scan_begin(struct h1_scan *scan, enum h1_kind kind, const char *p, size_t n)
{
	while (scan->at < n) {
		unsigned char c = (unsigned char)p[scan->at];

		if (kind == H1_RESPONSE && c != 'H')
			return H1_RULE_STATUS_LINE;
		if (c == '\n')
			return H1_RULE_BARE_LF;
		if (c == TLS_HANDSHAKE)
			return H1_RULE_TLS_ON_PLAIN;
		if (c != '\r') {
			scan->started = true;
			return h1_is(c, H1_C_TOKEN) ? H1_OK : H1_RULE_NOT_HTTP;
		}
		if (scan->at + 1 == n)
			return H1_OK;
		if (p[scan->at + 1] != '\n')
			return H1_RULE_BARE_CR;
		if (scan->skip)
			return H1_RULE_EMPTY_LINES;
		scan->skip = scan->at = scan->line_start = 2;
	}
	return H1_OK;
}

/* A first line that cannot be right is refused when it ends, not when the head does: what sends it (HTTP/0.9,
 * SSH, HTTP/2) may wait for an answer and never send the rest. The usual line passes by its last nine bytes.
 */
static enum h1_rule first_line_ok(enum h1_kind kind, struct slice line)
{
	if (kind == H1_REQUEST) {
		struct h1_request req;

		if (line.n > 9 && memcmp(line.p + line.n - 9, " HTTP/1.", 8) == 0)
			return H1_OK;
		return h1_request_line(line, &req);
	}
	struct h1_response resp;

	return h1_status_line(line, &resp);
}

static enum h1_rule bad_byte(char c)
{
	if (c == '\n')
		return H1_RULE_BARE_LF;
	return c == 0 ? H1_RULE_NUL : H1_RULE_CONTROL;
}

static bool is_proxy_header(const struct h1_scan *scan, enum h1_kind kind, const char *p, size_t n)
{
	return kind == H1_REQUEST && scan->lines == 0 && n - scan->line_start >= 6 &&
	       memcmp(p + scan->line_start, "PROXY ", 6) == 0;
}

enum h1_rule h1_scan(struct h1_scan *scan, enum h1_kind kind, const char *p, size_t n, size_t *ret_len)
{
	size_t end = MIN(n, H1_MAX_HEAD);

	*ret_len = 0;
	if (!scan->started) {
		enum h1_rule rule = scan_begin(scan, kind, p, end);

		if (rule || !scan->started)
			return rule;
	}
	if (is_proxy_header(scan, kind, p, end))
		return H1_RULE_PROXY_HEADER;
	for (;;) {
		size_t at = h1_skip_text(p, scan->at, end);
		size_t len = at - scan->line_start;

		scan->at = (uint32_t)at;
		if (scan->lines == 0 && len > H1_MAX_LINE)
			return H1_RULE_LINE_TOO_LONG;
		if (at == end)
			break;
		if (p[at] != '\r')
			return bad_byte(p[at]);
		if (at + 1 == end)
			break;
		if (p[at + 1] != '\n')
			return H1_RULE_BARE_CR;
		scan->at = (uint32_t)at + 2;
		if (len == 0) {
			*ret_len = scan->at;
			return H1_OK;
		}
		if (scan->lines == 0) {
			enum h1_rule rule = first_line_ok(kind, (struct slice){p + scan->line_start, len});

			if (rule)
				return rule;
		}
		scan->line_start = scan->at;
		if (scan->lines++ == H1_MAX_FIELDS + 1)
			return H1_RULE_TOO_MANY_FIELDS;
	}
	return end == H1_MAX_HEAD ? H1_RULE_HEAD_TOO_LARGE : H1_OK;
}
