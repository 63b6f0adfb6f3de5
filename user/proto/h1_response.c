#include "proto/h1_fields.h"
#include "proto/h1_chars.h"

enum h1_rule h1_status_line(struct slice line, struct h1_response *ret)
{
	const char *space = line.n ? memchr(line.p, ' ', line.n) : NULL;
	struct slice code;

	if (!space)
		return H1_RULE_STATUS_LINE;
	switch (h1_version_parse((struct slice){line.p, (size_t)(space - line.p)}, &ret->minor)) {
	case 0:
		break;
	case -EPROTONOSUPPORT:
		return H1_RULE_STATUS_VERSION;
	default:
		return H1_RULE_STATUS_LINE;
	}
	code = (struct slice){space + 1, line.n - (size_t)(space + 1 - line.p)};
	/* The space behind the code is missing in many answers without a reason. */
	space = code.n ? memchr(code.p, ' ', code.n) : NULL;
	ret->reason = (struct slice){0};
	if (space) {
		ret->reason = (struct slice){space + 1, code.n - (size_t)(space + 1 - code.p)};
		code.n = (size_t)(space - code.p);
	}
	if (code.n == 0 || !h1_all(code, H1_C_DIGIT))
		return H1_RULE_STATUS_LINE;
	if (code.n != 3 || code.p[0] < '1' || code.p[0] > '5')
		return H1_RULE_STATUS_CODE;
	ret->status = (uint16_t)((code.p[0] - '0') * 100 + (code.p[1] - '0') * 10 + (code.p[2] - '0'));
	return H1_OK;
}

static void cache_control_read(struct slice list, struct h1_response *resp)
{
	struct slice member;

	resp->has_cache_control = true;
	while (h1_list_next(&list, &member))
		if (slice_eq_nocase(member, SLICE("no-transform")))
			resp->no_transform = true;
}

static void content_coding_read(struct slice list, struct h1_response *resp)
{
	struct slice member;

	while (h1_list_next(&list, &member))
		if (!slice_eq_nocase(member, SLICE("identity")))
			resp->encoded = true;
}

static void fields_read(struct h1_response *resp)
{
	for (size_t i = 0; i < resp->nfields; i++) {
		struct slice value = resp->fields[i].value;

		switch (resp->fields[i].id) {
		case H1_F_CONTENT_TYPE:
			if (slice_eq_nocase(h1_list_word(value), SLICE("text/event-stream")))
				resp->event_stream = true;
			break;
		case H1_F_X_ACCEL_BUFFERING:
			if (slice_eq_nocase(value, SLICE("no")))
				resp->x_accel_no = true;
			break;
		case H1_F_CONTENT_ENCODING:
			content_coding_read(value, resp);
			break;
		case H1_F_CACHE_CONTROL:
			cache_control_read(value, resp);
			break;
		default:
			break;
		}
	}
}

/* RFC 9112 6.3. What the fields say is checked even where there is no body to frame. */
static enum h1_rule body_read(struct h1_response *resp, enum h1_method request_method)
{
	struct h1_lengths lengths;
	enum h1_rule rule = h1_lengths_read(resp->fields, resp->nfields, resp->minor, &lengths);

	if (rule)
		return rule;
	resp->has_length = lengths.has_length;
	resp->content_length = lengths.length;
	if (request_method == H1_HEAD || resp->status < 200 || resp->status == 204 || resp->status == 304)
		resp->framing = H1_BODY_NONE;
	else if (lengths.chunked)
		resp->framing = H1_BODY_CHUNKED;
	else
		resp->framing = lengths.has_length ? H1_BODY_LENGTH : H1_BODY_CLOSE;
	return H1_OK;
}

static enum h1_rule connection_read(struct h1_response *resp)
{
	struct h1_connection conn;
	enum h1_rule rule = h1_connection_read(resp->fields, resp->nfields, &conn);

	if (rule)
		return rule;
	resp->keep_alive = !conn.close && (resp->minor == 1 || conn.keep_alive) &&
			   resp->framing != H1_BODY_CLOSE && resp->status != 101;
	if (resp->status == 101 && conn.upgrade)
		resp->upgrade = h1_upgrade_value(resp->fields, resp->nfields);
	return H1_OK;
}

enum h1_rule h1_response_parse(
	const char *p, size_t n, enum h1_method request_method, struct h1_response *ret)
{
	const char *cr = memchr(p, '\r', n);
	size_t line = cr ? (size_t)(cr - p) : n;
	enum h1_rule rule;

	if (line + 2 > n)
		return H1_RULE_STATUS_LINE;
	memset(ret, 0, offsetof(struct h1_response, fields)); /* the fields are written before use */
	ret->nfields = 0;
	rule = h1_status_line((struct slice){p, line}, ret);
	if (!rule)
		rule = h1_fields_parse(p + line + 2, n - line - 2, ret->fields, &ret->nfields);
	if (!rule)
		rule = body_read(ret, request_method);
	if (!rule)
		rule = connection_read(ret);
	if (!rule)
		fields_read(ret);
	return rule;
}
