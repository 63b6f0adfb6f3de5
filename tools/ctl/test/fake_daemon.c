/* A sluice that carries nothing: the real admin socket and the real shared memory, with as many streams in it
 *as asked for, whose counters go up. For what needs thousands of streams and no traffic.
 *
 *	fake_daemon SOCKET INSTANCE STREAMS
 *
 * Ends with SIGTERM, or after ten minutes. */
#include "admin/admin.h"
#include "base/clock.h"
#include <arpa/inet.h>
#include <stdio.h>

#define STEP_MS	  100
#define END_S	  600
#define SLOW_EACH 100 /* one stream of so many has a client that takes nothing */

static struct sluice_ctl *records;
static uint32_t count;
static struct loop *loop;
static struct timer step, end;

static void stream_begin(uint32_t i)
{
	struct sluice_ctl *c = &records[i];
	uint64_t now = clock_mono_ns();

	ctl_begin(c);
	c->id = i + 1;
	c->state = 6; /* copy */
	c->lane = SLUICE_LANE_COPY;
	c->reason = i % 2 ? SLUICE_REASON_KERNEL : SLUICE_REASON_ASKED;
	c->start_ns = now - (uint64_t)i * NS_PER_MS;
	c->head_ns = c->first_event_ns = c->start_ns + 3 * NS_PER_MS;
	c->http = 11;
	c->status = 200;
	c->flags = SLUICE_CTL_EVENT_STREAM;
	c->client = (struct sluice_addr){
		.ip = {[10] = 0xff, [11] = 0xff, 10, (uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i},
		.port = (uint16_t)(1024 + i % 60000),
		.family = AF_INET};
	snprintf(c->route_name, sizeof(c->route_name), "route-%u", i % 7);
	snprintf(c->upstream_name, sizeof(c->upstream_name), "app");
	snprintf(c->method, sizeof(c->method), "GET");
	snprintf(c->host, sizeof(c->host), "stream.example.org");
	snprintf(c->path, sizeof(c->path), "/events/%u", i);
	ctl_end(c);
}

static void on_step(struct timer *t)
{
	uint64_t now = clock_mono_ns();

	for (uint32_t i = 0; i < count; i++) {
		struct sluice_ctl *c = &records[i];

		c->bytes_in += 128;
		c->events++;
		c->last_in_ns = now;
		if (i % SLOW_EACH == 0) {
			c->pending = c->pending_max = (uint32_t)(c->bytes_in - c->bytes_out);
			c->blocked_since_ns = c->start_ns;
			c->flags |= SLUICE_CTL_BLOCKED;
		} else {
			c->bytes_out += 128;
			c->last_out_ns = now;
		}
	}
	timer_in(loop, t, STEP_MS);
}

static void on_end(struct timer *t)
{
	(void)t;
	loop_stop(loop);
}

int main(int argc, char **argv)
{
	struct sluice_about about = {.abi = SLUICE_ABI_VERSION,
		.workers = 1,
		.pid = (uint32_t)getpid(),
		.start_ns = clock_mono_ns(),
		.ctl_size = sizeof(struct sluice_ctl),
		.flow_size = sizeof(struct sluice_flow)};
	struct state_part part = {"ctl", 0, sizeof(struct sluice_ctl), (void **)&records};
	struct state state;
	struct slot_table slots;
	struct admin_hooks hooks = {.state = &state, .slots = &slots};
	struct admin *admin;

	if (argc != 4)
		return 2;
	count = about.slots = part.count = (uint32_t)atoi(argv[3]);
	snprintf(about.instance, sizeof(about.instance), "%s", argv[2]);
	if (state_new(&state, &about, false, &part, 1) || loop_new(&loop))
		return 1;
	slots = (struct slot_table){.records = records, .count = count};
	for (uint32_t i = 0; i < count; i++)
		stream_begin(i);
	timer_init(&step, on_step);
	timer_init(&end, on_end);
	timer_in(loop, &step, STEP_MS);
	timer_in(loop, &end, END_S * MS_PER_S);
	if (admin_new(loop, argv[1], &hooks, &admin))
		return 1;
	return loop_run(loop) ? 1 : 0;
}
