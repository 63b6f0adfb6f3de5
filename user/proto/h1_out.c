#include "proto/h1_out.h"
#include "proto/h1_chars.h"
#include <stdio.h>

void h1_out_put(struct h1_out *out, struct slice s)
{
	if (!out->err)
		out->err = buf_append(out->buf, s.p, s.n);
}

static char *copy(char *to, struct slice s)
{
	if (s.n)
		memcpy(to, s.p, s.n);
	return to + s.n;
}

void h1_out_field(struct h1_out *out, struct slice name, struct slice value)
{
	size_t n = name.n + value.n + 4;
	char *to;

	if (!out->err)
		out->err = buf_reserve(out->buf, n);
	if (out->err)
		return;
	to = copy(out->buf->data + out->buf->len, name);
	to = copy(to, SLICE(": "));
	to = copy(to, value);
	copy(to, SLICE("\r\n"));
	out->buf->len += n;
}

void h1_out_number(struct h1_out *out, struct slice name, uint64_t value)
{
	char text[24];
	int n = snprintf(text, sizeof(text), "%llu", (unsigned long long)value);

	h1_out_field(out, name, (struct slice){text, (size_t)n});
}

static void put_member(struct h1_out *out, struct slice name, struct slice value, bool *first)
{
	if (value.n == 0)
		return;
	if (*first)
		h1_out_put(out, name);
	h1_out_put(out, *first ? SLICE(": ") : SLICE(", "));
	h1_out_put(out, value);
	*first = false;
}

void h1_out_joined(struct h1_out *out, struct slice name, const struct h1_field *fields, size_t n,
	enum h1_field_id id, struct slice tail)
{
	bool first = true;

	for (size_t i = 0; i < n; i++)
		if (fields[i].id == id)
			put_member(out, name, fields[i].value, &first);
	put_member(out, name, tail, &first);
	if (!first)
		h1_out_put(out, SLICE("\r\n"));
}

void h1_out_via(struct h1_out *out, const struct h1_field *fields, size_t n, enum h1_via version)
{
	static const char *const said[] = {
		[H1_VIA_10] = "1.0 sluice", [H1_VIA_11] = "1.1 sluice", [H1_VIA_20] = "2.0 sluice"};

	h1_out_joined(out, SLICE("Via"), fields, n, H1_F_VIA, slice_of(said[version]));
}

/* Edits work on the finished lines: they are rare, and so heads without them pay nothing, and a list of edits
 * has exactly the meaning of applying one after the other. */

/* A line of the head, CRLF included. */
struct line {
	size_t at, len;
};

static bool next_line(const struct buf *b, struct line *line)
{
	const char *lf;

	line->at += line->len;
	if (line->at >= b->len)
		return false;
	lf = memchr(b->data + line->at, '\n', b->len - line->at);
	line->len = lf ? (size_t)(lf + 1 - (b->data + line->at)) : b->len - line->at;
	return true;
}

static bool line_named(const struct buf *b, struct line line, struct slice name)
{
	return line.len > name.n && b->data[line.at + name.n] == ':' &&
	       slice_eq_nocase((struct slice){b->data + line.at, name.n}, name);
}

/* Replaces `len` bytes at `at` by room for `room` bytes. */
static int make_room(struct buf *b, size_t at, size_t len, size_t room)
{
	int err = room > len ? buf_reserve(b, room - len) : 0;

	if (err)
		return err;
	memmove(b->data + at + room, b->data + at + len, b->len - at - len);
	b->len += room - len;
	return 0;
}

static int replace_value(struct buf *b, struct line *line, struct slice name, struct slice value)
{
	size_t len = name.n + value.n + 4;
	int err = make_room(b, line->at, line->len, len);
	char *to;

	if (err)
		return err;
	to = b->data + line->at + name.n; /* the name stays in its own letter case */
	to = copy(to, SLICE(": "));
	to = copy(to, value);
	copy(to, SLICE("\r\n"));
	line->len = len;
	return 0;
}

static int edit_apply(struct h1_out *out, const struct h1_edit *edit)
{
	struct line line = {.at = out->start};
	bool placed = edit->op == H1_EDIT_REMOVE;

	next_line(out->buf, &line); /* the first line is no field */
	while (edit->op != H1_EDIT_ADD && next_line(out->buf, &line)) {
		int err;

		if (!line_named(out->buf, line, edit->name))
			continue;
		if (placed) {
			err = make_room(out->buf, line.at, line.len, 0);
			line.len = 0;
		} else {
			err = replace_value(out->buf, &line, edit->name, edit->value);
			placed = true;
		}
		if (err)
			return err;
	}
	if (!placed)
		h1_out_field(out, edit->name, edit->value);
	return out->err;
}

/* What frames the message and holds the connection is not for configuration: such an edit could desynchronise
 * the two sides. Conf refuses them with a message; here they do nothing. */
static bool edit_allowed(const struct h1_edit *edit)
{
	switch (h1_field_lookup(edit->name)) {
	case H1_F_CONTENT_LENGTH:
	case H1_F_TRANSFER_ENCODING:
	case H1_F_CONNECTION:
	case H1_F_UPGRADE:
	case H1_F_TRAILER:
	case H1_F_TE:
	case H1_F_KEEP_ALIVE:
	case H1_F_PROXY_CONNECTION:
		return false;
	default:
		return true;
	}
}

static int edits_apply(struct h1_out *out, struct h1_edits edits)
{
	for (size_t i = 0; i < edits.n && !out->err; i++) {
		const struct h1_edit *edit = &edits.list[i];

		if (!h1_is_token(edit->name) || !h1_all(edit->value, H1_C_TEXT))
			return -EINVAL;
		if (edit_allowed(edit))
			out->err = edit_apply(out, edit);
	}
	return out->err;
}

int h1_out_end(struct h1_out *out, struct h1_edits edits)
{
	int err = out->err;

	if (!err)
		err = edits_apply(out, edits);
	if (!err)
		err = buf_append(out->buf, "\r\n", 2);
	if (err)
		out->buf->len = out->start;
	return err;
}
