/* The hand-off on real sockets: everything arrives, once, in order, and the kernel carries it. */
#include "rig.h"
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>

#define SLOT 3

static struct splice *k;

static int group_setup(void **state)
{
	(void)state;
	k = kern_open(16);
	return 0;
}

static int group_teardown(void **state)
{
	(void)state;
	splice_close(k);
	return 0;
}

static void open_engaged(struct rig *g, const struct rig_params *p)
{
	rig_open(g, k, SLOT, p);
	rig_until(g, g->relay.engaged, 1000);
}

static void test_events_without_the_relay(void **state)
{
	const char text[] = "id: 1\ndata: x\n\n";
	const size_t n = sizeof(text) - 1;
	struct sluice_flow f;
	struct rig g;

	(void)state;
	open_engaged(&g, &(struct rig_params){.framing = SLUICE_BODY_CLOSE, .scan = true});
	g.relay.wakeups = 0;
	for (int i = 0; i < 200; i++) {
		struct pollfd p = {.fd = g.reader, .events = POLLIN};

		assert_int_equal(origin_send(&g, text, n), n);
		assert_int_equal(poll(&p, 1, 1000), 1); /* not a step of the relay in between */
		assert_int_equal(reader_take(&g, SIZE_MAX), n);
		relay_turn(&g.relay, 0);
	}
	splice_state(k, SLOT, &f);
	assert_int_equal(f.redirected, 200 * n);
	assert_int_equal(f.payload, 200 * n);
	assert_int_equal(f.passed, 0);
	assert_int_equal(f.events, 200);
	assert_true(f.last_ns >= f.first_ns && f.first_ns > 0);
	assert_int_equal(g.relay.copied, 0);
	assert_true(g.relay.wakeups <= 2);
	rig_close(&g);
}

static void test_sizes(void **state)
{
	static const size_t sizes[] = {
		1, 2, 7, 64, 200, 1000, 1460, 1461, 4096, 9000, 16384, 32768, 65535, 65536, 131072, 262144};
	static char text[262144];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		struct rig g;

		pattern_fill(text, sizes[i], i * 1000003);
		open_engaged(&g, &(struct rig_params){.framing = SLUICE_BODY_CLOSE});
		for (int times = 0; times < 20; times++)
			rig_carry(&g, text, sizes[i], sizes[i]);
		rig_close(&g);
	}
}

static void test_families(void **state)
{
	static const int families[][2] = {
		{AF_INET, AF_INET}, {AF_INET6, AF_INET6}, {AF_INET, AF_INET6}, {AF_INET6, AF_INET}};
	static char text[50000];

	(void)state;
	pattern_fill(text, sizeof(text), 0);
	for (size_t i = 0; i < ARRAY_LEN(families); i++) {
		struct sluice_flow f;
		struct rig g;

		open_engaged(&g, &(struct rig_params){
					 .up_family = families[i][0],
					 .client_family = families[i][1],
					 .framing = SLUICE_BODY_CLOSE,
				 });
		rig_carry(&g, text, sizeof(text), 700);
		splice_state(k, SLOT, &f);
		assert_true(f.redirected > 0);
		assert_int_equal(f.redirected + f.passed, sizeof(text));
		rig_close(&g);
	}
}

/* Trap 3: what came before the hook is forwarded by the kick. */
static void test_queued_before(void **state)
{
	struct rig g;
	char text[3000];

	(void)state;
	pattern_fill(text, sizeof(text), 7);
	rig_open(&g, k, SLOT, &(struct rig_params){.framing = SLUICE_BODY_CLOSE});
	for (int i = 0; i < 3; i++)
		assert_int_equal(origin_send(&g, text + i * 1000, 1000), 1000);
	struct sluice_track at;
	relay_position(&g.relay, &at);
	assert_int_equal(splice_engage(k, SLOT, g.up, g.client, &at), 0);
	g.relay.engaged = true;
	rig_expect_bytes(&g, sizeof(text), 1000);
	assert_same(g.got.data, g.got.len, text, sizeof(text));
	assert_int_equal(g.relay.copied, 0);
	rig_close(&g);
}

/* Trap 1: a segment that was half read at the hook; every cut, also those that need several calls. */
static void test_half_read(void **state)
{
	static const size_t cuts[] = {1, 2, 100, 999, 1000, 1001, 2999, 4095, 4096, 9000, 29999};
	static char text[30000], head[30000];

	(void)state;
	pattern_fill(text, sizeof(text), 99);
	for (size_t i = 0; i < ARRAY_LEN(cuts); i++) {
		struct sluice_track at;
		struct sluice_flow f;
		struct rig g;

		rig_open(&g, k, SLOT, &(struct rig_params){.framing = SLUICE_BODY_CLOSE, .sndbuf = 262144});
		assert_int_equal(origin_send(&g, text, sizeof(text)), sizeof(text));
		assert_int_equal(recv(g.up, head, cuts[i], MSG_WAITALL), cuts[i]);
		assert_int_equal(send(g.client, head, cuts[i], 0), cuts[i]);
		relay_position(&g.relay, &at);
		assert_int_equal(splice_engage(k, SLOT, g.up, g.client, &at), 0);
		g.relay.engaged = true;
		rig_expect_bytes(&g, sizeof(text), 1000);
		assert_same(g.got.data, g.got.len, text, sizeof(text));
		splice_state(k, SLOT, &f);
		assert_true(f.trims <= 1);
		rig_carry(&g, text, sizeof(text), 5000); /* and the flow goes on */
		rig_close(&g);
	}
}

