#include "alloc_fail.h"
#include "h1_text.h"
#include "proto/h1_write.h"

#define HEAD "GET /a?b HTTP/1.1\r\nHost: a:80\r\n"
#define FORWARDING                                                                                           \
	"Via: 1.1 sluice\r\nX-Forwarded-For: 192.0.2.1\r\nX-Forwarded-Proto: http\r\n"                       \
	"X-Forwarded-Host: a:80\r\nForwarded: for=192.0.2.1;host=\"a:80\";proto=http\r\n"

static const struct h1_forward plain = {.client_ip = {"192.0.2.1", 9}, .scheme = {"http", 4}};

static void expect_text(const struct buf *b, const char *expected)
{
	if (!slice_eq(buf_slice(b), slice_of(expected)))
		fail_msg("expected\n%s\ngot\n%.*s", expected, (int)b->len, b->data);
}

static void expect_request(const char *in, const struct h1_forward *fwd, const char *expected)
{
	_cleanup_buf_ struct buf out = {0};
	struct h1_request req;

	assert_int_equal(request_of(in, &req), H1_OK);
	assert_int_equal(h1_write_request(&out, &req, fwd), 0);
	expect_text(&out, expected);
}

static void expect_response(const char *in, const struct h1_reply *reply, const char *expected)
{
	_cleanup_buf_ struct buf out = {0};
	struct h1_response resp;

	assert_int_equal(response_of(in, H1_GET, &resp), H1_OK);
	assert_int_equal(h1_write_response(&out, &resp, reply), 0);
	expect_text(&out, expected);
}

static void test_request_plain(void **state)
{
	(void)state;
	expect_request(HEAD "x-Odd_case: 1\r\nCookie: c\r\nLast-Event-ID: \xff 7\r\ncookie: d\r\n\r\n",
		&plain,
		HEAD "x-Odd_case: 1\r\nCookie: c\r\nLast-Event-ID: \xff 7\r\ncookie: d\r\n" FORWARDING
		     "\r\n");
}

/* Fields of sluice's own about the client's certificate: no client sends them, in no spelling that an
 * upstream with CGI habits would take for the same. */
static void test_request_own_fields(void **state)
{
	static const char *const own[] = {"X-Client-Subject", "X_Other"};
	struct h1_forward fwd = plain;
	const char *in = HEAD "X-Client-Subject: a\r\nx_client-SUBJECT: b\r\nX-Client-Subjects: c\r\n"
			      "X-Client-Subjec: d\r\nx-other: e\r\nX-Others: f\r\nX: g\r\n\r\n";

	(void)state;
	fwd.own = own;
	fwd.nown = ARRAY_LEN(own);
	expect_request(in, &fwd,
		HEAD "X-Client-Subjects: c\r\nX-Client-Subjec: d\r\nX-Others: f\r\nX: g\r\n" FORWARDING
		     "\r\n");
	fwd.subject_header = SLICE("X-Client-Subject");
	fwd.subject = SLICE("CN=a\\, b");
	expect_request(HEAD "Connection: X-Client-Subject\r\nx-client-subject: a\r\n\r\n", &fwd,
		HEAD FORWARDING "X-Client-Subject: CN=a\\, b\r\n\r\n");
}

static void test_request_hop_by_hop(void **state)
{
	(void)state;
	expect_request(HEAD "Connection: close, X-Secret\r\nX-Secret: 1\r\nKeep-Alive: 1\r\nTE: trailers\r\n"
			    "Proxy-Authorization: p\r\nUpgrade: websocket\r\nTrailer: X\r\nX: y\r\n\r\n",
		&plain, HEAD "X: y\r\n" FORWARDING "\r\n");
}

static void test_request_framing(void **state)
{
	(void)state;
	expect_request("POST /a?b HTTP/1.1\r\nHost: a:80\r\ncontent-length: 010\r\nX: y\r\n\r\n", &plain,
		"POST /a?b HTTP/1.1\r\nHost: a:80\r\ncontent-length: 10\r\nX: y\r\n" FORWARDING "\r\n");
	expect_request("POST /a?b HTTP/1.1\r\nHost: a:80\r\ntransfer-encoding: Chunked\r\nTrailer: X\r\n\r\n",
		&plain,
		"POST /a?b HTTP/1.1\r\nHost: a:80\r\nTrailer: X\r\nTransfer-Encoding: chunked\r\n" FORWARDING
		"\r\n");
}

