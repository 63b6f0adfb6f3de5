#include "proto/h1_out.h"
#include "proto/h1_chars.h"
#include <stdio.h>

static void put_line(struct h1_out *out, const struct h1_request *req, const struct h1_forward *fwd)
{
	struct slice prefix = fwd->path_prefix;

	h1_out_put(out, req->method_text);
	h1_out_put(out, SLICE(" "));
	if (slice_eq(req->path, SLICE("*"))) {
		h1_out_put(out, SLICE("*"));
	} else {
		/* Origin form, also of an absolute target: the upstream is an origin server (RFC 9112 3.2.1).
		 */
		if (prefix.n && prefix.p[prefix.n - 1] == '/')
			prefix.n--;
		h1_out_put(out, prefix);
		h1_out_put(out, req->path);
		if (req->query.p) {
			h1_out_put(out, SLICE("?"));
			h1_out_put(out, req->query);
		}
	}
	h1_out_put(out, SLICE(" HTTP/1.1\r\n"));
}

/* The host that the upstream sees. Empty for an HTTP/1.0 request that had none (RFC 9112 3.2). */
static struct slice upstream_host(const struct h1_request *req, const struct h1_forward *fwd)
{
	return fwd->host.n ? fwd->host : req->host;
}

/* Names that a CGI-like upstream cannot tell from those that sluice vouches for (B15). */
static bool is_forwarding_lookalike(struct slice name)
{
	switch (h1_field_lookalike(name)) {
	case H1_F_X_FORWARDED_FOR:
	case H1_F_X_FORWARDED_PROTO:
	case H1_F_X_FORWARDED_HOST:
		return true;
	default:
		return false;
	}
}

/* The same name to an upstream with CGI habits. */
static bool same_name(struct slice a, const char *b)
{
	size_t i = 0;

	for (; i < a.n && b[i]; i++) {
		char x = a.p[i] == '_' ? '-' : h1_lower(a.p[i]);

		if (x != (b[i] == '_' ? '-' : h1_lower(b[i])))
			return false;
	}
	return i == a.n && !b[i];
}

static bool is_own(struct slice name, const struct h1_forward *fwd)
{
	for (size_t i = 0; i < fwd->nown; i++)
		if (same_name(name, fwd->own[i]))
			return true;
	return false;
}

static void put_field(struct h1_out *out, const struct h1_request *req, const struct h1_forward *fwd,
	const struct h1_field *f)
{
	if (f->hop_by_hop)
		return;
	switch (f->id) {
	case H1_F_HOST:
		h1_out_field(out, f->name, upstream_host(req, fwd));
		return;
	case H1_F_CONTENT_LENGTH: /* in canonical form: "010" is 10 to all (A10) */
		if (req->framing == H1_BODY_LENGTH)
			h1_out_number(out, f->name, req->content_length);
		return;
	case H1_F_ACCEPT_ENCODING:
		if (fwd->drop_accept_encoding)
			return;
		break;
	case H1_F_EXPECT: /* nobody waits for the 100 (RFC 9110 10.1.1) */
		if (!req->expect_continue)
			return;
		break;
	case H1_F_TRAILER:
		if (req->framing != H1_BODY_CHUNKED)
			return;
		break;
	case H1_F_VIA: /* these are written behind the others */
	case H1_F_X_FORWARDED_FOR:
	case H1_F_X_FORWARDED_PROTO:
	case H1_F_X_FORWARDED_HOST:
	case H1_F_FORWARDED:
		return;
	case H1_F_OTHER:
		if (is_forwarding_lookalike(f->name) || is_own(f->name, fwd))
			return;
		break;
	default:
		break;
	}
	h1_out_field(out, f->name, f->value);
}

/* What a trusted client said stays; else what sluice knows. */
static void put_kept_or(struct h1_out *out, struct slice name, const struct h1_request *req, bool trusted,
	enum h1_field_id id, struct slice known)
{
	const struct h1_field *kept = trusted ? h1_field_find(req->fields, req->nfields, id) : NULL;

	if (kept)
		h1_out_joined(out, name, req->fields, req->nfields, id, (struct slice){0});
	else if (known.n)
		h1_out_field(out, name, known);
}

