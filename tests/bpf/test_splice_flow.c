/* Slow clients, spills, changes of lane by the thousand, and the relay's own writes in between. */
#include "rig.h"
#include "threads.h"
#include <linux/sock_diag.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/socket.h>

#define SLOT 9

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

/* A burst of four times the send buffer to a reader that is paused; then it reads. */
static void test_burst_to_a_paused_reader(void **state)
{
	static char text[4 * 65536];

	(void)state;
	pattern_fill(text, sizeof(text), 1);
	for (size_t piece = 100; piece <= sizeof(text); piece *= 7) {
		struct sluice_flow f;
		struct rig g;
		size_t sent = 0;

		rig_open(&g, k, SLOT, &(struct rig_params){.framing = SLUICE_BODY_CLOSE, .rcvbuf = 4096});
		rig_until(&g, g.relay.engaged, 1000);
		while (sent < sizeof(text)) {
			size_t n = origin_send(&g, text + sent, MIN(piece, sizeof(text) - sent));

			if (!n)
				break;
			sent += n;
		}
		relay_turn(&g.relay, 10);
		rig_carry(&g, text + sent, sizeof(text) - sent, piece);
		rig_expect_bytes(&g, sizeof(text), 5000);
		splice_state(k, SLOT, &f);
		assert_true(f.spills + f.punts > 0);
		rig_carry(&g, text, 500, 500); /* the next event */
		assert_same(g.got.data, sizeof(text), text, sizeof(text));
		rig_close(&g);
	}
}

/* Stalls and goes on, again and again: bytes change hands in the middle of everything. */
static void test_stalls(void **state)
{
	static char text[64 * 1024];
	uint64_t spills = 0;
	unsigned seed = 7;

	(void)state;
	for (int round = 0; round < 8; round++) {
		uint64_t from = 0, want = 0;
		struct rig g;

		rig_open(&g, k, SLOT,
			&(struct rig_params){
				.framing = SLUICE_BODY_CLOSE, .rcvbuf = 4096, .sndbuf = 8192 << round % 4});
		rig_until(&g, g.relay.engaged, 1000);
		for (int turn = 0; turn < 400; turn++) {
			size_t n = 1 + (size_t)rand_r(&seed) % (round % 2 ? 3000 : 20000);
			size_t take = turn / 20 % 2 ? 1 + (size_t)rand_r(&seed) % 30000 : 0;

			pattern_fill(text, n, from);
			from += origin_send(&g, text, n);
			relay_turn(&g.relay, 0);
			if (take)
				reader_take(&g, take);
		}
		want = from;
		rig_expect_bytes(&g, want, 5000);
		for (uint64_t at = 0; at < want; at += MIN(sizeof(text), want - at)) {
			size_t n = MIN(sizeof(text), want - at);

			pattern_fill(text, n, at);
			assert_same(g.got.data + at, n, text, n);
		}
		/* However it went, the kernel carries again. */
		rig_until(&g, g.relay.engaged, 1000);
		rig_carry(&g, text, 100, 100);
		spills += g.relay.spills;
		rig_close(&g);
	}
	assert_true(spills > 0);
}

static const char heartbeat[] = ": heartbeat\n\n";

/* The relay writes between two events, 2,000 times, and each byte has its place. */
static void test_heartbeats(void **state)
{
	const char event[] = "data: 1234567890\n\n";
	const size_t n = sizeof(event) - 1, h = sizeof(heartbeat) - 1;
	struct sluice_ctl *c = &splice_ctl(k)[SLOT];
	struct rig g;

	(void)state;
	rig_open(&g, k, SLOT, &(struct rig_params){.framing = SLUICE_BODY_CLOSE, .scan = true});
	for (size_t i = 0; i < 2000; i++) {
		size_t at = i * (n + h);

		rig_until(&g, g.relay.engaged, 1000);
		assert_int_equal(origin_send(&g, event, n), n);
		if (i % 2)
			rig_expect_bytes(&g, at + n, 1000);
		assert_true(relay_inject(&g.relay, heartbeat, h) || g.relay.held.len);
		rig_expect_bytes(&g, at + n + h, 1000);
		/* The event may not have reached the verdict yet when the relay took over: then it comes
		 * second. Never torn. */
		if (memcmp(g.got.data + at, event, n) == 0)
			assert_memory_equal(g.got.data + at + n, heartbeat, h);
		else if (i % 2 == 0 && memcmp(g.got.data + at, heartbeat, h) == 0)
			assert_memory_equal(g.got.data + at + h, event, n);
		else
			fail_msg("event %zu is torn", i);
	}
	assert_int_equal(c->injected, 2000 * h);
	rig_close(&g);
}

static uint64_t flips;

static bool always(struct relay *r)
{
	(void)r;
	return true;
}

