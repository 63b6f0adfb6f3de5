#include "proto/h1_out.h"
#include <stdio.h>

static void put_line(struct h1_out *out, int status, struct slice reason)
{
	char line[16];
	int n = snprintf(line, sizeof(line), "HTTP/1.1 %03d ", status);

	h1_out_put(out, (struct slice){line, (size_t)n});
	h1_out_put(out, reason);
	h1_out_put(out, SLICE("\r\n"));
}

/* Content-Length goes with a body of that length, and with a HEAD answer or a 304, where it tells what a GET
 * would get; never with 1xx or 204 (RFC 9110 8.6). */
static bool sends_length(const struct h1_response *resp, const struct h1_reply *reply)
{
	if (reply->framing == H1_BODY_LENGTH)
		return true;
	return reply->framing == H1_BODY_NONE && resp->has_length && resp->status >= 200 &&
	       resp->status != 204;
}

static void put_cache_control(struct h1_out *out, const struct h1_response *resp)
{
	if (!resp->no_transform)
		h1_out_joined(out, SLICE("Cache-Control"), resp->fields, resp->nfields, H1_F_CACHE_CONTROL,
			resp->has_cache_control ? SLICE("no-transform") : SLICE("no-cache, no-transform"));
}

static void put_field(struct h1_out *out, const struct h1_response *resp, const struct h1_reply *reply,
	const struct h1_field *f)
{
	if (f->hop_by_hop)
		return;
	switch (f->id) {
	case H1_F_CONTENT_LENGTH:
		if (sends_length(resp, reply))
			h1_out_number(out, f->name, resp->content_length);
		return;
	case H1_F_TRAILER:
		if (reply->framing != H1_BODY_CHUNKED && !reply->trailers)
			return;
		break;
	case H1_F_X_ACCEL_BUFFERING:
		if (reply->stream)
			return;
		break;
	case H1_F_CACHE_CONTROL: /* else joined behind the others, by put_cache_control */
		if (reply->stream && !resp->no_transform)
			return;
		break;
	case H1_F_VIA:
		return;
	default:
		break;
	}
	h1_out_field(out, f->name, f->value);
}

static void put_connection(struct h1_out *out, const struct h1_response *resp, const struct h1_reply *reply)
{
	if (reply->upgrade) {
		h1_out_field(out, SLICE("Connection"), SLICE("upgrade"));
		if (resp->upgrade.n)
			h1_out_field(out, SLICE("Upgrade"), resp->upgrade);
	} else if (!reply->keep_alive || reply->framing == H1_BODY_CLOSE) {
		h1_out_field(out, SLICE("Connection"), SLICE("close"));
	} else if (reply->client_minor == 0) {
		h1_out_field(out, SLICE("Connection"), SLICE("keep-alive"));
	}
}

int h1_write_response(struct buf *buf, const struct h1_response *resp, const struct h1_reply *reply)
{
	struct h1_out out = h1_out_begin(buf);

	if (reply->framing == H1_BODY_CHUNKED && reply->client_minor == 0)
		return -EINVAL; /* HTTP/1.0 has no chunks: the caller's mistake */
	put_line(&out, resp->status, resp->reason);
	for (size_t i = 0; i < resp->nfields; i++)
		put_field(&out, resp, reply, &resp->fields[i]);
	if (reply->framing == H1_BODY_CHUNKED)
		h1_out_field(&out, SLICE("Transfer-Encoding"), SLICE("chunked"));
	else if (sends_length(resp, reply) &&
		 !h1_field_find(resp->fields, resp->nfields, H1_F_CONTENT_LENGTH))
		h1_out_number(&out, SLICE("Content-Length"), resp->content_length);
	if (reply->stream) {
		put_cache_control(&out, resp);
		h1_out_field(&out, SLICE("X-Accel-Buffering"), SLICE("no"));
	}
	h1_out_via(&out, resp->fields, resp->nfields, resp->minor ? H1_VIA_11 : H1_VIA_10);
	put_connection(&out, resp, reply);
	return h1_out_end(&out, reply->edits);
}

int h1_write_interim(struct buf *buf, const struct h1_response *resp)
{
	struct h1_out out = h1_out_begin(buf);

	put_line(&out, resp->status, resp->reason);
	for (size_t i = 0; i < resp->nfields; i++) {
		const struct h1_field *f = &resp->fields[i];

		if (!f->hop_by_hop && f->id != H1_F_CONTENT_LENGTH && f->id != H1_F_TRAILER)
			h1_out_field(&out, f->name, f->value);
	}
	return h1_out_end(&out, (struct h1_edits){0});
}
