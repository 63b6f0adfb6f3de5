#include "proto/h2_request.h"
#include "proto/h1_chars.h"
#include "proto/h1_fields.h"

#define FIELD_OVERHEAD 32 /* RFC 9113 6.5.2 */
#define LINE_REST      (sizeof("  HTTP/1.1") - 1)

void h2_fields_init(struct h2_fields *f, int32_t id, bool trailers, uint32_t max_list)
{
	memset(f, 0, sizeof(*f));
	f->id = id;
	f->trailers = trailers;
	f->max = max_list;
	f->cookie = -1;
	f->text.max = 2 * (size_t)max_list + LINE_REST; /* the request line is put behind the fields */
	f->cookies.max = max_list;
}

void h2_fields_done(struct h2_fields *f)
{
	buf_reset(&f->text);
	buf_reset(&f->cookies);
}

static struct slice span_slice(const struct h2_fields *f, struct h2_span span)
{
	return (struct slice){f->text.data + span.at, span.n};
}

static enum h1_rule store(struct h2_fields *f, struct slice s, struct h2_span *ret)
{
	*ret = (struct h2_span){(uint32_t)f->text.len, (uint32_t)s.n};
	if (s.n && buf_append(&f->text, s.p, s.n) < 0) {
		f->failed = true;
		return H1_RULE_HEAD_TOO_LARGE;
	}
	return H1_OK;
}

static enum h1_rule value_check(struct slice v)
{
	if (h1_skip_text(v.p, 0, v.n) != v.n)
		return H1_RULE_H2_VALUE_BYTE;
	return slice_trim(v).n == v.n ? H1_OK : H1_RULE_H2_VALUE_SPACE;
}

static enum h1_rule name_check(struct slice name)
{
	if (name.n == 0)
		return H1_RULE_NAME_EMPTY;
	if (!h1_is_token(name))
		return H1_RULE_NAME_MALFORMED;
	for (size_t i = 0; i < name.n; i++)
		if (name.p[i] >= 'A' && name.p[i] <= 'Z')
			return H1_RULE_H2_NAME_UPPERCASE;
	return H1_OK;
}

static enum h1_rule pseudo_add(struct h2_fields *f, struct slice name, struct slice value)
{
	static const struct slice names[H2_PSEUDO_COUNT] = {
		[H2_METHOD] = {":method", 7},
		[H2_SCHEME] = {":scheme", 7},
		[H2_AUTHORITY] = {":authority", 10},
		[H2_PATH] = {":path", 5},
	};
	unsigned which = 0;

	if (f->trailers)
		return H1_RULE_H2_TRAILERS;
	if (f->regular)
		return H1_RULE_H2_PSEUDO_ORDER;
	if (slice_eq(name, SLICE(":protocol"))) /* extended CONNECT, RFC 8441 */
		return H1_RULE_CONNECT;
	while (which < H2_PSEUDO_COUNT && !slice_eq(name, names[which]))
		which++;
	if (which == H2_PSEUDO_COUNT)
		return H1_RULE_H2_PSEUDO_UNKNOWN;
	if (f->seen & (1 << which))
		return H1_RULE_H2_PSEUDO_REPEATED;
	f->seen |= (uint8_t)(1 << which);
	return store(f, value, &f->pseudo[which]);
}

static enum h1_rule field_check(enum h1_field_id id, struct slice name, struct slice value)
{
	enum h1_field_id like;

	switch (id) {
	case H1_F_CONNECTION:
	case H1_F_KEEP_ALIVE:
	case H1_F_PROXY_CONNECTION:
	case H1_F_TRANSFER_ENCODING:
	case H1_F_UPGRADE:
		return H1_RULE_H2_CONNECTION_FIELD;
	case H1_F_TE:
		return slice_eq_nocase(value, SLICE("trailers")) ? H1_OK : H1_RULE_H2_TE;
	case H1_F_OTHER:
		like = h1_field_lookalike(name);
		if (like == H1_F_CONTENT_LENGTH || like == H1_F_TRANSFER_ENCODING)
			return H1_RULE_FRAMING_LOOKALIKE;
		return H1_OK;
	default:
		return H1_OK;
	}
}

/* Browsers split cookies so that HPACK can index them: crumbs are one field, and count as one. */
static enum h1_rule crumb_add(struct h2_fields *f, struct slice value)
{
	int err = f->cookies.len ? buf_append(&f->cookies, "; ", 2) : 0;

	if (!err && value.n)
		err = buf_append(&f->cookies, value.p, value.n);
	f->failed = f->failed || err < 0;
	return err < 0 ? H1_RULE_HEAD_TOO_LARGE : H1_OK;
}

static enum h1_rule field_add(struct h2_fields *f, struct slice name, struct slice value)
{
	enum h1_field_id id = h1_field_lookup(name);
	enum h1_rule rule = field_check(id, name, value);

	f->regular = true;
	if (rule || f->trailers)
		return rule;
	if (id == H1_F_COOKIE && f->cookie >= 0)
		return crumb_add(f, value);
	if (f->n == H1_MAX_FIELDS)
		return H1_RULE_TOO_MANY_FIELDS;
	if (id == H1_F_COOKIE) {
		f->cookie = (int)f->n;
		rule = crumb_add(f, value);
		value.n = 0;
	}
	f->fields[f->n].id = id;
	if (!rule)
		rule = store(f, name, &f->fields[f->n].name);
	if (!rule)
		rule = store(f, value, &f->fields[f->n].value);
	f->n += !rule;
	return rule;
}

