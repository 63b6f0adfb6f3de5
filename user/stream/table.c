/* The table of states.def at work: who is called when, and which moves exist. */
#include "stream/stream.h"
#include "base/log.h"

/* The handlers, each in its state's file. */
#define HANDLER(name) void name(struct stream *s)
HANDLER(dial_on_client);
HANDLER(dial_on_upstream);
HANDLER(dial_on_timeout);
HANDLER(send_on_client);
HANDLER(send_on_upstream);
HANDLER(send_on_timeout);
HANDLER(head_on_upstream);
HANDLER(head_on_timeout);
HANDLER(copy_on_client);
HANDLER(copy_on_upstream);
HANDLER(copy_on_timeout);
HANDLER(splice_on_upstream);
HANDLER(splice_on_timeout);
HANDLER(settle_on_timeout);
HANDLER(tunnel_on_client);
HANDLER(tunnel_on_upstream);
HANDLER(tunnel_on_timeout);
HANDLER(drain_on_client);
HANDLER(drain_on_timeout);

static const struct state_row {
	const char *name;
	uint32_t next; /* bit set of states */
	void (*on_client)(struct stream *s);
	void (*on_upstream)(struct stream *s);
	void (*on_timeout)(struct stream *s);
} table[STREAM_STATE_COUNT] = {
#define STATE(id, text, may_go, client, upstream, timeout)                                                   \
	[STREAM_##id] = {text, may_go, client, upstream, timeout},
#include "stream/states.def"
#undef STATE
};

void stream_move(struct stream *s, enum stream_state next)
{
	if (next != STREAM_END && !(table[s->state].next & (1u << next))) {
		log_error("stream %llu: no way from %s to %s; please report this",
			(unsigned long long)s->ctl->id, table[s->state].name, table[next].name);
		abort();
	}
	/* Where it stood when its end was decided is what the log calls the phase. */
	if (next == STREAM_DRAIN || next == STREAM_REPLY)
		s->phase = s->state == STREAM_SETTLE ? STREAM_SPLICE : s->state;
	s->state = next;
	s->ctl->state = (uint8_t)next;
}

const char *stream_state_name(enum stream_state state)
{
	return table[state].name;
}

void stream_client_ready(struct stream *s)
{
	const struct state_row *row = &table[s->state];
	const struct wire *w = &s->client->wire;
	/* With both sides of a tunnel's socket shut it is "hung up", and may still hold the client's last
	 * bytes. */
	bool dead = w->dead && !(s->state == STREAM_TUNNEL && s->tunnel_down_done && w->fin);

	/* Once its answer is whole a client may shut its side; before that it has gone away. */
	if (dead || (w->fin && s->state != STREAM_REPLY && s->state != STREAM_DRAIN &&
			    s->state != STREAM_TUNNEL)) {
		if (s->state == STREAM_TUNNEL)
			tunnel_client_lost(s);
		stream_end(s, SLUICE_BY_CLIENT, dead ? "reset" : "closed");
		return;
	}
	if (row->on_client)
		row->on_client(s);
}

void stream_upstream_ready(struct source *source, uint32_t events)
{
	struct stream *s = container_of(source, struct stream, up.source);

	wire_note(&s->up, events);
	if (table[s->state].on_upstream)
		table[s->state].on_upstream(s);
}

void stream_timeout(struct timer *t);
void stream_timeout(struct timer *t)
{
	struct stream *s = container_of(t, struct stream, timer);

	if (table[s->state].on_timeout)
		table[s->state].on_timeout(s);
}
