#include "h1_text.h"

#define HEAD "GET / HTTP/1.1\r\nHost: a\r\n"

static void parse(const char *text, struct h1_request *req)
{
	enum h1_rule rule = request_of(text, req);

	if (rule)
		fail_msg("refused: %s", h1_rule_label(rule));
}

static void test_parts(void **state)
{
	struct h1_request req;

	(void)state;
	parse("GET /a/b?c=d?e HTTP/1.1\r\nhOst: x.example:81\r\nAccept: text/html\r\nX-Odd_Name:  v w "
	      "\r\n\r\n",
		&req);
	assert_int_equal(req.method, H1_GET);
	assert_slice(req.method_text, "GET");
	assert_slice(req.target, "/a/b?c=d?e");
	assert_slice(req.path, "/a/b");
	assert_slice(req.query, "c=d?e");
	assert_slice(req.host, "x.example:81");
	assert_false(req.absolute_form);
	assert_int_equal(req.minor, 1);
	assert_int_equal(req.framing, H1_BODY_NONE);
	assert_true(req.keep_alive);
	assert_false(req.accepts_event_stream);
	assert_int_equal(req.nfields, 3);
	assert_slice(req.fields[0].name, "hOst");
	assert_int_equal(req.fields[0].id, H1_F_HOST);
	assert_int_equal(req.fields[1].id, H1_F_ACCEPT);
	assert_slice(req.fields[2].name, "X-Odd_Name");
	assert_slice(req.fields[2].value, "v w");
	assert_int_equal(req.fields[2].id, H1_F_OTHER);
}

static void test_query(void **state)
{
	struct h1_request req;

	(void)state;
	parse("GET /a HTTP/1.1\r\nHost: a\r\n\r\n", &req);
	assert_null(req.query.p);
	parse("GET /a? HTTP/1.1\r\nHost: a\r\n\r\n", &req);
	assert_non_null(req.query.p);
	assert_int_equal(req.query.n, 0);
	assert_slice(req.path, "/a");
}

static void test_absolute_form(void **state)
{
	struct h1_request req;

	(void)state;
	parse("GET HTTP://B:81/x?y HTTP/1.1\r\nHost: a\r\n\r\n", &req);
	assert_true(req.absolute_form);
	assert_slice(req.host, "B:81");
	assert_slice(req.path, "/x");
	assert_slice(req.query, "y");
	parse("GET https://b HTTP/1.1\r\nHost: a\r\n\r\n", &req);
	assert_slice(req.path, "/");
	parse("GET http://[::1]?q HTTP/1.1\r\nHost: a\r\n\r\n", &req);
	assert_slice(req.host, "[::1]");
	assert_slice(req.path, "/");
	assert_slice(req.query, "q");
	parse("OPTIONS http://b HTTP/1.1\r\nHost: a\r\n\r\n", &req);
	assert_slice(req.path, "*");
	parse("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", &req);
	assert_slice(req.path, "*");
	assert_false(req.absolute_form);
}

static void test_methods(void **state)
{
	static const struct {
		const char *text;
		enum h1_method method;
	} rows[] = {
		{"GET", H1_GET},
		{"HEAD", H1_HEAD},
		{"POST", H1_POST},
		{"PUT", H1_PUT},
		{"DELETE", H1_DELETE},
		{"OPTIONS", H1_OPTIONS},
		{"PATCH", H1_PATCH},
		{"M-SEARCH", H1_METHOD_OTHER},
		{"GETX", H1_METHOD_OTHER},
		{"G", H1_METHOD_OTHER},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct h1_request req;
		char text[128];

		snprintf(text, sizeof(text), "%s / HTTP/1.1\r\nHost: a\r\n\r\n", rows[i].text);
		parse(text, &req);
		assert_int_equal(req.method, rows[i].method);
		assert_slice(req.method_text, rows[i].text);
	}
}

static void test_framing(void **state)
{
	struct h1_request req;

	(void)state;
	parse(HEAD "Content-Length: 010\r\n\r\n", &req);
	assert_int_equal(req.framing, H1_BODY_LENGTH);
	assert_int_equal(req.content_length, 10); /* A10: decimal, never octal */
	parse(HEAD "Content-Length: 0\r\n\r\n", &req);
	assert_int_equal(req.framing, H1_BODY_LENGTH);
	assert_int_equal(req.content_length, 0);
	parse(HEAD "Content-Length: 9223372036854775807\r\n\r\n", &req);
	assert_true(req.content_length == INT64_MAX);
	parse(HEAD "Transfer-Encoding: ChUnKeD\r\n\r\n", &req);
	assert_int_equal(req.framing, H1_BODY_CHUNKED);
	parse("POST / HTTP/1.1\r\nHost: a\r\n\r\n", &req); /* A39 */
	assert_int_equal(req.framing, H1_BODY_NONE);
}