/* Trap 17: the last bytes and the FIN in one. */
static void test_data_with_fin(void **state)
{
	static const size_t sizes[] = {1, 500, 20000};
	static char text[20000];

	(void)state;
	pattern_fill(text, sizeof(text), 5);
	for (int before = 0; before < 2; before++) {
		for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
			struct rig g;

			rig_open(&g, k, SLOT, &(struct rig_params){.framing = SLUICE_BODY_CLOSE});
			if (!before)
				rig_until(&g, g.relay.engaged, 1000);
			assert_int_equal(origin_send(&g, text, sizes[i]), sizes[i]);
			shutdown(g.origin, SHUT_WR);
			rig_until(&g, g.relay.eof, 1000);
			assert_true(splice_drained(k, SLOT));
			shutdown(g.client, SHUT_WR);
			while (reader_take(&g, SIZE_MAX) >= 0)
				;
			assert_same(g.got.data, g.got.len, text, sizes[i]);
			rig_close(&g);
		}
	}
}

/* Trap 4: an empty segment must not break the client's queue. */
static void test_bare_fin(void **state)
{
	struct rig g;
	char text[300];

	(void)state;
	pattern_fill(text, sizeof(text), 5);
	open_engaged(&g, &(struct rig_params){.framing = SLUICE_BODY_CLOSE});
	rig_carry(&g, text, sizeof(text), 100);
	shutdown(g.origin, SHUT_WR);
	rig_until(&g, g.relay.eof, 1000);
	/* The client is whole: the relay can still write. */
	assert_int_equal(send(g.client, text, sizeof(text), MSG_NOSIGNAL), sizeof(text));
	rig_expect_bytes(&g, 2 * sizeof(text), 1000);
	rig_close(&g);
}

static void test_upstream_reset(void **state)
{
	struct rig g;
	char text[300];

	(void)state;
	pattern_fill(text, sizeof(text), 5);
	open_engaged(&g, &(struct rig_params){.framing = SLUICE_BODY_CLOSE});
	rig_carry(&g, text, sizeof(text), 100);
	reset_close(&g.origin);
	rig_until(&g, g.relay.error || g.relay.eof, 1000);
	assert_int_equal(g.relay.error, -ECONNRESET);
	assert_same(g.got.data, g.got.len, text, sizeof(text));
	rig_close(&g);
}

static void test_client_reset(void **state)
{
	struct rig g;
	char text[300];

	(void)state;
	pattern_fill(text, sizeof(text), 5);
	open_engaged(&g, &(struct rig_params){.framing = SLUICE_BODY_CLOSE});
	rig_carry(&g, text, sizeof(text), 100);
	reset_close(&g.reader);
	rig_until(&g, g.relay.error, 1000);
	assert_true(splice_drained(k, SLOT)); /* nobody is to wait for the dead */
	rig_close(&g);
}

/* Trap 5: without a target nothing is lost; the bytes come to userspace. */
static void test_missing_target(void **state)
{
	struct sluice_flow f;
	struct rig g;
	char text[700], back[700];

	(void)state;
	pattern_fill(text, sizeof(text), 5);
	open_engaged(&g, &(struct rig_params){.framing = SLUICE_BODY_CLOSE});
	rig_carry(&g, text, sizeof(text), sizeof(text));
	/* As when the client's socket was closed under the verdict. */
	close(g.client);
	g.client = -1;
	assert_int_equal(origin_send(&g, text, sizeof(text)), sizeof(text));
	rig_until(&g, splice_next(k, SLOT) == SPLICE_READ, 1000);
	assert_int_equal(splice_left(k, SLOT), sizeof(text));
	assert_int_equal(recv(g.up, back, sizeof(back), 0), sizeof(text));
	assert_memory_equal(back, text, sizeof(text));
	splice_state(k, SLOT, &f);
	assert_int_equal(f.why, SLUICE_PASS_TARGET);
	assert_int_equal(f.passed, sizeof(text));
	rig_close(&g);
}

static void test_refusals(void **state)
{
	struct sluice_track at = {.chunk = SLUICE_CHUNK_DATA};
	struct sluice_totals t;
	struct rig g;

	(void)state;
	rig_open(&g, k, SLOT, &(struct rig_params){.framing = SLUICE_BODY_CLOSE});
	assert_int_equal(splice_engage(k, 16, g.up, g.client, &at), -EINVAL);
	at.chunk = SLUICE_CHUNK_DONE;
	assert_int_equal(splice_engage(k, SLOT, g.up, g.client, &at), -EINVAL);
	at.chunk = SLUICE_CHUNK_DATA;
	shutdown(g.origin, SHUT_WR);
	rig_until(&g, g.relay.eof, 1000);
	assert_int_equal(splice_engage(k, SLOT, g.up, g.client, &at), -EOPNOTSUPP);
	assert_false(splice_hooked(k, SLOT));
	rig_close(&g);
	rig_open(&g, k, SLOT, &(struct rig_params){.framing = SLUICE_BODY_CLOSE});
	reset_close(&g.reader);
	assert_int_equal(splice_engage(k, SLOT, g.up, g.client, &at), -EPIPE);
	rig_close(&g);
	assert_int_equal(splice_totals(k, &t), 0);
	assert_true(t.redirected_bytes > 0 && t.redirect_failed == 0 && t.notes_failed == 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_events_without_the_relay),
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_families),
		cmocka_unit_test(test_queued_before),
		cmocka_unit_test(test_half_read),
		cmocka_unit_test(test_data_with_fin),
		cmocka_unit_test(test_bare_fin),
		cmocka_unit_test(test_upstream_reset),
		cmocka_unit_test(test_client_reset),
		cmocka_unit_test(test_missing_target),
		cmocka_unit_test(test_refusals),
	};

	return cmocka_run_group_tests_name("splice_basic", tests, group_setup, group_teardown);
}
