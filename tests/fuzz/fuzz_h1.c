/* Heads: bytes read whole, one by one and in random pieces come to the same; what was accepted holds what the
 * relay builds upon; and what the relay would send on reads as the same message again. */
#include "fuzz.h"
#include "proto/h1_fields.h"
#include "proto/h1_write.h"

struct verdict {
	enum h1_rule rule;
	size_t len, skip;
};

static struct verdict scan_pieces(
	const char *p, size_t n, enum h1_kind kind, struct cuts *cuts, size_t max_piece)
{
	struct h1_scan scan = {0};
	struct verdict v = {0};

	for (size_t have = 0; have < n && !v.rule && !v.len;) {
		char *part;

		have += cuts_next(cuts, max_piece, n - have);
		part = exact_copy(p, have);
		v.rule = h1_scan(&scan, kind, part, have, &v.len);
		must(scan.at <= have);
		free(part);
	}
	v.skip = scan.skip;
	return v;
}

static struct verdict scan_whole(const char *p, size_t n, enum h1_kind kind)
{
	struct h1_scan scan = {0};
	struct verdict v = {0};

	if (n)
		v.rule = h1_scan(&scan, kind, p, n, &v.len);
	v.skip = scan.skip;
	return v;
}

static struct verdict scan_all_ways(const char *p, size_t n, enum h1_kind kind, struct cuts *cuts)
{
	struct verdict whole = scan_whole(p, n, kind), pieces;
	size_t limit = n > 2048 ? n / 16 : 32;

	pieces = scan_pieces(p, n, kind, cuts, limit);
	must(pieces.rule == whole.rule && pieces.len == whole.len && pieces.skip == whole.skip);
	if (n <= 1024) {
		pieces = scan_pieces(p, n, kind, cuts, 1);
		must(pieces.rule == whole.rule && pieces.len == whole.len && pieces.skip == whole.skip);
	}
	must(!whole.len || (whole.len <= n && memcmp(p + whole.len - 4, "\r\n\r\n", 4) == 0));
	must(!(whole.rule && whole.len));
	return whole;
}

static void check_fields(const struct h1_field *fields, size_t n, struct h1_lengths *ret)
{
	size_t cls = 0, tes = 0;

	must(n <= H1_MAX_FIELDS);
	for (size_t i = 0; i < n; i++) {
		must(fields[i].name.n > 0 && !memchr(fields[i].name.p, ' ', fields[i].name.n));
		must(fields[i].value.n == 0 || !memchr(fields[i].value.p, '\n', fields[i].value.n));
		must(fields[i].value.n == 0 ||
			(fields[i].value.p[0] != ' ' && fields[i].value.p[fields[i].value.n - 1] != '\t'));
		must(fields[i].id == h1_field_lookup(fields[i].name));
		cls += fields[i].id == H1_F_CONTENT_LENGTH;
		tes += fields[i].id == H1_F_TRANSFER_ENCODING;
	}
	must(cls + tes <= 1);
	ret->has_length = cls;
	ret->chunked = tes;
}

static bool managed(enum h1_field_id id)
{
	switch (id) {
	case H1_F_HOST:
	case H1_F_CONTENT_LENGTH:
	case H1_F_VIA:
	case H1_F_X_FORWARDED_FOR:
	case H1_F_X_FORWARDED_PROTO:
	case H1_F_X_FORWARDED_HOST:
	case H1_F_FORWARDED:
	case H1_F_EXPECT:
	case H1_F_TRAILER:
	case H1_F_CACHE_CONTROL:
	case H1_F_X_ACCEL_BUFFERING:
		return true;
	default:
		return false;
	}
}

static const struct h1_field *next_kept(const struct h1_field *fields, size_t n, size_t *at)
{
	while (*at < n) {
		const struct h1_field *f = &fields[(*at)++];

		if (!f->hop_by_hop && !managed(f->id) && !h1_field_lookalike(f->name))
			return f;
	}
	return NULL;
}

/* Unknown fields pass untouched and in order. */
static void check_same_fields(const struct h1_field *a, size_t na, const struct h1_field *b, size_t nb)
{
	size_t ia = 0, ib = 0;

	for (;;) {
		const struct h1_field *fa = next_kept(a, na, &ia), *fb = next_kept(b, nb, &ib);

		must(!fa == !fb);
		if (!fa)
			return;
		must(slice_eq(fa->name, fb->name) && slice_eq(fa->value, fb->value));
	}
}