void h2_fields_add(struct h2_fields *f, struct slice name, struct slice value)
{
	size_t size = name.n + value.n + FIELD_OVERHEAD;

	if (f->rule)
		return;
	if (size > f->max - f->list) {
		f->rule = H1_RULE_HEAD_TOO_LARGE;
		return;
	}
	f->list += (uint32_t)size;
	if (name.n && name.p[0] == ':')
		f->rule = value_check(value);
	else if (!(f->rule = name_check(name)))
		f->rule = value_check(value);
	if (f->rule)
		return;
	f->rule = name.p[0] == ':' ? pseudo_add(f, name, value) : field_add(f, name, value);
}

/* The request line as HTTP/1.1 would have it, so that one parser judges both. */
static enum h1_rule line_parse(struct h2_fields *f, struct h1_request *req)
{
	const struct slice version = SLICE(" HTTP/1.1");
	struct slice method = span_slice(f, f->pseudo[H2_METHOD]), path = span_slice(f, f->pseudo[H2_PATH]);
	size_t n = method.n + 1 + path.n + version.n;
	char *line = f->text.data + f->text.len; /* room was made */

	memcpy(line, method.p, method.n);
	line[method.n] = ' ';
	memcpy(line + method.n + 1, path.p, path.n);
	memcpy(line + method.n + 1 + path.n, version.p, version.n);
	f->text.len += n;
	return h1_request_line((struct slice){line, n}, req);
}

static enum h1_rule pseudo_check(const struct h2_fields *f)
{
	const unsigned needed = 1 << H2_METHOD | 1 << H2_SCHEME | 1 << H2_PATH;
	struct slice method = span_slice(f, f->pseudo[H2_METHOD]), path = span_slice(f, f->pseudo[H2_PATH]),
		     scheme = span_slice(f, f->pseudo[H2_SCHEME]);

	if (slice_eq(method, SLICE("CONNECT")))
		return H1_RULE_CONNECT;
	if ((f->seen & needed) != needed)
		return H1_RULE_H2_PSEUDO_MISSING;
	if (!h1_is_token(method))
		return H1_RULE_METHOD_MALFORMED;
	if (!slice_eq_nocase(scheme, SLICE("http")) && !slice_eq_nocase(scheme, SLICE("https")))
		return H1_RULE_H2_SCHEME;
	if (path.n == 0)
		return H1_RULE_H2_PATH;
	if (path.p[0] != '/' && !(slice_eq(path, SLICE("*")) && slice_eq(method, SLICE("OPTIONS"))))
		return H1_RULE_H2_PATH;
	if (!h1_all(path, H1_C_TARGET))
		return H1_RULE_TARGET_CHARS;
	return method.n + path.n + LINE_REST > H1_MAX_LINE ? H1_RULE_LINE_TOO_LONG : H1_OK;
}

/* Fills the fields, and takes `host` out of them: it says the same as req->host. */
static enum h1_rule fields_fill(struct h2_fields *f, struct h1_request *req)
{
	struct slice host = {0}, authority = span_slice(f, f->pseudo[H2_AUTHORITY]);
	bool has_host = false, has_authority = f->seen & (1 << H2_AUTHORITY);

	for (unsigned i = 0; i < f->n; i++) {
		struct h1_field *to = &req->fields[req->nfields];
		enum h1_field_id id = f->fields[i].id;
		struct slice value = span_slice(f, f->fields[i].value);

		if ((int)i == f->cookie)
			value = buf_slice(&f->cookies);
		if (id == H1_F_HOST) {
			if (has_host)
				return H1_RULE_HOST_REPEATED;
			has_host = true;
			host = value;
			continue;
		}
		*to = (struct h1_field){.name = span_slice(f, f->fields[i].name),
			.value = value,
			.id = id,
			.hop_by_hop = id == H1_F_TE || id == H1_F_PROXY_AUTHORIZATION ||
				      id == H1_F_PROXY_AUTHENTICATE};
		if (slice_eq(to->name, SLICE("priority")))
			f->priority = value;
		req->nfields++;
	}
	if (!has_host && !has_authority)
		return H1_RULE_HOST_MISSING;
	if (has_host && has_authority && !slice_eq_nocase(host, authority))
		return H1_RULE_H2_AUTHORITY_HOST;
	req->host = has_authority ? authority : host;
	return h1_authority_ok(req->host) ? H1_OK : H1_RULE_HOST_MALFORMED;
}

static enum h1_rule framing_read(struct h1_request *req, bool end_stream)
{
	struct h1_lengths lengths;
	enum h1_rule rule = h1_lengths_read(req->fields, req->nfields, 1, &lengths);

	if (rule)
		return rule;
	if (end_stream && lengths.length > 0)
		return H1_RULE_H2_LENGTH;
	req->content_length = lengths.length;
	req->framing = lengths.has_length ? H1_BODY_LENGTH : end_stream ? H1_BODY_NONE : H1_BODY_CHUNKED;
	return h1_expect_read(req);
}

enum h1_rule h2_fields_finish(struct h2_fields *f, bool end_stream, struct h1_request *req)
{
	if (!f->rule && f->trailers && !end_stream)
		f->rule = H1_RULE_H2_TRAILERS;
	if (!f->rule && !f->trailers &&
		buf_reserve(&f->text, f->pseudo[H2_METHOD].n + f->pseudo[H2_PATH].n + LINE_REST) < 0)
		f->failed = true;
	if (f->rule || f->failed || f->trailers)
		return f->rule;
	memset(req, 0, offsetof(struct h1_request, fields));
	req->nfields = 0;
	f->rule = pseudo_check(f);
	if (!f->rule)
		f->rule = line_parse(f, req);
	if (!f->rule)
		f->rule = fields_fill(f, req);
	if (!f->rule)
		f->rule = framing_read(req, end_stream);
	if (f->rule)
		return f->rule;
	req->http2 = req->keep_alive = true;
	req->accepts_event_stream = h1_accepts_event_stream(req->fields, req->nfields);
	return H1_OK;
}
