#include "proto/chunk.h"
#include "proto/h1_chars.h"
#include "proto/h1_fields.h"

#define SIZE_DIGITS_MAX 16
#define EXT_MAX		256 /* bytes of extensions on one size line */
#define TRAILERS_MAX	(8 * 1024)
/* A28. Only extensions count, and payload pays them back byte for byte: one-byte chunks without extensions
 * are what honest event sources send for hours, and cost no memory. */
#define OVERHEAD_MAX (100 * 1024)

/* Where in an extension (r->line in CHUNK_EXT). RFC 9112 7.1.1, without the "bad" white space. */
enum ext_place {
	EXT_NAME_START,
	EXT_NAME,
	EXT_VALUE_START,
	EXT_VALUE,
	EXT_VALUE_END, /* behind a closing quote */
};

enum ext_quote { QUOTE_NONE, QUOTE_OPEN, QUOTE_ESCAPE };

/* Where in the trailers (r->line in CHUNK_TRAILER). */
enum trailer_place {
	TRAILER_LINE_START,
	TRAILER_NAME,
	TRAILER_VALUE,
	TRAILER_LF,
	TRAILER_LAST_LF, /* behind the CR of the final empty line */
};

void chunk_init(struct chunk_reader *r)
{
	*r = (struct chunk_reader){.state = CHUNK_SIZE};
}

static enum h1_rule size_byte(struct chunk_reader *r, unsigned char c)
{
	int digit = h1_hex(c);

	if (digit >= 0) {
		if (r->digits == SIZE_DIGITS_MAX || r->left > INT64_MAX >> 4)
			return H1_RULE_CHUNK_OVERFLOW;
		r->digits++;
		r->left = r->left << 4 | (unsigned int)digit;
		return H1_OK;
	}
	if (c == '\n')
		return H1_RULE_CHUNK_LINE_END;
	if (r->digits == 0)
		return H1_RULE_CHUNK_SIZE;
	if (c == '\r') {
		r->state = CHUNK_SIZE_LF;
		return H1_OK;
	}
	if (c != ';')
		return H1_RULE_CHUNK_SIZE;
	r->state = CHUNK_EXT;
	r->line = EXT_NAME_START;
	r->quoted = QUOTE_NONE;
	r->ext = 1;
	r->overhead++;
	return r->overhead > OVERHEAD_MAX ? H1_RULE_CHUNK_OVERHEAD : H1_OK;
}

static enum h1_rule quoted_byte(struct chunk_reader *r, unsigned char c)
{
	if (!h1_is(c, H1_C_TEXT))
		return H1_RULE_CHUNK_EXT;
	if (r->quoted == QUOTE_ESCAPE) {
		r->quoted = QUOTE_OPEN;
	} else if (c == '\\') {
		r->quoted = QUOTE_ESCAPE;
	} else if (c == '"') {
		r->quoted = QUOTE_NONE;
		r->line = EXT_VALUE_END;
	}
	return H1_OK;
}

static enum h1_rule ext_byte(struct chunk_reader *r, unsigned char c)
{
	bool whole = r->line == EXT_NAME || r->line == EXT_VALUE || r->line == EXT_VALUE_END;

	if (c == '\r' && whole && !r->quoted) {
		r->state = CHUNK_SIZE_LF;
		return H1_OK;
	}
	if (r->ext == EXT_MAX)
		return H1_RULE_CHUNK_EXT_LONG;
	if (r->overhead == OVERHEAD_MAX)
		return H1_RULE_CHUNK_OVERHEAD;
	r->ext++;
	r->overhead++;
	if (r->quoted)
		return quoted_byte(r, c);
	if (c == '\n')
		return H1_RULE_CHUNK_LINE_END;
	if (c == ';' && whole) {
		r->line = EXT_NAME_START;
	} else if (c == '=' && r->line == EXT_NAME) {
		r->line = EXT_VALUE_START;
	} else if (c == '"' && r->line == EXT_VALUE_START) {
		r->quoted = QUOTE_OPEN;
	} else if (h1_is(c, H1_C_TOKEN) && r->line != EXT_VALUE_END) {
		if (r->line == EXT_NAME_START)
			r->line = EXT_NAME;
		else if (r->line == EXT_VALUE_START)
			r->line = EXT_VALUE;
	} else {
		return H1_RULE_CHUNK_EXT;
	}
	return H1_OK;
}

static void next_size(struct chunk_reader *r)
{
	r->state = CHUNK_SIZE;
	r->left = 0;
	r->digits = 0;
	r->ext = 0;
}

static enum h1_rule size_lf_byte(struct chunk_reader *r, unsigned char c)
{
	if (c != '\n')
		return H1_RULE_CHUNK_LINE_END;
	r->ext = 0;
	r->digits = 0;
	if (r->left) {
		r->state = CHUNK_DATA;
		r->chunks++;
	} else {
		r->state = CHUNK_TRAILER;
		r->line = TRAILER_LINE_START;
	}
	return H1_OK;
}