static void test_request_http10(void **state)
{
	(void)state;
	expect_request("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", &plain,
		"GET / HTTP/1.1\r\nHost: \r\nVia: 1.0 sluice\r\nX-Forwarded-For: 192.0.2.1\r\n"
		"X-Forwarded-Proto: http\r\nForwarded: for=192.0.2.1;proto=http\r\n\r\n");
}

static void test_request_absolute_form(void **state)
{
	(void)state;
	expect_request("GET http://a:80/a?b HTTP/1.1\r\nX: y\r\nHost: evil\r\n\r\n", &plain,
		"GET /a?b HTTP/1.1\r\nX: y\r\nHost: a:80\r\n" FORWARDING "\r\n");
	expect_request("OPTIONS http://a:80 HTTP/1.1\r\nHost: evil\r\n\r\n", &plain,
		"OPTIONS * HTTP/1.1\r\nHost: a:80\r\n" FORWARDING "\r\n");
}

static void test_request_host_and_prefix(void **state)
{
	struct h1_forward fwd = plain;

	(void)state;
	fwd.host = SLICE("up.example");
	fwd.path_prefix = SLICE("/v1/");
	expect_request(HEAD "\r\n", &fwd, "GET /v1/a?b HTTP/1.1\r\nHost: up.example\r\n" FORWARDING "\r\n");
	expect_request("OPTIONS * HTTP/1.1\r\nHost: a:80\r\n\r\n", &fwd,
		"OPTIONS * HTTP/1.1\r\nHost: up.example\r\n" FORWARDING "\r\n");
}

/* B15 */
static void test_request_spoofed_forwarding(void **state)
{
	(void)state;
	expect_request(HEAD
		"X-Forwarded-For: 6.6.6.6\r\nX-Forwarded-Proto: https\r\nForwarded: for=6.6.6.6\r\n"
		"X_Forwarded_For: 6.6.6.6\r\nX-Forwarded_Host: evil\r\nX-FORWARDED-HOST: evil\r\n\r\n",
		&plain, HEAD FORWARDING "\r\n");
}

static void test_request_trusted_forwarding(void **state)
{
	struct h1_forward fwd = plain;

	(void)state;
	fwd.client_trusted = true;
	expect_request(HEAD
		"X-Forwarded-For: 1.1.1.1\r\nX-Forwarded-Proto: https\r\nForwarded: for=1.1.1.1\r\n"
		"X-Forwarded-For:\r\nX-Forwarded-For: 2.2.2.2\r\nVia: 1.0 edge\r\n\r\n",
		&fwd,
		HEAD "Via: 1.0 edge, 1.1 sluice\r\nX-Forwarded-For: 1.1.1.1, 2.2.2.2, 192.0.2.1\r\n"
		     "X-Forwarded-Proto: https\r\nX-Forwarded-Host: a:80\r\n"
		     "Forwarded: for=1.1.1.1, for=192.0.2.1;host=\"a:80\";proto=http\r\n\r\n");
}

static void test_request_client_addresses(void **state)
{
	struct h1_forward fwd = {.client_ip = SLICE("2001:db8::1"), .scheme = SLICE("https")};

	(void)state;
	expect_request("GET / HTTP/1.1\r\nHost: a\r\n\r\n", &fwd,
		"GET / HTTP/1.1\r\nHost: a\r\nVia: 1.1 sluice\r\nX-Forwarded-For: 2001:db8::1\r\n"
		"X-Forwarded-Proto: https\r\nX-Forwarded-Host: a\r\n"
		"Forwarded: for=\"[2001:db8::1]\";host=a;proto=https\r\n\r\n");
	fwd.client_ip = (struct slice){0};
	expect_request("GET / HTTP/1.1\r\nHost: a\r\n\r\n", &fwd,
		"GET / HTTP/1.1\r\nHost: a\r\nVia: 1.1 sluice\r\nX-Forwarded-Proto: https\r\n"
		"X-Forwarded-Host: a\r\nForwarded: for=unknown;host=a;proto=https\r\n\r\n");
}

static void test_request_accept_encoding(void **state)
{
	struct h1_forward fwd = plain;

	(void)state;
	expect_request(
		HEAD "accept-encoding: br\r\n\r\n", &fwd, HEAD "accept-encoding: br\r\n" FORWARDING "\r\n");
	fwd.drop_accept_encoding = true;
	expect_request(HEAD "accept-encoding: br\r\n\r\n", &fwd, HEAD FORWARDING "\r\n");
}

