/* Connections that live on behind a response, slots that get new streams, and the watchdog. */
#include "rig.h"
#include "kern/kern.h"
#include <stdio.h>
#include <sys/socket.h>

#define SLOT 2

static struct splice *k;

static int group_setup(void **state)
{
	(void)state;
	k = kern_open(8);
	return 0;
}

static int group_teardown(void **state)
{
	(void)state;
	splice_close(k);
	return 0;
}

/* The relay's view of the next response on the same two connections, on whatever slot. */
static void next_response(struct rig *g, uint32_t slot, uint64_t length)
{
	g->relay.slot = slot;
	g->relay.left = length;
	g->relay.ended = false;
	g->relay.may_engage = true;
	chunk_init(&g->relay.chunk);
	sse_init(&g->relay.sse);
}

/* 2,000 responses over one pair of connections; each is engaged, ended, released; heads in between go through
 * userspace. */
static void test_keep_alive(void **state)
{
	char head[] = "HTTP/1.1 200 OK\r\n\r\n", body[700];
	unsigned carried = 0;
	struct rig g;

	(void)state;
	pattern_fill(body, sizeof(body), 0);
	rig_open(&g, k, SLOT, &(struct rig_params){.framing = SLUICE_BODY_LENGTH, .length = 1});
	g.relay.may_engage = false;
	for (uint32_t i = 0; i < 2000; i++) {
		uint32_t slot = i % 8;
		size_t n = 1 + i % sizeof(body);
		struct sluice_flow f;

		/* The head, read by userspace. */
		next_response(&g, slot, sizeof(head) - 1);
		g.relay.may_engage = false;
		rig_carry(&g, head, sizeof(head) - 1, 7);
		rig_until(&g, g.relay.ended, 1000);
		next_response(&g, slot, n);
		rig_until(&g, g.relay.engaged, 1000);
		rig_carry(&g, body, n, 1 + i % 300);
		rig_until(&g, g.relay.ended, 1000);
		splice_state(k, slot, &f);
		carried += f.redirected == n;
		assert_int_equal(f.redirected + f.passed, n);
		assert_int_equal(splice_release(k, slot), 0);
		assert_false(splice_hooked(k, slot));
		g.relay.engaged = false;
		buf_reset(&g.got);
	}
	assert_true(carried > 1900);
	rig_close(&g);
}

/* Chunked: the end is known at the byte, and the next response follows at once. */
static void test_chunked_end(void **state)
{
	const char body[] = "5\r\nhello\r\n0\r\n\r\n";
	struct rig g;

	(void)state;
	rig_open(&g, k, SLOT, &(struct rig_params){.framing = SLUICE_BODY_CHUNKED});
	for (int i = 0; i < 200; i++) {
		next_response(&g, SLOT, 0);
		rig_until(&g, g.relay.engaged, 1000);
		rig_carry(&g, body, sizeof(body) - 1, 5);
		rig_until(&g, g.relay.ended, 1000);
		assert_int_equal(splice_release(k, SLOT), 0);
		g.relay.engaged = false;
	}
	rig_close(&g);
}

/* What came behind the end and was read by nobody, in all the ways it can come: the upstream is not reused.
 */
static void test_dirty_upstream(void **state)
{
	for (int way = 0; way < 4; way++) {
		struct rig g;

		rig_open(&g, k, SLOT, &(struct rig_params){.framing = SLUICE_BODY_LENGTH, .length = 10});
		rig_until(&g, g.relay.engaged, 1000);
		rig_carry(&g, "0123456789", 10, 10);
		if (way == 0)
			origin_send(&g, "x", 1);
		rig_until(&g, g.relay.ended, 1000);
		if (way == 1)
			origin_send(&g, "HTTP/1.1 200", 12);
		else if (way == 2)
			shutdown(g.origin, SHUT_WR);
		else if (way == 3)
			reset_close(&g.origin);
		usleep(2000);
		assert_int_equal(splice_release(k, SLOT), -EBUSY);
		assert_false(splice_hooked(k, SLOT));
		/* The client is plain and whole. */
		assert_int_equal(send(g.client, "next", 4, 0), 4);
		while (g.got.len < 14 && reader_take(&g, SIZE_MAX) >= 0)
			;
		assert_same(g.got.data, g.got.len, "0123456789next", 14);
		rig_close(&g);
	}
	(void)state;
}

/* The same slot, another stream, at once: nothing of the former's record shows, and no stray verdict writes
 * into it. */
