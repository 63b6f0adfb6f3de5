#include "proto/h1_fields.h"
#include "proto/h1_chars.h"

#define METHOD_MAX 32

static const struct {
	const char *name;
	enum h1_method method;
} methods[] = {
	{"GET", H1_GET},
	{"POST", H1_POST},
	{"HEAD", H1_HEAD},
	{"PUT", H1_PUT},
	{"DELETE", H1_DELETE},
	{"OPTIONS", H1_OPTIONS},
	{"PATCH", H1_PATCH},
	{"TRACE", H1_TRACE},
	{"CONNECT", H1_CONNECT},
};

static enum h1_rule method_parse(struct slice text, enum h1_method *ret)
{
	if (text.n > METHOD_MAX || !h1_all(text, H1_C_METHOD))
		return H1_RULE_METHOD_UNKNOWN;
	*ret = H1_METHOD_OTHER;
	for (size_t i = 0; i < ARRAY_LEN(methods); i++)
		if (slice_eq(text, slice_of(methods[i].name)))
			*ret = methods[i].method;
	if (*ret == H1_CONNECT)
		return H1_RULE_CONNECT;
	return *ret == H1_TRACE ? H1_RULE_TRACE : H1_OK;
}

static void split_query(struct slice rest, struct h1_request *req)
{
	const char *mark = rest.n ? memchr(rest.p, '?', rest.n) : NULL;

	req->path = rest;
	req->query = (struct slice){0};
	if (mark) {
		req->path.n = (size_t)(mark - rest.p);
		req->query = (struct slice){mark + 1, rest.n - req->path.n - 1};
	}
}

static size_t scheme_length(struct slice t)
{
	if (t.n >= 7 && strncasecmp(t.p, "http://", 7) == 0)
		return 7;
	return t.n >= 8 && strncasecmp(t.p, "https://", 8) == 0 ? 8 : 0;
}

static enum h1_rule absolute_parse(struct slice rest, struct h1_request *req)
{
	size_t len = 0;

	while (len < rest.n && rest.p[len] != '/' && rest.p[len] != '?')
		len++;
	req->host = (struct slice){rest.p, len};
	if (!h1_authority_ok(req->host))
		return H1_RULE_HOST_MALFORMED;
	req->absolute_form = true;
	split_query((struct slice){rest.p + len, rest.n - len}, req);
	if (req->path.n == 0) /* RFC 9112 3.2.1 and 3.2.4 */
		req->path = req->method == H1_OPTIONS && !req->query.p ? SLICE("*") : SLICE("/");
	return H1_OK;
}

static enum h1_rule target_parse(struct h1_request *req)
{
	struct slice t = req->target;
	size_t scheme;

	if (!h1_all(t, H1_C_TARGET))
		return H1_RULE_TARGET_CHARS;
	req->absolute_form = false;
	if (t.p[0] == '/') {
		split_query(t, req);
		return H1_OK;
	}
	if (slice_eq(t, SLICE("*")) && req->method == H1_OPTIONS) {
		split_query(t, req);
		return H1_OK;
	}
	scheme = scheme_length(t);
	if (!scheme)
		return H1_RULE_TARGET_FORM;
	return absolute_parse((struct slice){t.p + scheme, t.n - scheme}, req);
}

enum h1_rule h1_request_line(struct slice line, struct h1_request *req)
{
	const char *first = memchr(line.p, ' ', line.n), *last = memrchr(line.p, ' ', line.n);
	struct slice method = {line.p, first ? (size_t)(first - line.p) : line.n}, version;
	enum h1_rule rule;