static void test_request_upgrade(void **state)
{
	struct h1_forward fwd = plain;
	const char *in = HEAD "Connection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: k\r\n\r\n";

	(void)state;
	expect_request(in, &fwd, HEAD "Sec-WebSocket-Key: k\r\n" FORWARDING "\r\n");
	fwd.upgrade = true;
	expect_request(in, &fwd,
		HEAD "Sec-WebSocket-Key: k\r\n" FORWARDING
		     "Connection: upgrade\r\nUpgrade: websocket\r\n\r\n");
	expect_request(HEAD "Connection: upgrade\r\nUpgrade: websocket\r\nContent-Length: 1\r\n\r\n", &fwd,
		HEAD "Content-Length: 1\r\n" FORWARDING "\r\n"); /* A35 */
}

static void test_request_expect(void **state)
{
	(void)state;
	expect_request(HEAD "Expect: 100-continue\r\nContent-Length: 1\r\n\r\n", &plain,
		HEAD "Expect: 100-continue\r\nContent-Length: 1\r\n" FORWARDING "\r\n");
	expect_request(HEAD "Expect: 100-continue\r\n\r\n", &plain, HEAD FORWARDING "\r\n");
}

/* As HTTP/2 gives it: no Host and no framing among the fields. */
static void test_request_without_fields(void **state)
{
	struct h1_request req = {.method = H1_POST,
		.method_text = SLICE("POST"),
		.path = SLICE("/a"),
		.host = SLICE("a:80"),
		.minor = 1,
		.framing = H1_BODY_LENGTH,
		.content_length = 3};
	_cleanup_buf_ struct buf out = {0};

	(void)state;
	assert_int_equal(h1_write_request(&out, &req, &plain), 0);
	expect_text(&out, "POST /a HTTP/1.1\r\nHost: a:80\r\nContent-Length: 3\r\n" FORWARDING "\r\n");
}

static void test_edits(void **state)
{
	const struct h1_edit list[] = {
		{H1_EDIT_SET, SLICE("x-a"), SLICE("longer than before")},
		{H1_EDIT_REMOVE, SLICE("X-B"), {0}},
		{H1_EDIT_ADD, SLICE("X-C"), SLICE("1")},
		{H1_EDIT_SET, SLICE("X-D"), SLICE("")},
		{H1_EDIT_SET, SLICE("VIA"), SLICE("v")},
		{H1_EDIT_REMOVE, SLICE("x-forwarded-for"), {0}},
		{H1_EDIT_REMOVE, SLICE("X-Forwarded-Proto"), {0}},
		{H1_EDIT_REMOVE, SLICE("X-Forwarded-Host"), {0}},
		{H1_EDIT_REMOVE, SLICE("Forwarded"), {0}},
		{H1_EDIT_ADD, SLICE("X-E"), SLICE("2")},
		{H1_EDIT_SET, SLICE("X-E"), SLICE("3")},
		{H1_EDIT_ADD, SLICE("X-F"), SLICE("4")},
		{H1_EDIT_REMOVE, SLICE("X-F"), {0}},
	};
	struct h1_forward fwd = plain;

	(void)state;
	fwd.edits = (struct h1_edits){list, ARRAY_LEN(list)};
	expect_request(HEAD "X-B: 1\r\nX-A: 1\r\nX-AA: 1\r\nX-A: 2\r\nX-C: 0\r\nX-A: 3\r\nX-b: 2\r\n\r\n",
		&fwd,
		HEAD "X-A: longer than before\r\nX-AA: 1\r\nX-C: 0\r\nVia: v\r\nX-C: 1\r\nX-D: \r\nX-E: "
		     "3\r\n\r\n");
}

/* The first line is no field, and what frames the message is not for configuration. */
static void test_edits_keep_framing(void **state)
{
	const struct h1_edit list[] = {
		{H1_EDIT_SET, SLICE("Content-Length"), SLICE("1")},
		{H1_EDIT_ADD, SLICE("Transfer-Encoding"), SLICE("chunked")},
		{H1_EDIT_REMOVE, SLICE("content-length"), {0}},
		{H1_EDIT_ADD, SLICE("Connection"), SLICE("close")},
		{H1_EDIT_REMOVE, SLICE("GET /a?b HTTP/1.1"), {0}},
	};
	struct h1_forward fwd = plain;
	_cleanup_buf_ struct buf out = {0};
	struct h1_request req;

	(void)state;
	fwd.edits = (struct h1_edits){list, ARRAY_LEN(list) - 1};
	expect_request(
		HEAD "Content-Length: 5\r\n\r\n", &fwd, HEAD "Content-Length: 5\r\n" FORWARDING "\r\n");
	fwd.edits.n++;
	assert_int_equal(request_of(HEAD "\r\n", &req), H1_OK);
	assert_int_equal(h1_write_request(&out, &req, &fwd), -EINVAL);
	assert_int_equal(out.len, 0);
}

