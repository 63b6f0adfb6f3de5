/* TUNNEL: after a 101 both sides talk as they like (WebSocket); bytes are copied both ways, each with
 * backpressure. */
#include "base/clock.h"
#include "net/tuning.h"
#include "stream/stream.h"

#define READ_BYTES   (16 * 1024)
#define READS_A_TURN 8

/* Notes whose fault it is. */
static int broke(struct wire *w, int err)
{
	if (err != -ENOMEM)
		w->dead = true;
	return err;
}

/* One direction. 1: wait for events, 0: its source has ended and all was passed on, negative: broken. */
static int move(
	struct stream *s, struct wire *from, struct wire *to, struct backlog *backlog, uint64_t *count)
{
	for (int reads = 0;; reads++) {
		ssize_t n;
		int done = backlog_flush(backlog, to);

		if (done < 0)
			return broke(to, done);
		if (done == 0)
			return 1;
		if (!from->readable)
			return 1;
		if (reads == READS_A_TURN) {
			task_next_turn(s->env->loop, &s->again);
			return 1;
		}
		n = wire_recv(from, s->env->scratch, READ_BYTES);
		if (n == -EAGAIN)
			return 1;
		if (n < 0)
			return broke(from, (int)n);
		if (n == 0)
			return 0;
		*count += (uint64_t)n;
		if (backlog_add(backlog, s->env->scratch, (size_t)n))
			return -ENOMEM;
	}
}

void tunnel_client_lost(struct stream *s)
{
	tuning_reset_on_close(s->up.source.fd);
}

static void tunnel_broken(struct stream *s, int err)
{
	/* Nobody must take what was cut off for all there was. */
	s->abort_client = true;
	if (s->client->wire.dead)
		tunnel_client_lost(s);
	if (err == -ENOMEM)
		stream_end(s, SLUICE_BY_OVERLOAD, "memory");
	else
		stream_end(s, s->client->wire.dead ? SLUICE_BY_CLIENT : SLUICE_BY_UPSTREAM, "reset");
}

void tunnel_pump(struct stream *s)
{
	struct wire *client = &s->client->wire;
	uint64_t up = 0, down = 0;
	int to_up = 1, to_client = 1;

	if (!s->req.done) {
		to_up = move(s, client, &s->up, &s->to_up, &up);
		if (to_up == 0) {
			s->req.done = true;
			wire_shut(&s->up);
		}
	}
	if (!s->tunnel_down_done) {
		to_client = move(s, &s->up, client, &s->to_client, &down);
		if (to_client == 0) {
			s->tunnel_down_done = true;
			wire_shut(client);
		}
	}
	s->ctl->bytes_in += down;
	s->ctl->bytes_out += down;
	s->env->totals->bytes_out += down;
	s->env->totals->tunnel_bytes += down;
	if (up || down)
		s->progress_ms = loop_now_ms(s->env->loop);
	if (down)
		s->ctl->last_in_ns = s->ctl->last_out_ns = loop_now_ns(s->env->loop);
	if (to_up < 0 || to_client < 0)
		tunnel_broken(s, MIN(to_up, to_client));
	else if (s->req.done && s->tunnel_down_done && !s->up.shutting && !client->shutting)
		stream_end(s, SLUICE_BY_COMPLETE, NULL);
}

void tunnel_begin(struct stream *s, struct slice rest)
{
	struct client *c = s->client;

	stream_move(s, STREAM_TUNNEL);
	s->up_spoilt = true;
	s->req.done = false;
	s->progress_ms = loop_now_ms(s->env->loop);
	timer_in(s->env->loop, &s->timer, s->route->timeouts.body_idle_ms);
	/* What the client sent behind its request waited for the 101. */
	if (backlog_add(&s->to_client, rest.p, rest.n) || backlog_add(&s->to_up, c->in.data, c->in.len)) {
		stream_end(s, SLUICE_BY_OVERLOAD, "memory");
		return;
	}
	s->ctl->bytes_in += rest.n;
	s->ctl->bytes_out += rest.n;
	buf_reset(&c->in);
	buf_reset(&s->resp_in);
	if (s->env->draining)
		drain_stream(s);
	tunnel_pump(s);
}

void tunnel_on_client(struct stream *s);
void tunnel_on_client(struct stream *s)
{
	tunnel_pump(s);
}

void tunnel_on_upstream(struct stream *s);
void tunnel_on_upstream(struct stream *s)
{
	tunnel_pump(s);
}

void tunnel_on_timeout(struct stream *s);
void tunnel_on_timeout(struct stream *s)
{
	uint64_t now = loop_now_ms(s->env->loop), limit = s->route->timeouts.body_idle_ms;

	if (s->drain_at_ms && now >= s->drain_at_ms)
		stream_end(s, SLUICE_BY_DRAIN, "window over");
	else if (limit && now >= s->progress_ms + limit)
		stream_end(s, SLUICE_BY_TIMEOUT, "tunnel_idle");
	else if (limit)
		timer_at(s->env->loop, &s->timer,
			s->drain_at_ms ? MIN(s->drain_at_ms, s->progress_ms + limit)
				       : s->progress_ms + limit);
}