static void flip_step(struct rig *g)
{
	if (g->relay.engaged) {
		uint64_t end, at_rest;
		struct sluice_flow f;

		relay_disengage(&g->relay);
		flips++;
		/* No verdict that still saw the old mode comes in late. */
		splice_state(k, SLOT, &f);
		at_rest = f.redirected;
		end = clock_mono_ns() + 5000;
		while (clock_mono_ns() < end)
			;
		splice_state(k, SLOT, &f);
		assert_int_equal(f.redirected, at_rest);
	}
	relay_turn(&g->relay, 0);
}

/* 10,000 changes of lane while both ends run; as many as an emulated CPU comes to in the same bytes, there.
 */
static void test_flips(void **state)
{
	const uint64_t wanted = getenv("SLUICE_TESTS_EMULATED") ? 2000 : 10000;
	struct rig g;

	(void)state;
	flips = 0;
	for (int round = 0; flips < wanted && round < 40; round++) {
		rig_open(&g, k, SLOT, &(struct rig_params){.framing = SLUICE_BODY_CLOSE, .sndbuf = 65536});
		g.relay.may_resume = always;
		carry_threads(&g, 8 << 20, 0, flip_step);
		rig_close(&g);
	}
	assert_true(flips >= wanted);
}

struct racer {
	int fd;
	_Atomic uint32_t go; /* segments to be sent */
	_Atomic bool stop;
};

static void *racer_main(void *arg)
{
	struct racer *r = arg;
	uint32_t sent = 0;

	while (!r->stop)
		for (; sent != r->go; sent++)
			if (send(r->fd, "0123456789", 10, MSG_NOSIGNAL) != 10)
				return NULL;
	return NULL;
}

/* A kworker may wait for its CPU as long as this beside busy processes (docs/KERNEL.md, "What kworkers
 * cost"). */
#define KWORKER_MS 30000

/* A segment that comes in the very moment of a resume, and nothing behind it that would wake anybody up. */
static void test_resume_race(void **state)
{
	const uint32_t rounds = getenv("SLUICE_TESTS_EMULATED") ? 2000 : 20000;
	struct racer r = {0};
	unsigned seed = 5;
	pthread_t t;
	struct rig g;

	(void)state;
	rig_open(&g, k, SLOT, &(struct rig_params){.framing = SLUICE_BODY_CLOSE});
	rig_until(&g, g.relay.engaged, 1000);
	g.relay.may_resume = always;
	r.fd = g.origin;
	assert_int_equal(pthread_create(&t, NULL, racer_main, &r), 0);
	for (uint32_t i = 1; i <= rounds; i++) {
		uint64_t end;

		relay_disengage(&g.relay);
		r.go = i;
		end = clock_mono_ns() + (uint64_t)rand_r(&seed) % 8000;
		while (clock_mono_ns() < end)
			;
		rig_expect_bytes(&g, (size_t)i * 10, KWORKER_MS);
		rig_until(&g, g.relay.engaged, 1000);
	}
	r.stop = true;
	pthread_join(t, NULL);
	rig_close(&g);
}

static void plain_step(struct rig *g)
{
	relay_turn(&g->relay, 2);
}

/* Nothing but the relay's own reasons to spill, with a reader that stalls: 16 MiB. */
static void test_threads(void **state)
{
	uint64_t spills = 0;
	struct rig g;

	(void)state;
	/* Whether the reader is ever behind is up to the scheduler, one CPU's at that under emulation: of
	 * nine rounds one spills, or spilling is broken. */
	for (int round = 0; round < 9 && (round < 3 || !spills); round++) {
		rig_open(&g, k, SLOT,
			&(struct rig_params){.framing = SLUICE_BODY_CLOSE, .sndbuf = 16384 << round % 3});
		carry_threads(&g, 16 << 20, 1000, plain_step);
		spills += g.relay.spills;
		rig_close(&g);
	}
	assert_true(spills > 0);
}

static uint32_t socket_memory(int fd)
{
	uint32_t mem[SK_MEMINFO_VARS] = {0};
	socklen_t len = sizeof(mem);

	assert_return_code(getsockopt(fd, SOL_SOCKET, SO_MEMINFO, mem, &len), errno);
	return mem[SK_MEMINFO_RMEM_ALLOC] + mem[SK_MEMINFO_WMEM_QUEUED] + mem[SK_MEMINFO_BACKLOG];
}