static void test_slot_again(void **state)
{
	struct sluice_flow f;

	(void)state;
	for (int i = 0; i < 500; i++) {
		struct rig a, b;

		rig_open(&a, k, SLOT, &(struct rig_params){.framing = SLUICE_BODY_CLOSE});
		rig_until(&a, a.relay.engaged, 1000);
		origin_send(&a, "aaaaaaaaaa", 10);
		splice_forget(k, SLOT);
		rig_open(&b, k, SLOT, &(struct rig_params){.framing = SLUICE_BODY_CLOSE});
		rig_until(&b, b.relay.engaged, 1000);
		origin_send(&a, "aaaaaaaaaa", 10);
		splice_state(k, SLOT, &f);
		assert_int_equal(f.redirected + f.passed + f.first_ns, 0);
		rig_carry(&b, "bbbb", 4, 4);
		splice_state(k, SLOT, &f);
		assert_int_equal(f.redirected, 4);
		rig_close(&b);
		rig_close(&a);
	}
}

/* Bytes that reached the socket but no verdict; bytes that were redirected and do not move. */
static void test_watchdog(void **state)
{
	struct sluice_ctl *c = &splice_ctl(k)[SLOT];
	uint64_t now = 1000 * NS_PER_S;
	struct rig g;

	(void)state;
	rig_open(&g, k, SLOT, &(struct rig_params){.framing = SLUICE_BODY_CLOSE});
	rig_until(&g, g.relay.engaged, 1000);
	assert_int_equal(splice_stuck(k, SLOT, now), 0);
	rig_carry(&g, "0123456789", 10, 10);
	rig_until(&g, splice_drained(k, SLOT), 1000);
	assert_int_equal(splice_stuck(k, SLOT, now), 0);
	assert_int_equal(splice_stuck(k, SLOT, now + NS_PER_S), 0);
	/* A stalled client is no fault. */
	rcvbuf_set(g.reader, 2048);
	for (int i = 0; i < 2000; i++) {
		origin_send(&g, "0123456789", 10);
		relay_turn(&g.relay, 0);
	}
	usleep(20000); /* the clock here is made up: what is on its way has to settle first */
	assert_int_equal(splice_stuck(k, SLOT, now + 2 * NS_PER_S), 0);
	assert_int_equal(splice_stuck(k, SLOT, now + 20 * NS_PER_S), 0);
	rig_expect_bytes(&g, 20010, 3000);
	rig_until(&g, g.relay.engaged && splice_drained(k, SLOT), 1000);
	assert_int_equal(splice_stuck(k, SLOT, now + 20 * NS_PER_S), 0);
	/* A byte that is missing at the client: as if one had been redirected more than came. */
	c->written++;
	assert_int_equal(splice_stuck(k, SLOT, now + 21 * NS_PER_S), 0);
	assert_int_equal(splice_stuck(k, SLOT, now + 22 * NS_PER_S), NS_PER_S);
	assert_int_equal(splice_stuck(k, SLOT, now + 23 * NS_PER_S), 2 * NS_PER_S);
	c->written--;
	assert_int_equal(splice_stuck(k, SLOT, now + 24 * NS_PER_S), 0);
	/* Passed bytes that nobody was told of; here, because nobody reads the ring. */
	bpf_map_delete_elem(k->target_fd, &(uint32_t){SLOT});
	origin_send(&g, "0123456789", 10);
	usleep(2000);
	assert_int_equal(splice_stuck(k, SLOT, now + 30 * NS_PER_S), 0);
	assert_int_equal(splice_stuck(k, SLOT, now + 33 * NS_PER_S), 3 * NS_PER_S);
	relay_disengage(&g.relay);
	assert_int_equal(splice_stuck(k, SLOT, now + 34 * NS_PER_S), 0);
	rig_close(&g);
}

/* The verdict never runs (here: the hook is gone): the watchdog sees it by upstream's own count. */
static void test_watchdog_no_verdict(void **state)
{
	uint64_t now = 1000 * NS_PER_S;
	uint32_t slot = SLOT;
	struct rig g;

	(void)state;
	for (int before = 0; before < 2; before++) {
		rig_open(&g, k, SLOT, &(struct rig_params){.framing = SLUICE_BODY_CLOSE});
		rig_until(&g, g.relay.engaged, 1000);
		if (before)
			rig_carry(&g, "0123456789", 10, 10);
		assert_int_equal(bpf_map_delete_elem(k->source_fd, &slot), 0);
		assert_int_equal(splice_stuck(k, SLOT, now), 0);
		origin_send(&g, "0123456789", 10);
		usleep(2000);
		assert_int_equal(splice_stuck(k, SLOT, now), 0);
		assert_int_equal(splice_stuck(k, SLOT, now + 3 * NS_PER_S), 3 * NS_PER_S);
		rig_close(&g);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_keep_alive),
		cmocka_unit_test(test_chunked_end),
		cmocka_unit_test(test_dirty_upstream),
		cmocka_unit_test(test_slot_again),
		cmocka_unit_test(test_watchdog),
		cmocka_unit_test(test_watchdog_no_verdict),
	};

	return cmocka_run_group_tests_name("splice_reuse", tests, group_setup, group_teardown);
}