static void test_edit_cannot_split(void **state)
{
	const struct h1_edit evil = {H1_EDIT_SET, SLICE("X"), SLICE("a\r\nY: b")};
	struct h1_forward fwd = plain;
	_cleanup_buf_ struct buf out = {0};
	struct h1_request req;

	(void)state;
	fwd.edits = (struct h1_edits){&evil, 1};
	assert_int_equal(request_of(HEAD "\r\n", &req), H1_OK);
	assert_int_equal(h1_write_request(&out, &req, &fwd), -EINVAL);
}

/* Whatever write runs out of room, the buffer is as it was. */
static void test_no_room(void **state)
{
	const struct h1_edit set = {H1_EDIT_SET, SLICE("Via"), SLICE("something longer")};
	struct h1_forward fwd = plain;
	struct h1_request req;
	size_t full = 0;

	(void)state;
	fwd.edits = (struct h1_edits){&set, 1};
	assert_int_equal(request_of(HEAD "Forwarded: for=x\r\nX: y\r\n\r\n", &req), H1_OK);
	for (size_t max = 3; !full && max < 1000; max++) {
		_cleanup_buf_ struct buf out = {.max = max};
		int err;

		assert_int_equal(buf_append(&out, "abc", 3), 0);
		err = h1_write_request(&out, &req, &fwd);
		if (err) {
			assert_int_equal(err, -ENOBUFS);
			assert_slice(buf_slice(&out), "abc");
		} else {
			full = out.len;
			assert_int_equal(full, max);
		}
	}
	assert_int_not_equal(full, 0);
}

/* Whatever allocation fails, the same. */
static void test_no_memory(void **state)
{
	struct h1_forward fwd = plain;
	struct h1_request req;
	long nth = 0;
	bool hit;
	int err;

	(void)state;
	alloc_fail_needed();
	fwd.client_trusted = true;
	assert_int_equal(request_of(HEAD "Forwarded: for=x\r\nX: y\r\n\r\n", &req), H1_OK);
	do {
		_cleanup_buf_ struct buf out = {0};

		alloc_fail_at(++nth);
		err = h1_write_request(&out, &req, &fwd);
		hit = alloc_fail_hit();
		alloc_fail_at(0);
		assert_int_equal(err, hit ? -ENOMEM : 0);
		assert_true(!err || out.len == 0);
	} while (err && nth < 100);
	assert_int_equal(err, 0);
	assert_true(nth > 2);
}

static void test_response_plain(void **state)
{
	const struct h1_reply reply = {.client_minor = 1, .framing = H1_BODY_LENGTH, .keep_alive = true};

	(void)state;
	expect_response(
		"HTTP/1.0 200 Fine\r\nDate: d\r\nset-Cookie: a\r\nContent-Length: 05\r\nSet-Cookie: b\r\n"
		"Connection: keep-alive, X-Secret\r\nX-Secret: s\r\nKeep-Alive: timeout=5\r\nVia: 1.1 up\r\n"
		"X-Accel-Buffering: yes\r\n\r\n",
		&reply,
		"HTTP/1.1 200 Fine\r\nDate: d\r\nset-Cookie: a\r\nContent-Length: 5\r\nSet-Cookie: b\r\n"
		"X-Accel-Buffering: yes\r\nVia: 1.1 up, 1.0 sluice\r\n\r\n");
}