/* In the trailers `left` is a hash of the name so far and `digits` its length: enough to know a name that
 * came in pieces without keeping it. FNV-1a; '_' counts as '-', because some upstreams read it so. */
#define FNV_START 0xcbf29ce484222325ULL

static uint64_t name_hash(uint64_t hash, char c)
{
	return (hash ^ (unsigned char)(c == '_' ? '-' : h1_lower(c))) * 0x100000001b3ULL;
}

static bool name_forbidden(uint64_t hash, size_t len)
{
	enum h1_field_id id = H1_F_OTHER;

	while ((id = h1_field_next_of_length(id, len))) {
		struct slice name = h1_field_name(id);
		uint64_t known = FNV_START;

		for (size_t i = 0; i < name.n; i++)
			known = name_hash(known, name.p[i]);
		if (known == hash)
			return true;
	}
	return false;
}

static enum h1_rule trailer_name_byte(struct chunk_reader *r, unsigned char c)
{
	if (c == ':') {
		/* Every field that the relay acts upon (A29). */
		if (name_forbidden(r->left, r->digits))
			return H1_RULE_TRAILER_FORBIDDEN;
		r->line = TRAILER_VALUE;
		return H1_OK;
	}
	if (!h1_is(c, H1_C_TOKEN))
		return c == '\n' ? H1_RULE_CHUNK_LINE_END : H1_RULE_TRAILER_MALFORMED;
	r->left = name_hash(r->left, (char)c);
	if (r->digits < UINT8_MAX)
		r->digits++;
	return H1_OK;
}

static enum h1_rule trailer_byte(struct chunk_reader *r, unsigned char c)
{
	if (r->ext == TRAILERS_MAX)
		return H1_RULE_TRAILER_TOO_LARGE;
	r->ext++;
	switch ((enum trailer_place)r->line) {
	case TRAILER_LINE_START:
		if (c == '\r') {
			r->line = TRAILER_LAST_LF;
			return H1_OK;
		}
		r->line = TRAILER_NAME;
		r->left = FNV_START;
		r->digits = 0;
		return c == ':' ? H1_RULE_TRAILER_MALFORMED : trailer_name_byte(r, c);
	case TRAILER_NAME:
		return trailer_name_byte(r, c);
	case TRAILER_VALUE:
		if (c == '\r')
			r->line = TRAILER_LF;
		else if (c == '\n')
			return H1_RULE_CHUNK_LINE_END;
		else if (!h1_is(c, H1_C_TEXT))
			return H1_RULE_TRAILER_MALFORMED;
		return H1_OK;
	case TRAILER_LF:
		r->line = TRAILER_LINE_START;
		return c == '\n' ? H1_OK : H1_RULE_CHUNK_LINE_END;
	case TRAILER_LAST_LF:
		if (c != '\n')
			return H1_RULE_CHUNK_LINE_END;
		r->left = 0;
		r->digits = 0;
		r->state = CHUNK_DONE;
		return H1_OK;
	}
	return H1_RULE_TRAILER_MALFORMED;
}

static enum h1_rule framing_byte(struct chunk_reader *r, unsigned char c)
{
	switch (r->state) {
	case CHUNK_SIZE:
		return size_byte(r, c);
	case CHUNK_EXT:
		return ext_byte(r, c);
	case CHUNK_SIZE_LF:
		return size_lf_byte(r, c);
	case CHUNK_DATA_CR:
		if (c != '\r')
			return H1_RULE_CHUNK_DATA_END;
		r->state = CHUNK_DATA_LF;
		return H1_OK;
	case CHUNK_DATA_LF:
		if (c != '\n')
			return H1_RULE_CHUNK_DATA_END;
		next_size(r);
		return H1_OK;
	default:
		return trailer_byte(r, c);
	}
}

static struct slice take_payload(struct chunk_reader *r, const char *p, size_t n)
{
	size_t run = r->left < n ? (size_t)r->left : n;

	r->left -= run;
	r->overhead -= MIN(r->overhead, run);
	if (r->left == 0)
		r->state = CHUNK_DATA_CR;
	return (struct slice){p, run};
}

struct chunk_step chunk_next(struct chunk_reader *r, const char *p, size_t n)
{
	struct chunk_step step = {0};

	while (step.used < n && r->state != CHUNK_DONE && r->state != CHUNK_BAD) {
		enum h1_rule rule;

		if (r->state == CHUNK_DATA) {
			step.payload = take_payload(r, p + step.used, n - step.used);
			step.used += step.payload.n;
			return step;
		}
		rule = framing_byte(r, (unsigned char)p[step.used]);
		if (rule) {
			r->state = CHUNK_BAD;
			r->bad = rule;
			return step;
		}
		step.used++;
	}
	return step;
}

size_t chunk_write_head(char out[CHUNK_HEAD_MAX], uint64_t n)
{
	size_t digits = 1, at;

	while (digits < SIZE_DIGITS_MAX && n >> (4 * digits))
		digits++;
	for (at = digits; at-- > 0; n >>= 4)
		out[at] = "0123456789abcdef"[n & 15];
	out[digits] = '\r';
	out[digits + 1] = '\n';
	return digits + 2;
}
