/* The example that is installed is right, and says of its defaults what they are. Run from the tree's root.
 */
#include "conf/settings.h"
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define EXAMPLE "conf/sluice.yaml.example"

static struct settings *example(void)
{
	struct settings *s = NULL;
	struct buf errors = {0};
	int err = settings_load(EXAMPLE, &s, &errors);

	if (err)
		fail_msg("%d:\n%.*s", err, (int)errors.len, errors.data);
	assert_int_equal(errors.len, 0);
	buf_reset(&errors);
	return s;
}

static void test_loads(void **state)
{
	struct settings *s = example();

	(void)state;
	assert_int_equal(s->nlisteners, 4);
	assert_int_equal(s->nupstreams, 5);
	assert_int_equal(s->nroutes, 5);
	assert_int_equal(s->ntrusted, 3);
	assert_string_equal(s->access_log, "/var/log/sluice/access.log");
	assert_int_equal(s->upstreams[1].nservers, 3);
	assert_true(s->upstreams[1].health.on);
	assert_false(s->upstreams[0].health.on);
	assert_int_equal(s->upstreams[3].balance, BALANCE_HASH);
	assert_int_equal(s->upstreams[4].balance, BALANCE_STICKY);
	assert_int_equal(s->routes[0].request_edits.n, 2);
	assert_string_equal(s->routes[4].name, "everything else");
	assert_int_equal(s->listeners[2].tls->ncertificates, 2);
	assert_null(s->listeners[2].tls->certificates[1].key);
	assert_int_equal(s->listeners[2].tls->client_certificates, CLIENT_CERTS_REQUEST);
	assert_string_equal(s->listeners[2].tls->client_subject_header, "X-Client-Subject");
	assert_int_equal(s->nsubject_headers, 1);
	assert_string_equal(s->subject_headers[0], "X-Client-Subject");
	assert_int_equal(s->listeners[2].tls->handshake_ms, 10000);
	assert_true(s->upstreams[2].tls->verify);
	settings_unref(s);
}

/* The first route writes its defaults out, the last one leaves them to be: both must come to the same. */
static void test_what_it_calls_default_is(void **state)
{
	struct settings *s = example();
	struct route_settings written = s->routes[0], *left_out = &s->routes[4];

	(void)state;
	written.timeouts.max_age_ms = 0; /* those that the example changes, and says so */
	assert_memory_equal(&written.timeouts, &left_out->timeouts, sizeof(written.timeouts));
	assert_int_equal(written.stream, left_out->stream);
	assert_int_equal(written.lane, left_out->lane);
	assert_int_equal(written.heartbeat_ms, left_out->heartbeat_ms);
	assert_int_equal(written.slow_bytes, left_out->slow_bytes);
	assert_int_equal(written.slow_ms, left_out->slow_ms);
	assert_int_equal(written.sndbuf, left_out->sndbuf);
	assert_int_equal(written.sndbuf_max, left_out->sndbuf_max);
	assert_int_equal(written.max_body, left_out->max_body);
	assert_int_equal(written.drop_accept_encoding, left_out->drop_accept_encoding);
	assert_int_equal(written.retry_ms, left_out->retry_ms);
	assert_int_equal(written.path_exact, left_out->path_exact);
	settings_unref(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_loads),
		cmocka_unit_test(test_what_it_calls_default_is),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