static void test_response_stream(void **state)
{
	const struct h1_reply reply = {
		.client_minor = 1, .framing = H1_BODY_CHUNKED, .keep_alive = true, .stream = true};

	(void)state;
	expect_response("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n"
			"X-Accel-Buffering: yes\r\n\r\n",
		&reply,
		"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n"
		"Cache-Control: no-cache, no-transform\r\nX-Accel-Buffering: no\r\nVia: 1.1 sluice\r\n\r\n");
	expect_response(
		"HTTP/1.1 200 OK\r\nCache-Control: no-store\r\nX: y\r\ncache-control: max-age=0\r\n\r\n",
		&reply,
		"HTTP/1.1 200 OK\r\nX: y\r\nTransfer-Encoding: chunked\r\n"
		"Cache-Control: no-store, max-age=0, no-transform\r\nX-Accel-Buffering: no\r\nVia: 1.1 "
		"sluice\r\n\r\n");
	expect_response("HTTP/1.1 200 OK\r\ncache-control: No-Transform\r\nX: y\r\n\r\n", &reply,
		"HTTP/1.1 200 OK\r\ncache-control: No-Transform\r\nX: y\r\nTransfer-Encoding: chunked\r\n"
		"X-Accel-Buffering: no\r\nVia: 1.1 sluice\r\n\r\n");
}

