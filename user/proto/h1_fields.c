#include "proto/h1_fields.h"
#include "proto/h1_chars.h"

static const char *const names[H1_F_COUNT] = {
	[H1_F_OTHER] = "",
#define H1_FIELD(id, name) [H1_F_##id] = name,
#include "proto/h1_fields.def"
#undef H1_FIELD
};

/* Lengths in a row of their own: one memchr finds the few names worth comparing. */
static const uint8_t lengths[H1_F_COUNT] = {
#define H1_FIELD(id, name) [H1_F_##id] = sizeof(name) - 1,
#include "proto/h1_fields.def"
#undef H1_FIELD
};

#define NAME_MAX_LEN 32

struct slice h1_field_name(enum h1_field_id id)
{
	return (struct slice){names[id], lengths[id]};
}

enum h1_field_id h1_field_next_of_length(enum h1_field_id prev, size_t len)
{
	const uint8_t *at = lengths + prev + 1, *end = lengths + H1_F_COUNT, *hit;

	if (len == 0 || len > NAME_MAX_LEN || at == end)
		return H1_F_OTHER;
	hit = memchr(at, (int)len, (size_t)(end - at));
	return hit ? (enum h1_field_id)(hit - lengths) : H1_F_OTHER;
}

enum h1_field_id h1_field_lookup(struct slice name)
{
	enum h1_field_id id = H1_F_OTHER;

	while ((id = h1_field_next_of_length(id, name.n)))
		if (slice_eq_nocase(name, h1_field_name(id)))
			return id;
	return H1_F_OTHER;
}

enum h1_field_id h1_field_lookalike(struct slice name)
{
	char dashed[NAME_MAX_LEN];

	if (name.n > sizeof(dashed) || name.n == 0 || !memchr(name.p, '_', name.n))
		return H1_F_OTHER;
	for (size_t i = 0; i < name.n; i++)
		dashed[i] = name.p[i] == '_' ? '-' : name.p[i];
	return h1_field_lookup((struct slice){dashed, name.n});
}

const struct h1_field *h1_field_find(const struct h1_field *fields, size_t n, enum h1_field_id id)
{
	for (size_t i = 0; i < n; i++)
		if (fields[i].id == id)
			return &fields[i];
	return NULL;
}

const struct h1_field *h1_field_named(const struct h1_field *fields, size_t n, struct slice name)
{
	for (size_t i = 0; i < n; i++)
		if (slice_eq_nocase(fields[i].name, name))
			return &fields[i];
	return NULL;
}

bool h1_list_next(struct slice *list, struct slice *ret_member)
{
	while (list->n) {
		const char *comma = memchr(list->p, ',', list->n);
		size_t len = comma ? (size_t)(comma - list->p) : list->n;
		struct slice member = slice_trim((struct slice){list->p, len});

		len += comma != NULL;
		list->p += len;
		list->n -= len;
		if (member.n) {
			*ret_member = member;
			return true;
		}
	}
	return false;
}

struct slice h1_list_word(struct slice member)
{
	const char *semi = member.n ? memchr(member.p, ';', member.n) : NULL;

	if (semi)
		member.n = (size_t)(semi - member.p);
	return slice_trim(member);
}

/* Connection-specific by nature: RFC 9110 7.6.1, and the two that RFC 9110 11.7 gives to the next hop alone.
 */
static bool always_hop_by_hop(enum h1_field_id id)
{
	switch (id) {
	case H1_F_CONNECTION:
	case H1_F_KEEP_ALIVE:
	case H1_F_PROXY_CONNECTION:
	case H1_F_TE:
	case H1_F_TRANSFER_ENCODING:
	case H1_F_UPGRADE:
	case H1_F_PROXY_AUTHORIZATION:
	case H1_F_PROXY_AUTHENTICATE:
		return true;
	default:
		return false;
	}
}

/* What is wrong with a line in which no colon follows the name at once. */
static enum h1_rule bad_name(struct slice line, size_t name_len)
{
	const char *colon = memchr(line.p, ':', line.n);
	size_t i = name_len;

	if (!colon)
		return H1_RULE_NO_COLON;
	while (line.p[i] == ' ' || line.p[i] == '\t')
		i++;
	return line.p + i == colon ? H1_RULE_SPACE_BEFORE_COLON : H1_RULE_NAME_MALFORMED;
}

static enum h1_rule field_parse(struct slice line, struct h1_field *ret)
{
	enum h1_field_id like;
	size_t i = 0;

	while (i < line.n && h1_is((unsigned char)line.p[i], H1_C_TOKEN))
		i++;
	if (i == line.n || line.p[i] != ':')
		return bad_name(line, i);
	if (i == 0)
		return H1_RULE_NAME_EMPTY;
	ret->name = (struct slice){line.p, i};
	ret->value = slice_trim((struct slice){line.p + i + 1, line.n - i - 1});
	ret->id = h1_field_lookup(ret->name);
	ret->hop_by_hop = always_hop_by_hop(ret->id);
	if (ret->id != H1_F_OTHER)
		return H1_OK;
	like = h1_field_lookalike(ret->name);
	if (like == H1_F_CONTENT_LENGTH || like == H1_F_TRANSFER_ENCODING)
		return H1_RULE_FRAMING_LOOKALIKE;
	return H1_OK;
}

enum h1_rule h1_fields_parse(const char *p, size_t n, struct h1_field *fields, size_t *ret_n)
{
	const char *end = p + n;
	size_t count = 0;

	while (p < end && *p != '\r') {
		const char *cr = memchr(p, '\r', (size_t)(end - p));
		enum h1_rule rule;

		if (!cr || end - cr < 2)
			return H1_RULE_BARE_CR;
		if (*p == ' ' || *p == '\t')
			return count ? H1_RULE_FOLD : H1_RULE_SPACE_BEFORE_FIELDS;
		if (count == H1_MAX_FIELDS)
			return H1_RULE_TOO_MANY_FIELDS;
		rule = field_parse((struct slice){p, (size_t)(cr - p)}, &fields[count]);
		if (rule)
			return rule;
		count++;
		p = cr + 2;
	}
	*ret_n = count;
	return H1_OK;
}

int h1_version_parse(struct slice text, uint8_t *ret_minor)
{
	size_t i = 5, major, minor;

	if (!slice_starts(text, SLICE("HTTP/")))
		return -EBADMSG;
	major = i;
	while (i < text.n && h1_is((unsigned char)text.p[i], H1_C_DIGIT))
		i++;
	if (i == major || i == text.n || text.p[i] != '.')
		return -EBADMSG;
	minor = ++i;
	while (i < text.n && h1_is((unsigned char)text.p[i], H1_C_DIGIT))
		i++;
	if (i == minor || i != text.n)
		return -EBADMSG;
	if (text.n != 8 || text.p[major] != '1')
		return -EPROTONOSUPPORT;
	*ret_minor = text.p[minor] != '0';
	return 0;
}
