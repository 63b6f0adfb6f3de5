/* A sluice for the exporter's tests: the admin socket and the shared memory of the real one, with streams
 * that no test could open. fake_daemon SOCKET STREAMS [hostile]; says "ready", ends with its standard input.
 */
#include "admin/admin.h"
#include "base/clock.h"
#include "event/loop.h"
#include "observe/state.h"
#include "sluice/counters.h"
#include <stdio.h>

#define WORKERS 2

/* What a client or a config might hold, and a label must not be broken by. */
static const char *const hostile[] = {"a\"b", "back\\slash", "two\nlines", "\xff\xfe junk", "cut \xe2\x82",
	"caf\xc3\xa9", "tab\tbell\a", "} 1\nsluice_up 0", "\xed\xa0\x80 surrogate", "\xc0\xaf overlong",
	"\x7f", "\xc2\x85 C1", "$(x) `y` {z}", "%s%n"};

static void fill(struct sluice_ctl *c, uint32_t i, bool bad)
{
	uint64_t now = clock_mono_ns();

	*c = (struct sluice_ctl){.id = (uint64_t)(i % WORKERS) << 48 | (i + 1),
		.lane = i % 2 ? SLUICE_LANE_SPLICE : SLUICE_LANE_COPY,
		.reason = i % 2 ? SLUICE_REASON_NONE : SLUICE_REASON_TLS,
		.worker = i % WORKERS,
		.route = (uint16_t)(i % 4),
		.flags = SLUICE_CTL_EVENT_STREAM,
		.events = i,
		.pending = i % 10 ? 0 : i + 1,
		.start_ns = now - 2 * NS_PER_S,
		.head_ns = now - NS_PER_S,
		.client = {.family = 2,
			.port = 1,
			.ip = {[10] = 0xff, [11] = 0xff, [12] = 192, [14] = 2, [15] = 1}}};
	snprintf(c->route_name, sizeof(c->route_name), "route-%u", i % 4);
	snprintf(c->host, sizeof(c->host), "host-%u.example", i);
	snprintf(c->path, sizeof(c->path), "/events/%u", i);
	if (!bad)
		return;
	c->pending = i + 1;
	snprintf(c->route_name, sizeof(c->route_name), "%s", hostile[i % ARRAY_LEN(hostile)]);
	snprintf(c->host, sizeof(c->host), "%s", hostile[(i + 1) % ARRAY_LEN(hostile)]);
	snprintf(c->path, sizeof(c->path), "%s", hostile[(i + 2) % ARRAY_LEN(hostile)]);
}

static void on_input(struct source *source, uint32_t events)
{
	(void)source;
	(void)events;
	exit(0);
}

int main(int argc, char **argv)
{
	uint32_t streams = argc > 2 ? (uint32_t)strtoul(argv[2], NULL, 10) : 0;
	uint32_t each = (MAX(streams, 65536U) + WORKERS - 1) / WORKERS, slots = each * WORKERS;
	void *ctl, *counters, *servers, *certs;
	struct state_part parts[] = {{"counters", WORKERS + 1, sizeof(struct sluice_counters), &counters},
		{"servers", WORKERS * 4, sizeof(struct sluice_server), &servers},
		{"certs", SLUICE_MAX_CERTS, sizeof(struct sluice_cert), &certs},
		{"ctl", slots, sizeof(struct sluice_ctl), &ctl}};
	struct sluice_about about = {.abi = SLUICE_ABI_VERSION,
		.slots = slots,
		.workers = WORKERS,
		.pid = (uint32_t)getpid(),
		.start_ns = clock_mono_ns(),
		.ctl_size = sizeof(struct sluice_ctl),
		.flow_size = sizeof(struct sluice_flow),
		.servers = 4,
		.version = "fake",
		.start_wall_ns = clock_wall_ns(),
		.instance = "fake"};
	struct source input = {.on_ready = on_input, .fd = 0};
	struct slot_table table = {0};
	struct state state;
	struct admin *admin;
	struct loop *loop;

	if (argc < 3 || state_new(&state, &about, false, parts, ARRAY_LEN(parts)) || loop_new(&loop))
		return 2;
	for (uint32_t i = 0; i < streams; i++)
		fill((struct sluice_ctl *)ctl + (i % WORKERS) * each + i / WORKERS, i, argc > 3);
	if (argc > 3) {
		struct sluice_server *s = servers;
		struct sluice_cert *c = certs;

		snprintf(s->upstream, sizeof(s->upstream), "%s", hostile[7]);
		snprintf(s->address, sizeof(s->address), "%s", hostile[3]);
		snprintf(c->file, sizeof(c->file), "%s", hostile[0]);
		snprintf(c->names, sizeof(c->names), "%s", hostile[2]);
		c->not_after = 1900000000;
	}
	table = (struct slot_table){.records = ctl, .count = slots};
	struct admin_hooks hooks = {.state = &state, .slots = &table, .totals = counters, .workers = WORKERS};

	if (admin_new(loop, argv[1], &hooks, &admin) || loop_add(loop, &input, EPOLLIN))
		return 2;
	puts("ready");
	fflush(stdout);
	return loop_run(loop) ? 1 : 0;
}