	if (method.n == 0)
		return H1_RULE_REQUEST_LINE;
	if (!h1_is_token(method))
		return H1_RULE_METHOD_MALFORMED;
	if (!first)
		return H1_RULE_REQUEST_LINE;
	if (slice_eq(method, SLICE("PRI")))
		return H1_RULE_PRI;
	if (first == last)
		return H1_RULE_NO_VERSION;
	version = (struct slice){last + 1, line.n - (size_t)(last + 1 - line.p)};
	req->method_text = method;
	req->target = (struct slice){first + 1, (size_t)(last - first - 1)};
	if (req->target.n == 0 || memchr(req->target.p, ' ', req->target.n))
		return H1_RULE_REQUEST_LINE;
	switch (h1_version_parse(version, &req->minor)) {
	case 0:
		break;
	case -EPROTONOSUPPORT:
		return H1_RULE_VERSION;
	default:
		return H1_RULE_REQUEST_LINE;
	}
	rule = method_parse(method, &req->method);
	return rule ? rule : target_parse(req);
}

static enum h1_rule host_read(struct h1_request *req)
{
	const struct h1_field *host = NULL;

	for (size_t i = 0; i < req->nfields; i++) {
		if (req->fields[i].id != H1_F_HOST)
			continue;
		if (host)
			return H1_RULE_HOST_REPEATED;
		host = &req->fields[i];
	}
	if (!host)
		return req->minor == 0 ? H1_OK : H1_RULE_HOST_MISSING;
	if (!h1_authority_ok(host->value))
		return H1_RULE_HOST_MALFORMED;
	if (!req->absolute_form)
		req->host = host->value;
	return H1_OK;
}

static enum h1_rule body_read(struct h1_request *req)
{
	struct h1_lengths lengths;
	enum h1_rule rule = h1_lengths_read(req->fields, req->nfields, req->minor, &lengths);

	if (rule)
		return rule;
	req->framing = lengths.chunked ? H1_BODY_CHUNKED : lengths.has_length ? H1_BODY_LENGTH : H1_BODY_NONE;
	req->content_length = lengths.length;
	return H1_OK;
}

bool h1_accepts_event_stream(const struct h1_field *fields, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct slice list = fields[i].value, member;

		if (fields[i].id != H1_F_ACCEPT)
			continue;
		while (h1_list_next(&list, &member))
			if (slice_eq_nocase(h1_list_word(member), SLICE("text/event-stream")))
				return true;
	}
	return false;
}

static bool has_body(const struct h1_request *req)
{
	return req->framing == H1_BODY_CHUNKED || (req->framing == H1_BODY_LENGTH && req->content_length > 0);
}

enum h1_rule h1_expect_read(struct h1_request *req)
{
	const struct h1_field *expect = h1_field_find(req->fields, req->nfields, H1_F_EXPECT);

	if (!expect || req->minor == 0) /* RFC 9110 10.1.1: HTTP/1.0 expectations are ignored */
		return H1_OK;
	if (!slice_eq_nocase(expect->value, SLICE("100-continue")))
		return H1_RULE_EXPECT;
	req->expect_continue = has_body(req);
	return H1_OK;
}

static enum h1_rule connection_read(struct h1_request *req)
{
	struct h1_connection conn;
	enum h1_rule rule = h1_connection_read(req->fields, req->nfields, &conn);

	if (rule)
		return rule;
	req->keep_alive = !conn.close && (req->minor == 1 || conn.keep_alive);
	if (conn.upgrade && req->minor == 1 && !has_body(req))
		req->upgrade = h1_upgrade_value(req->fields, req->nfields);
	return h1_expect_read(req);
}

enum h1_rule h1_request_parse(const char *p, size_t n, struct h1_request *ret)
{
	const char *cr = memchr(p, '\r', n);
	size_t line = cr ? (size_t)(cr - p) : n;
	enum h1_rule rule;

	if (line + 2 > n)
		return H1_RULE_REQUEST_LINE;
	memset(ret, 0,
		offsetof(struct h1_request, fields)); /* the fields, 4 KiB of them, are written before use */
	ret->nfields = 0;
	rule = h1_request_line((struct slice){p, line}, ret);
	if (!rule)
		rule = h1_fields_parse(p + line + 2, n - line - 2, ret->fields, &ret->nfields);
	if (!rule)
		rule = host_read(ret);
	if (!rule)
		rule = body_read(ret);
	if (!rule)
		rule = connection_read(ret);
	if (!rule)
		ret->accepts_event_stream = h1_accepts_event_stream(ret->fields, ret->nfields);
	return rule;
}