/* Never Content-Length with Transfer-Encoding, and none where the body is another. */
static void test_response_length(void **state)
{
	struct h1_reply reply = {.client_minor = 1, .framing = H1_BODY_CHUNKED, .keep_alive = true};
	const char *in = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTrailer: X\r\n\r\n";

	(void)state;
	expect_response(in, &reply,
		"HTTP/1.1 200 OK\r\nTrailer: X\r\nTransfer-Encoding: chunked\r\nVia: 1.1 sluice\r\n\r\n");
	reply.framing = H1_BODY_CLOSE;
	expect_response(in, &reply, "HTTP/1.1 200 OK\r\nVia: 1.1 sluice\r\nConnection: close\r\n\r\n");
	reply.trailers = true; /* HTTP/2 */
	expect_response(
		in, &reply, "HTTP/1.1 200 OK\r\nTrailer: X\r\nVia: 1.1 sluice\r\nConnection: close\r\n\r\n");
	reply.trailers = false;
	reply.framing = H1_BODY_NONE; /* of a HEAD */
	expect_response(in, &reply, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nVia: 1.1 sluice\r\n\r\n");
	expect_response("HTTP/1.1 304 x\r\nContent-Length: 5\r\n\r\n", &reply,
		"HTTP/1.1 304 x\r\nContent-Length: 5\r\nVia: 1.1 sluice\r\n\r\n");
	expect_response("HTTP/1.1 204 x\r\nContent-Length: 5\r\n\r\n", &reply,
		"HTTP/1.1 204 x\r\nVia: 1.1 sluice\r\n\r\n");
}

static void test_response_http10_client(void **state)
{
	struct h1_reply reply = {.client_minor = 0, .framing = H1_BODY_CLOSE};
	_cleanup_buf_ struct buf out = {0};
	struct h1_response resp;

	(void)state;
	expect_response("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", &reply,
		"HTTP/1.1 200 OK\r\nVia: 1.1 sluice\r\nConnection: close\r\n\r\n");
	reply.framing = H1_BODY_LENGTH;
	reply.keep_alive = true;
	expect_response("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", &reply,
		"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nVia: 1.1 sluice\r\nConnection: keep-alive\r\n\r\n");
	reply.framing = H1_BODY_CHUNKED;
	assert_int_equal(response_of("HTTP/1.1 200 OK\r\n\r\n", H1_GET, &resp), H1_OK);
	assert_int_equal(h1_write_response(&out, &resp, &reply), -EINVAL);
	assert_int_equal(out.len, 0);
}

static void test_response_upgrade(void **state)
{
	const struct h1_reply reply = {.client_minor = 1, .keep_alive = true, .upgrade = true};

	(void)state;
	expect_response("HTTP/1.1 101 x\r\nConnection: Upgrade\r\nUpgrade: "
			"websocket\r\nSec-WebSocket-Accept: k\r\n\r\n",
		&reply,
		"HTTP/1.1 101 x\r\nSec-WebSocket-Accept: k\r\nVia: 1.1 sluice\r\nConnection: upgrade\r\n"
		"Upgrade: websocket\r\n\r\n");
}

static void test_response_edits(void **state)
{
	const struct h1_edit list[] = {
		{H1_EDIT_REMOVE, SLICE("server"), {0}},
		{H1_EDIT_SET, SLICE("Cache-Control"), SLICE("no-store")},
	};
	const struct h1_reply reply = {.client_minor = 1,
		.framing = H1_BODY_CLOSE,
		.stream = true,
		.edits = {list, ARRAY_LEN(list)}};

	(void)state;
	expect_response("HTTP/1.1 200 OK\r\nServer: x\r\nSet-Cookie: a\r\n\r\n", &reply,
		"HTTP/1.1 200 OK\r\nSet-Cookie: a\r\nCache-Control: no-store\r\nX-Accel-Buffering: no\r\n"
		"Via: 1.1 sluice\r\nConnection: close\r\n\r\n");
}

static void test_interim(void **state)
{
	_cleanup_buf_ struct buf out = {0};
	struct h1_response resp;

	(void)state;
	assert_int_equal(
		response_of(
			"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\nConnection: close\r\nlink: </b>\r\n\r\n",
			H1_GET, &resp),
		H1_OK);
	assert_int_equal(h1_write_interim(&out, &resp), 0);
	expect_text(&out, "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\nlink: </b>\r\n\r\n");
}

static void expect_error(int status, const char *detail, int retry, bool keep_alive, enum h1_method method,
	const char *expected)
{
	_cleanup_buf_ struct buf out = {0};

	assert_int_equal(h1_write_error(&out, status, detail, retry, keep_alive, method), 0);
	expect_text(&out, expected);
}

static void test_error(void **state)
{
	(void)state;
	expect_error(502, "upstream closed early", 0, true, H1_GET,
		"HTTP/1.1 502 Bad Gateway\r\nCache-Control: no-store\r\nContent-Type: text/plain; "
		"charset=utf-8\r\n"
		"Content-Length: 38\r\n\r\n502 Bad Gateway\nupstream closed early\n");
	expect_error(503, NULL, 7, false, H1_HEAD,
		"HTTP/1.1 503 Service Unavailable\r\nCache-Control: no-store\r\nRetry-After: "
		"7\r\nConnection: close\r\n"
		"Content-Type: text/plain; charset=utf-8\r\nContent-Length: 24\r\n\r\n");
	expect_error(405, NULL, 0, false, H1_TRACE,
		"HTTP/1.1 405 Method Not Allowed\r\nCache-Control: no-store\r\n"
		"Allow: GET, HEAD, POST, PUT, DELETE, OPTIONS, PATCH\r\nConnection: close\r\n"
		"Content-Type: text/plain; charset=utf-8\r\nContent-Length: 23\r\n\r\n405 Method Not "
		"Allowed\n");
	expect_error(
		204, NULL, 0, true, H1_GET, "HTTP/1.1 204 No Content\r\nCache-Control: no-store\r\n\r\n");
	assert_string_equal(h1_reason(502), "Bad Gateway");
	assert_string_equal(h1_reason(299), "Unknown");
	for (int rule = 1; rule < H1_RULE_COUNT; rule++) /* what is said to a client has a name */
		assert_string_not_equal(h1_reason(h1_rule_status((enum h1_rule)rule)), "Unknown");
}

static void test_error_no_room(void **state)
{
	size_t max = 1;
	int err;

	(void)state;
	do {
		_cleanup_buf_ struct buf out = {.max = max};

		err = h1_write_error(&out, 503, "x", 1, false, H1_GET);
		assert_true(err == 0 || err == -ENOBUFS);
		assert_true(err == 0 || out.len == 0);
	} while (err && max++ < 1000);
	assert_int_equal(err, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_request_plain),
		cmocka_unit_test(test_request_own_fields),
		cmocka_unit_test(test_request_hop_by_hop),
		cmocka_unit_test(test_request_framing),
		cmocka_unit_test(test_request_http10),
		cmocka_unit_test(test_request_absolute_form),
		cmocka_unit_test(test_request_host_and_prefix),
		cmocka_unit_test(test_request_spoofed_forwarding),
		cmocka_unit_test(test_request_trusted_forwarding),
		cmocka_unit_test(test_request_client_addresses),
		cmocka_unit_test(test_request_accept_encoding),
		cmocka_unit_test(test_request_upgrade),
		cmocka_unit_test(test_request_expect),
		cmocka_unit_test(test_request_without_fields),
		cmocka_unit_test(test_edits),
		cmocka_unit_test(test_edits_keep_framing),
		cmocka_unit_test(test_edit_cannot_split),
		cmocka_unit_test(test_no_room),
		cmocka_unit_test(test_no_memory),
		cmocka_unit_test(test_response_plain),
		cmocka_unit_test(test_response_stream),
		cmocka_unit_test(test_response_length),
		cmocka_unit_test(test_response_http10_client),
		cmocka_unit_test(test_response_upgrade),
		cmocka_unit_test(test_response_edits),
		cmocka_unit_test(test_interim),
		cmocka_unit_test(test_error),
		cmocka_unit_test(test_error_no_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
