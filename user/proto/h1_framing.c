#include "proto/h1_fields.h"
#include "proto/h1_chars.h"

/* Fields that all recipients need: naming them in Connection is an attack on what stands behind (B13). */
static bool never_hop_by_hop(enum h1_field_id id)
{
	switch (id) {
	case H1_F_HOST:
	case H1_F_CONTENT_LENGTH:
	case H1_F_CONTENT_TYPE:
	case H1_F_CONTENT_ENCODING:
	case H1_F_CONTENT_RANGE:
	case H1_F_CACHE_CONTROL:
	case H1_F_X_FORWARDED_FOR:
	case H1_F_X_FORWARDED_PROTO:
	case H1_F_X_FORWARDED_HOST:
	case H1_F_FORWARDED:
	case H1_F_VIA:
		return true;
	default:
		return false;
	}
}

static void mark_named(struct h1_field *fields, size_t n, struct slice name)
{
	for (size_t i = 0; i < n; i++)
		if (slice_eq_nocase(fields[i].name, name) && !never_hop_by_hop(fields[i].id))
			fields[i].hop_by_hop = true;
}

enum h1_rule h1_connection_read(struct h1_field *fields, size_t n, struct h1_connection *ret)
{
	struct h1_connection found = {0};
	size_t members = 0;

	for (size_t i = 0; i < n; i++) {
		struct slice list = fields[i].value, member;

		if (fields[i].id != H1_F_CONNECTION)
			continue;
		while (h1_list_next(&list, &member)) {
			/* Each member is compared with every field: 64 KiB of commas must not buy CPU. */
			if (++members > H1_MAX_FIELDS)
				return H1_RULE_CONNECTION_MEMBERS;
			if (slice_eq_nocase(member, SLICE("close")))
				found.close = true;
			else if (slice_eq_nocase(member, SLICE("keep-alive")))
				found.keep_alive = true;
			else if (slice_eq_nocase(member, SLICE("upgrade")))
				found.upgrade = true;
			else
				mark_named(fields, n, member);
		}
	}
	*ret = found;
	return H1_OK;
}

static enum h1_rule length_parse(struct slice v, uint64_t *ret)
{
	uint64_t value = 0;

	if (v.n == 0 || !h1_all(v, H1_C_DIGIT))
		return H1_RULE_CL_MALFORMED;
	if (v.n > 19)
		return H1_RULE_CL_OVERFLOW;
	for (size_t i = 0; i < v.n; i++)
		value = value * 10 + (uint64_t)(v.p[i] - '0'); /* 19 digits fit */
	if (value > INT64_MAX)
		return H1_RULE_CL_OVERFLOW;
	*ret = value;
	return H1_OK;
}

static enum h1_rule coding_parse(struct slice v)
{
	struct slice list = v, member;
	size_t chunked = 0, others = 0;

	if (slice_eq_nocase(v, SLICE("chunked")))
		return H1_OK;
	while (h1_list_next(&list, &member)) {
		if (!h1_is_token(member))
			return H1_RULE_TE_MALFORMED;
		if (slice_eq_nocase(member, SLICE("chunked")))
			chunked++;
		else
			others++;
	}
	if (others)
		return H1_RULE_TE_UNKNOWN;
	/* "chunked," and ",chunked" are lists of one for some parsers and of two for others. */
	return chunked > 1 ? H1_RULE_TE_REPEATED : H1_RULE_TE_MALFORMED;
}

enum h1_rule h1_lengths_read(const struct h1_field *fields, size_t n, uint8_t minor, struct h1_lengths *ret)
{
	const struct h1_field *cl = NULL, *te = NULL;
	struct h1_lengths found = {0};
	size_t cls = 0, tes = 0;
	enum h1_rule rule = H1_OK;

	for (size_t i = 0; i < n; i++) {
		if (fields[i].id == H1_F_CONTENT_LENGTH) {
			cl = &fields[i];
			cls++;
		} else if (fields[i].id == H1_F_TRANSFER_ENCODING) {
			te = &fields[i];
			tes++;
		}
	}
	if (cl && te)
		return H1_RULE_CL_AND_TE;
	if (cls > 1)
		return H1_RULE_CL_REPEATED;
	if (tes > 1)
		return H1_RULE_TE_REPEATED;
	if (cl) {
		found.has_length = true;
		rule = length_parse(cl->value, &found.length);
	} else if (te) {
		found.chunked = true;
		rule = minor == 0 ? H1_RULE_TE_HTTP10 : coding_parse(te->value);
	}
	if (!rule)
		*ret = found;
	return rule;
}

struct slice h1_upgrade_value(const struct h1_field *fields, size_t n)
{
	struct slice value = {0}, list, member;

	for (size_t i = 0; i < n; i++) {
		if (fields[i].id != H1_F_UPGRADE)
			continue;
		if (value.n)
			return (struct slice){0};
		value = fields[i].value;
	}
	/* A tunnel that speaks HTTP/2 or TLS would carry requests past every rule here. */
	list = value;
	while (h1_list_next(&list, &member))
		if (slice_eq_nocase(member, SLICE("h2c")) ||
			(member.n >= 3 && strncasecmp(member.p, "tls", 3) == 0) ||
			(member.n >= 4 && strncasecmp(member.p, "http", 4) == 0))
			return (struct slice){0};
	return value;
}