static void check_request(const struct h1_request *req)
{
	struct h1_lengths lengths;

	check_fields(req->fields, req->nfields, &lengths);
	must(lengths.chunked == (req->framing == H1_BODY_CHUNKED));
	must(lengths.has_length == (req->framing == H1_BODY_LENGTH));
	must(req->method != H1_CONNECT && req->method != H1_TRACE);
	must(req->minor <= 1 && (req->minor == 1 || !lengths.chunked));
	must(req->host.n > 0 || req->minor == 0);
	must(req->path.n > 0 && (req->path.p[0] == '/' || slice_eq(req->path, SLICE("*"))));
	must(!req->upgrade.n || !lengths.chunked);
	for (size_t i = 0; i < req->target.n; i++)
		must((unsigned char)req->target.p[i] > ' ' && (unsigned char)req->target.p[i] < 0x7f);
}

/* The upstream reads exactly the request that was checked and routed. */
static void request_again(const struct h1_request *req, bool trusted)
{
	struct h1_forward fwd = {
		.client_ip = SLICE("2001:db8::1"), .scheme = SLICE("http"), .client_trusted = trusted};
	_cleanup_buf_ struct buf out = {0};
	struct h1_request again;
	struct verdict v;

	if (!req->host.n)
		fwd.host = SLICE("upstream");
	must(h1_write_request(&out, req, &fwd) == 0);
	if (out.len >= H1_MAX_HEAD || req->nfields > H1_MAX_FIELDS - 6)
		return;
	v = scan_whole(out.data, out.len, H1_REQUEST);
	must(!v.rule && v.len == out.len && v.skip == 0);
	must(h1_request_parse(out.data, out.len, &again) == H1_OK);
	must(slice_eq(again.method_text, req->method_text) && again.minor == 1 && !again.absolute_form);
	must(slice_eq(again.path, req->path) && slice_eq(again.query, req->query) &&
		!again.query.p == !req->query.p);
	must(slice_eq(again.host, req->host.n ? req->host : fwd.host));
	must(again.framing == req->framing && again.content_length == req->content_length);
	must(again.expect_continue == req->expect_continue && again.upgrade.n == 0);
	must(!h1_field_find(again.fields, again.nfields, H1_F_CONNECTION));
	check_same_fields(req->fields, req->nfields, again.fields, again.nfields);
}

static void fuzz_request(const char *p, size_t n, struct cuts *cuts)
{
	struct verdict v = scan_all_ways(p, n, H1_REQUEST, cuts);
	struct h1_request req;
	char *head;

	if (!v.len)
		return;
	head = exact_copy(p + v.skip, v.len - v.skip);
	if (h1_request_parse(head, v.len - v.skip, &req) == H1_OK) {
		check_request(&req);
		request_again(&req, false);
		request_again(&req, true);
	}
	free(head);
}

static void response_again(const struct h1_response *resp, enum h1_method method, bool stream)
{
	struct h1_reply reply = {
		.client_minor = 1, .framing = resp->framing, .keep_alive = true, .stream = stream};
	_cleanup_buf_ struct buf out = {0};
	struct h1_response again;
	struct verdict v;

	reply.upgrade = resp->status == 101 && resp->upgrade.n;
	must(h1_write_response(&out, resp, &reply) == 0);
	if (out.len >= H1_MAX_HEAD || resp->nfields > H1_MAX_FIELDS - 6)
		return;
	v = scan_whole(out.data, out.len, H1_RESPONSE);
	must(!v.rule && v.len == out.len);
	must(h1_response_parse(out.data, out.len, method, &again) == H1_OK);
	must(again.status == resp->status && slice_eq(again.reason, resp->reason) && again.minor == 1);
	must(again.framing == resp->framing && again.event_stream == resp->event_stream);
	must(resp->framing != H1_BODY_LENGTH || again.content_length == resp->content_length);
	must(!stream || (again.x_accel_no && again.no_transform));
	must(slice_eq(again.upgrade, resp->upgrade));
	check_same_fields(resp->fields, resp->nfields, again.fields, again.nfields);
}

static void fuzz_response(const char *p, size_t n, enum h1_method method, struct cuts *cuts)
{
	struct verdict v = scan_all_ways(p, n, H1_RESPONSE, cuts);
	struct h1_response resp;
	struct h1_lengths lengths;
	char *head;

	if (!v.len)
		return;
	head = exact_copy(p, v.len);
	if (h1_response_parse(head, v.len, method, &resp) == H1_OK) {
		must(resp.status >= 100 && resp.status <= 599);
		check_fields(resp.fields, resp.nfields, &lengths);
		must(lengths.has_length == resp.has_length);
		must(!resp.keep_alive || resp.framing != H1_BODY_CLOSE);
		must(resp.framing != H1_BODY_CHUNKED || lengths.chunked);
		response_again(&resp, method, false);
		response_again(&resp, method, true);
	}
	free(head);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cuts cuts = cuts_of(data, size);
	char *p = exact_copy(data, size);

	fuzz_request(p, size, &cuts);
	fuzz_response(p, size, H1_GET, &cuts);
	fuzz_response(p, size, H1_HEAD, &cuts);
	free(p);
	return 0;
}
