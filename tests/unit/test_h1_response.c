#include "h1_text.h"

static void parse(const char *text, struct h1_response *resp)
{
	enum h1_rule rule = response_of(text, H1_GET, resp);

	if (rule)
		fail_msg("refused: %s", h1_rule_label(rule));
}

static void test_parts(void **state)
{
	struct h1_response resp;

	(void)state;
	parse("HTTP/1.1 404 Not  Found here\r\nA: b\r\nContent-Length: 3\r\n\r\n", &resp);
	assert_int_equal(resp.status, 404);
	assert_slice(resp.reason, "Not  Found here");
	assert_int_equal(resp.minor, 1);
	assert_int_equal(resp.framing, H1_BODY_LENGTH);
	assert_int_equal(resp.content_length, 3);
	assert_true(resp.has_length);
	assert_true(resp.keep_alive);
	assert_int_equal(resp.nfields, 2);
	parse("HTTP/1.0 200\r\n\r\n", &resp);
	assert_int_equal(resp.reason.n, 0);
	assert_int_equal(resp.minor, 0);
	parse("HTTP/1.7 599 \r\n\r\n", &resp);
	assert_int_equal(resp.status, 599);
	assert_int_equal(resp.minor, 1);
}

static void test_framing(void **state)
{
	static const struct {
		const char *status, *field;
		enum h1_method method;
		enum h1_framing framing;
	} rows[] = {
		{"200", "Content-Length: 5", H1_GET, H1_BODY_LENGTH},
		{"200", "Transfer-Encoding: Chunked", H1_GET, H1_BODY_CHUNKED},
		{"200", "X: y", H1_GET, H1_BODY_CLOSE},
		{"200", "Content-Length: 5", H1_HEAD, H1_BODY_NONE},
		{"200", "Transfer-Encoding: chunked", H1_HEAD, H1_BODY_NONE},
		{"200", "X: y", H1_HEAD, H1_BODY_NONE},
		{"204", "Content-Length: 5", H1_GET, H1_BODY_NONE},
		{"204", "X: y", H1_POST, H1_BODY_NONE},
		{"304", "Transfer-Encoding: chunked", H1_GET, H1_BODY_NONE},
		{"304", "Content-Length: 5", H1_GET, H1_BODY_NONE},
		{"100", "X: y", H1_POST, H1_BODY_NONE},
		{"103", "Content-Length: 5", H1_GET, H1_BODY_NONE},
		{"101", "X: y", H1_GET, H1_BODY_NONE},
		{"205", "X: y", H1_GET, H1_BODY_CLOSE},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct h1_response resp;
		char text[128];

		snprintf(text, sizeof(text), "HTTP/1.1 %s x\r\n%s\r\n\r\n", rows[i].status, rows[i].field);
		assert_int_equal(response_of(text, rows[i].method, &resp), H1_OK);
		assert_int_equal(resp.framing, rows[i].framing);
		assert_int_equal(resp.has_length, rows[i].field[0] == 'C');
		assert_int_equal(resp.content_length, rows[i].field[0] == 'C' ? 5 : 0);
	}
}

static void test_keep_alive(void **state)
{
	static const struct {
		const char *head;
		bool keep_alive;
	} rows[] = {
		{"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", true},
		{"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", false},
		{"HTTP/1.1 200 OK\r\n\r\n", false}, /* its end is the connection's */
		{"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n", false},
		{"HTTP/1.0 200 OK\r\nContent-Length: 0\r\nConnection: keep-alive\r\n\r\n", true},
		{"HTTP/1.1 204 x\r\n\r\n", true},
		{"HTTP/1.1 101 x\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n", false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct h1_response resp;

		parse(rows[i].head, &resp);
		assert_int_equal(resp.keep_alive, rows[i].keep_alive);
	}
}

static void test_event_stream(void **state)
{
	static const struct {
		const char *type;
		bool event_stream;
	} rows[] = {
		{"text/event-stream", true},
		{"Text/EVENT-stream", true},
		{"text/event-stream;charset=utf-8", true},
		{"text/event-stream ; charset=\"utf-8\"", true},
		{"text/event-stream2", false},
		{"text/html; x=text/event-stream", false},
		{"", false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct h1_response resp;
		char text[128];

		snprintf(text, sizeof(text), "HTTP/1.1 200 OK\r\nCONTENT-type:%s\r\n\r\n", rows[i].type);
		parse(text, &resp);
		assert_int_equal(resp.event_stream, rows[i].event_stream);
	}
}

static void test_flags(void **state)
{
	struct h1_response resp;

	(void)state;
	parse("HTTP/1.1 200 OK\r\n\r\n", &resp);
	assert_false(resp.x_accel_no || resp.encoded || resp.no_transform || resp.has_cache_control);
	parse("HTTP/1.1 200 OK\r\nX-Accel-Buffering: NO\r\nContent-Encoding: gzip\r\n"
	      "Cache-Control: no-store\r\nCache-Control: max-age=0,No-Transform\r\n\r\n",
		&resp);
	assert_true(resp.x_accel_no && resp.encoded && resp.no_transform && resp.has_cache_control);
	parse("HTTP/1.1 200 OK\r\nX-Accel-Buffering: yes\r\nContent-Encoding: Identity\r\n"
	      "Cache-Control: x=no-transform\r\n\r\n",
		&resp);
	assert_false(resp.x_accel_no || resp.encoded || resp.no_transform);
	assert_true(resp.has_cache_control);
	parse("HTTP/1.1 200 OK\r\nContent-Encoding: identity, br\r\n\r\n", &resp);
	assert_true(resp.encoded);
}

static void test_upgrade(void **state)
{
	struct h1_response resp;

	(void)state;
	parse("HTTP/1.1 101 x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n", &resp);
	assert_slice(resp.upgrade, "websocket");
	parse("HTTP/1.1 101 x\r\nUpgrade: websocket\r\n\r\n", &resp);
	assert_int_equal(resp.upgrade.n, 0);
	parse("HTTP/1.1 426 x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: 0\r\n\r\n",
		&resp);
	assert_int_equal(resp.upgrade.n, 0);
}

static void test_hop_by_hop(void **state)
{
	struct h1_response resp;

	(void)state;
	parse("HTTP/1.1 200 OK\r\nX-Secret: 1\r\nContent-Type: a\r\nConnection: x-secret, "
	      "content-type\r\n\r\n",
		&resp);
	assert_true(resp.fields[0].hop_by_hop);
	assert_false(resp.fields[1].hop_by_hop);
	assert_true(resp.fields[2].hop_by_hop);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parts),
		cmocka_unit_test(test_framing),
		cmocka_unit_test(test_keep_alive),
		cmocka_unit_test(test_event_stream),
		cmocka_unit_test(test_flags),
		cmocka_unit_test(test_upgrade),
		cmocka_unit_test(test_hop_by_hop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