/* A stalled client: the flood stops at the origin, memory stays, and nobody works while it stalls. */
static void test_flood(void **state)
{
	static char text[65536];
	struct sluice_flow f, later;
	uint64_t sent = 0, idle_since = clock_mono_ns();
	struct rig g;

	(void)state;
	rig_open(&g, k, SLOT, &(struct rig_params){.framing = SLUICE_BODY_CLOSE, .rcvbuf = 4096});
	rcvbuf_set(g.up, 65536);
	sndbuf_set(g.origin, 65536);
	rig_until(&g, g.relay.engaged, 1000);
	/* Up to 1 GiB, as fast as the origin can; the relay holds 64 KiB at most. */
	while (sent < 1 << 30 && clock_mono_ns() - idle_since < 200 * NS_PER_MS) {
		size_t n = origin_send(&g, text, 1 + sent % sizeof(text));

		sent += n;
		if (n)
			idle_since = clock_mono_ns();
		if (g.relay.held.len < 65536 || g.relay.engaged)
			relay_turn(&g.relay, 0);
	}
	assert_true(sent < 1 << 20);
	assert_true(socket_memory(g.up) + socket_memory(g.client) < 1 << 20);
	/* No redirected byte is left over for a kworker to poll for. */
	relay_disengage(&g.relay);
	assert_true(splice_drained(k, SLOT));
	splice_state(k, SLOT, &f);
	assert_true(f.pending_max < 65536);
	usleep(50000);
	splice_state(k, SLOT, &later);
	assert_int_equal(f.redirected, later.redirected);
	rig_close(&g);
}

/* Many tiny segments in a row: the room rule counts what they cost the send queue, too. */
static void test_tiny_segments(void **state)
{
	struct rig g;
	char text[4096];

	(void)state;
	pattern_fill(text, sizeof(text), 0);
	rig_open(&g, k, SLOT,
		&(struct rig_params){.framing = SLUICE_BODY_CLOSE, .sndbuf = 4096, .rcvbuf = 2048});
	rig_until(&g, g.relay.engaged, 1000);
	for (int times = 0; times < 10; times++) {
		for (size_t i = 0; i < sizeof(text); i++)
			assert_int_equal(origin_send(&g, text + i, 1), 1);
		rig_expect_bytes(&g, (size_t)(times + 1) * sizeof(text), 3000);
		assert_memory_equal(g.got.data + (size_t)times * sizeof(text), text, sizeof(text));
	}
	rig_close(&g);
}

#define MANY 200

static void on_many(void *ctx, uint32_t slot)
{
	struct rig *all = ctx;

	relay_look(&all[slot].relay);
}

/* Many streams at once, each with its own bytes, spills and flips; what belongs to one never reaches another.
 */
static void test_many(void **state)
{
	static struct rig all[MANY];
	static uint64_t sent[MANY];
	struct splice *kk = kern_open(MANY);
	unsigned seed = 99;
	char text[4000];

	(void)state;
	memset(sent, 0, sizeof(sent));
	for (uint32_t i = 0; i < MANY; i++) {
		rig_open(&all[i], kk, i, &(struct rig_params){.framing = SLUICE_BODY_CLOSE, .sndbuf = 16384});
		all[i].relay.shared = true;
	}
	for (int turn = 0; turn < 40000; turn++) {
		uint32_t i = (uint32_t)rand_r(&seed) % MANY;
		size_t n = 1 + (size_t)rand_r(&seed) % sizeof(text);
		struct rig *g = &all[i];

		pattern_fill(text, n, i * 1000003ULL + sent[i]);
		sent[i] += origin_send(g, text, n);
		if (rand_r(&seed) % 8 == 0)
			relay_disengage(&g->relay);
		splice_notes_read(kk, 0, on_many, all);
		relay_turn(&g->relay, 0);
		if (rand_r(&seed) % 3)
			reader_take(g, 20000);
	}
	for (uint32_t i = 0; i < MANY; i++) {
		struct rig *g = &all[i];
		uint64_t end = clock_mono_ns() + 5 * NS_PER_S;

		while (g->got.len < sent[i] && clock_mono_ns() < end) {
			splice_notes_read(kk, 0, on_many, all);
			relay_turn(&g->relay, 0);
			reader_take(g, SIZE_MAX);
		}
		if (g->got.len != sent[i])
			rig_report(g);
		assert_int_equal(g->got.len, sent[i]);
		for (uint64_t at = 0; at < sent[i]; at += MIN(sizeof(text), sent[i] - at)) {
			size_t n = MIN(sizeof(text), sent[i] - at);

			pattern_fill(text, n, i * 1000003ULL + at);
			assert_same(g->got.data + at, n, text, n);
		}
	}
	for (uint32_t i = 0; i < MANY; i++)
		rig_close(&all[i]);
	splice_close(kk);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_burst_to_a_paused_reader),
		cmocka_unit_test(test_stalls),
		cmocka_unit_test(test_heartbeats),
		cmocka_unit_test(test_flips),
		cmocka_unit_test(test_resume_race),
		cmocka_unit_test(test_threads),
		cmocka_unit_test(test_flood),
		cmocka_unit_test(test_tiny_segments),
		cmocka_unit_test(test_many),
	};

	return cmocka_run_group_tests_name("splice_flow", tests, group_setup, group_teardown);
}