static void test_versions_and_keep_alive(void **state)
{
	static const struct {
		const char *version, *connection;
		int minor;
		bool keep_alive;
	} rows[] = {
		{"1.1", "x", 1, true},
		{"1.1", "close", 1, false},
		{"1.1", "x, CLOSE", 1, false},
		{"1.1", "keep-alive, close", 1, false},
		{"1.1", "closed", 1, true},
		{"1.0", "x", 0, false},
		{"1.0", "Keep-Alive", 0, true},
		{"1.0", "keep-alive, close", 0, false},
		{"1.2", "x", 1, true},
		{"1.9", "close", 1, false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct h1_request req;
		char text[128];

		snprintf(text, sizeof(text), "GET / HTTP/%s\r\nHost: a\r\nConnection: %s\r\n\r\n",
			rows[i].version, rows[i].connection);
		parse(text, &req);
		assert_int_equal(req.minor, rows[i].minor);
		assert_int_equal(req.keep_alive, rows[i].keep_alive);
	}
}

static bool hop_by_hop(const struct h1_request *req, const char *name)
{
	const struct h1_field *f = h1_field_named(req->fields, req->nfields, slice_of(name));

	assert_non_null(f);
	return f->hop_by_hop;
}

static void test_connection_names(void **state)
{
	struct h1_request req;

	(void)state;
	parse(HEAD "connection: close, , x-secret\r\nX-Secret: 1\r\nX-Other: 2\r\nKeep-Alive: 5\r\nTE: "
		   "trailers\r\n"
		   "Proxy-Connection: x\r\nProxy-Authorization: y\r\nUpgrade: z\r\nTrailer: t\r\n\r\n",
		&req);
	assert_true(hop_by_hop(&req, "x-secret"));
	assert_false(hop_by_hop(&req, "x-other"));
	assert_true(hop_by_hop(&req, "connection"));
	assert_true(hop_by_hop(&req, "keep-alive"));
	assert_true(hop_by_hop(&req, "te"));
	assert_true(hop_by_hop(&req, "proxy-connection"));
	assert_true(hop_by_hop(&req, "proxy-authorization"));
	assert_true(hop_by_hop(&req, "upgrade"));
	assert_false(hop_by_hop(&req, "trailer"));
}

/* B13 */
static void test_connection_never_names_framing(void **state)
{
	struct h1_request req;

	(void)state;
	parse(HEAD "Connection: host, Content-Length, x-forwarded-for, forwarded\r\nContent-Length: 3\r\n"
		   "X-Forwarded-For: b\r\nForwarded: for=b\r\n\r\n",
		&req);
	assert_false(hop_by_hop(&req, "host"));
	assert_false(hop_by_hop(&req, "content-length"));
	assert_false(hop_by_hop(&req, "x-forwarded-for"));
	assert_false(hop_by_hop(&req, "forwarded"));
	assert_int_equal(req.framing, H1_BODY_LENGTH);
}

static void test_upgrade(void **state)
{
	static const struct {
		const char *fields, *upgrade;
	} rows[] = {
		{"Connection: Upgrade\r\nUpgrade: websocket\r\n", "websocket"},
		{"Connection: keep-alive, upgrade\r\nUpgrade: a/1, b\r\n", "a/1, b"},
		{"Connection: upgrade\r\nUpgrade: websocket\r\nContent-Length: 0\r\n", "websocket"},
		{"Upgrade: websocket\r\n", ""},
		{"Connection: upgrade\r\n", ""},
		{"Connection: upgrade\r\nUpgrade: websocket\r\nContent-Length: 1\r\n", ""},
		{"Connection: upgrade\r\nUpgrade: websocket\r\nTransfer-Encoding: chunked\r\n", ""},
		{"Connection: upgrade\r\nUpgrade: a\r\nUpgrade: b\r\n", ""},
		{"Connection: upgrade\r\nUpgrade: websocket, H2C\r\n", ""},
		{"Connection: upgrade\r\nUpgrade: TLS/1.0\r\n", ""},
		{"Connection: upgrade\r\nUpgrade: HTTP/2.0\r\n", ""},
	};
	struct h1_request req;
	char text[256];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		snprintf(text, sizeof(text), HEAD "%s\r\n", rows[i].fields);
		parse(text, &req);
		assert_slice(req.upgrade, rows[i].upgrade);
	}
	parse("GET / HTTP/1.0\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n", &req);
	assert_int_equal(req.upgrade.n, 0);
}

static void test_expect(void **state)
{
	struct h1_request req;

	(void)state;
	parse(HEAD "Expect: 100-Continue\r\nContent-Length: 5\r\n\r\n", &req);
	assert_true(req.expect_continue);
	parse(HEAD "Expect: 100-continue\r\nTransfer-Encoding: chunked\r\n\r\n", &req);
	assert_true(req.expect_continue);
	parse(HEAD "Expect: 100-continue\r\nContent-Length: 0\r\n\r\n", &req);
	assert_false(req.expect_continue);
	parse("POST / HTTP/1.0\r\nExpect: bogus\r\nContent-Length: 5\r\n\r\n", &req);
	assert_false(req.expect_continue);
}