/* Grows into a Forwarded element (RFC 7239 4): values that are no tokens are quoted. */
static int append_pair(struct buf *b, const char *key, struct slice value)
{
	int err = buf_printf(b, "%s%s=", b->len ? ";" : "", key);

	if (err || h1_is_token(value))
		return err ? err : buf_append(b, value.p, value.n);
	err = buf_append(b, "\"", 1);
	for (size_t i = 0; i < value.n && !err; i++) {
		if (value.p[i] == '"' || value.p[i] == '\\')
			err = buf_append(b, "\\", 1);
		if (!err)
			err = buf_append(b, value.p + i, 1);
	}
	return err ? err : buf_append(b, "\"", 1);
}

static int forwarded_element(struct buf *b, const struct h1_request *req, const struct h1_forward *fwd)
{
	char bracketed[64];
	struct slice client = fwd->client_ip.n ? fwd->client_ip : SLICE("unknown");
	int err;

	if (memchr(client.p, ':', client.n)) {
		int n = snprintf(bracketed, sizeof(bracketed), "[%.*s]", SLICE_FMT(client));

		if (n < 0 || (size_t)n >= sizeof(bracketed))
			return -EINVAL;
		client = (struct slice){bracketed, (size_t)n};
	}
	err = append_pair(b, "for", client);
	if (!err && req->host.n)
		err = append_pair(b, "host", req->host);
	if (!err && fwd->scheme.n)
		err = append_pair(b, "proto", fwd->scheme);
	return err;
}

static void put_forwarding(struct h1_out *out, const struct h1_request *req, const struct h1_forward *fwd)
{
	_cleanup_buf_ struct buf element = {0};
	size_t kept = fwd->client_trusted ? req->nfields : 0;

	h1_out_joined(out, SLICE("X-Forwarded-For"), req->fields, kept, H1_F_X_FORWARDED_FOR, fwd->client_ip);
	put_kept_or(out, SLICE("X-Forwarded-Proto"), req, fwd->client_trusted, H1_F_X_FORWARDED_PROTO,
		fwd->scheme);
	put_kept_or(
		out, SLICE("X-Forwarded-Host"), req, fwd->client_trusted, H1_F_X_FORWARDED_HOST, req->host);
	if (!out->err)
		out->err = forwarded_element(&element, req, fwd);
	h1_out_joined(out, SLICE("Forwarded"), req->fields, kept, H1_F_FORWARDED, buf_slice(&element));
}

int h1_write_request(struct buf *buf, const struct h1_request *req, const struct h1_forward *fwd)
{
	struct h1_out out = h1_out_begin(buf);

	put_line(&out, req, fwd);
	/* HTTP/2 requests, and HTTP/1.0 ones without Host, bring neither of these as fields. */
	if (!h1_field_find(req->fields, req->nfields, H1_F_HOST))
		h1_out_field(&out, SLICE("Host"), upstream_host(req, fwd));
	for (size_t i = 0; i < req->nfields; i++)
		put_field(&out, req, fwd, &req->fields[i]);
	if (req->framing == H1_BODY_CHUNKED)
		h1_out_field(&out, SLICE("Transfer-Encoding"), SLICE("chunked"));
	else if (req->framing == H1_BODY_LENGTH &&
		 !h1_field_find(req->fields, req->nfields, H1_F_CONTENT_LENGTH))
		h1_out_number(&out, SLICE("Content-Length"), req->content_length);
	h1_out_via(&out, req->fields, req->nfields,
		req->http2   ? H1_VIA_20
		: req->minor ? H1_VIA_11
			     : H1_VIA_10);
	put_forwarding(&out, req, fwd);
	if (fwd->subject_header.n)
		h1_out_field(&out, fwd->subject_header, fwd->subject);
	if (fwd->upgrade && req->upgrade.n) {
		h1_out_field(&out, SLICE("Connection"), SLICE("upgrade"));
		h1_out_field(&out, SLICE("Upgrade"), req->upgrade);
	}
	return h1_out_end(&out, fwd->edits);
}