static void test_accepts_event_stream(void **state)
{
	static const struct {
		const char *accept;
		bool event_stream;
	} rows[] = {
		{"text/event-stream", true},
		{"TEXT/Event-Stream;q=0.5", true},
		{"application/json, text/event-stream", true},
		{"application/json,,text/event-stream ; x=y,*/*", true},
		{"text/event-streams", false},
		{"text/html;x=text/event-stream", false},
		{"*/*", false},
		{"", false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct h1_request req;
		char text[256];

		snprintf(text, sizeof(text), HEAD "Accept: %s\r\n\r\n", rows[i].accept);
		parse(text, &req);
		assert_int_equal(req.accepts_event_stream, rows[i].event_stream);
		snprintf(text, sizeof(text), HEAD "Accept: x/y\r\nAccept: %s\r\n\r\n", rows[i].accept);
		parse(text, &req);
		assert_int_equal(req.accepts_event_stream, rows[i].event_stream);
	}
}

static void test_fields_in_order(void **state)
{
	struct h1_request req;

	(void)state;
	parse(HEAD
		"Last-Event-ID: 7\r\nCookie: a\r\nlast-event-id: 8\r\nMcp-Session-Id: \xc3\xa4\xff\r\n\r\n",
		&req);
	assert_int_equal(req.nfields, 5);
	assert_slice(h1_field_find(req.fields, req.nfields, H1_F_LAST_EVENT_ID)->value, "7");
	assert_slice(req.fields[3].value, "8");
	assert_slice(req.fields[4].value, "\xc3\xa4\xff"); /* B9 */
	assert_null(h1_field_find(req.fields, req.nfields, H1_F_VIA));
	assert_null(h1_field_named(req.fields, req.nfields, SLICE("cooki")));
	assert_slice(h1_field_named(req.fields, req.nfields, SLICE("COOKIE"))->value, "a");
}

/* Not by h1_scan, but by whoever calls the parser on its own: still no byte too far and no acceptance. */
static void test_unscanned_heads(void **state)
{
	static const char *const heads[] = {"", "G", "GET / HTTP/1.1", "GET / HTTP/1.1\r",
		"GET / HTTP/1.1\r\nHost: a", "GET / HTTP/1.1\r\nHost: a\r", "GET / HTTP/1.1\r\nHost"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(heads); i++) {
		size_t n = strlen(heads[i]);
		char *copy = malloc(n + 1);
		struct h1_request req;

		assert_non_null(copy);
		memcpy(copy, heads[i], n);
		assert_int_not_equal(h1_request_parse(copy, n, &req), H1_OK);
		free(copy);
	}
}

static void test_limits_are_exact(void **state)
{
	struct h1_request req;
	char *text = malloc(H1_MAX_HEAD + 64);
	struct h1_scan scan;
	size_t n, line = H1_MAX_LINE - strlen("GET  HTTP/1.1");

	(void)state;
	assert_non_null(text);
	for (size_t extra = 0; extra < 2; extra++) { /* the request line, and one byte more */
		n = (size_t)sprintf(text, "GET /");
		memset(text + n, 'a', line - 1 + extra);
		n += line - 1 + extra;
		n += (size_t)sprintf(text + n, " HTTP/1.1\r\nHost: a\r\n\r\n");
		assert_int_equal(request_of(text, &req), extra ? H1_RULE_LINE_TOO_LONG : H1_OK);
	}
	for (size_t extra = 0; extra < 2; extra++) { /* the head */
		size_t pad;

		n = (size_t)sprintf(text, HEAD "X:");
		pad = H1_MAX_HEAD - n - 4 + extra;
		memset(text + n, 'a', pad);
		sprintf(text + n + pad, "\r\n\r\n");
		assert_int_equal(request_of(text, &req), extra ? H1_RULE_HEAD_TOO_LARGE : H1_OK);
	}
	scan = (struct h1_scan){0};
	assert_int_equal(h1_scan(&scan, H1_REQUEST, text, H1_MAX_HEAD - 1, &n), H1_OK);
	assert_int_equal(n, 0);
	assert_int_equal(h1_scan(&scan, H1_REQUEST, text, H1_MAX_HEAD, &n), H1_RULE_HEAD_TOO_LARGE);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parts),
		cmocka_unit_test(test_query),
		cmocka_unit_test(test_absolute_form),
		cmocka_unit_test(test_methods),
		cmocka_unit_test(test_framing),
		cmocka_unit_test(test_versions_and_keep_alive),
		cmocka_unit_test(test_connection_names),
		cmocka_unit_test(test_connection_never_names_framing),
		cmocka_unit_test(test_upgrade),
		cmocka_unit_test(test_expect),
		cmocka_unit_test(test_accepts_event_stream),
		cmocka_unit_test(test_fields_in_order),
		cmocka_unit_test(test_unscanned_heads),
		cmocka_unit_test(test_limits_are_exact),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
