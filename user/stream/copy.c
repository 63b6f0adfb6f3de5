/* COPY: the body goes from the upstream's socket to the client's through one buffer that all streams of the
 * worker share. Per read: one recv, a look at the framing, one send. Nothing is allocated unless the client
 * lags. */
#include "base/clock.h"
#include "base/log.h"
#include "base/rng.h"
#include "stream/h2_conn.h"

#define STREAM_READ_BYTES                                                                                    \
	(16 * 1024)	  /* of an event stream: also the most that a lagging client leaves with us */
#define READS_A_TURN 4	  /* then the other streams have their turn */
#define END_WAIT_MS  1000 /* for bytes in front of an end, which the kernel has and does not give */

enum body_result {
	BODY_MORE,
	BODY_END, /* the framing says so */
	BODY_BAD, /* the upstream broke its framing */
};

/* Policy `drop` at work: lag.c takes the payload apart into events, and counts them. */
static bool by_event(const struct stream *s)
{
	return s->resp.drops && (s->resp.reframe || s->resp.in != H1_BODY_CHUNKED);
}

static void note_payload(struct stream *s, struct slice payload)
{
	struct sluice_ctl *c = s->ctl;

	if (!c->first_event_ns) {
		c->first_event_ns = loop_now_ns(s->env->loop);
		count_first_event(s);
	}
	if (s->resp.events && !by_event(s))
		sse_feed(&s->resp.sse, payload.p, payload.n);
}

/* `now_ns`: when the bytes that were looked at came. */
static void note_events(struct stream *s, uint64_t now_ns)
{
	struct sluice_counters *t = s->env->totals;
	uint64_t fresh = s->resp.sse.events - s->ctl->events;

	s->ctl->events = s->resp.sse.events;
	t->events += fresh;
	t->copied_events += fresh;
	if (fresh && s->gap_from_ns)
		HISTOGRAM_ADD(t, event_gap, now_ns - s->gap_from_ns);
	s->gap_from_ns = now_ns;
}

static int put_payload(struct stream *s, struct slice payload)
{
	if (by_event(s))
		return lag_payload(s, payload.p, payload.n);
	return out_payload(s, payload.p, payload.n);
}

/* Policy `drop`, between the upstream's chunks: they pass as they are while the client keeps up, and are made
 * anew while it does not, so that events can be left out. `raw` is the start of the bytes not yet sent on as
 * they are. */
static int choose_framing(struct stream *s, const char *p, size_t used, size_t *raw)
{
	bool lags = backlog_len(&s->to_client) || lag_active(s);
	int err = 0;

	if (!s->resp.drops || s->resp.out != H1_BODY_CHUNKED || lags == s->resp.reframe)
		return 0;
	if (lags)
		err = out_send(s, p + *raw, used - *raw, false);
	*raw = used;
	s->resp.reframe = lags;
	return err;
}

/* The reader goes on from one chunk into the next; under policy `drop` it has to stop in between. */
static size_t portion(const struct stream *s, size_t n)
{
	if (likely(!s->resp.drops))
		return n;
	if (s->resp.chunk.state == CHUNK_DATA_CR)
		return MIN(n, (size_t)2);
	return s->resp.chunk.state == CHUNK_DATA_LF ? 1 : n;
}

/* Chunks are checked and followed; unless they are made anew, the bytes go on as they came. A body_result, or
 * the errno of the client's side. */
static int take_chunked(struct stream *s, const char *p, size_t n, size_t *ret_used)
{
	struct chunk_reader *r = &s->resp.chunk;
	size_t used = 0, raw = 0;
	int err = 0;

	while (used < n && !err && r->state != CHUNK_DONE && r->state != CHUNK_BAD) {
		struct chunk_step step;

		if (unlikely(s->resp.drops) && chunk_at_boundary(r))
			err = choose_framing(s, p, used, &raw);
		step = chunk_next(r, p + used, portion(s, n - used));
		used += step.used;
		if (step.payload.n) {
			note_payload(s, step.payload);
			if (s->resp.reframe && !err)
				err = put_payload(s, step.payload);
		}
	}
	s->ctl->chunks = r->chunks;
	*ret_used = used;
	if (!err && !s->resp.reframe)
		err = out_send(s, p + raw, used - raw, false);
	if (err)
		return err;
	if (likely(r->state < CHUNK_TRAILER))
		return BODY_MORE;
	if (r->state == CHUNK_BAD)
		return BODY_BAD;
	/* HTTP/1.1 has got them with the rest, and HTTP/1.0 has no place for them. */
	if (s->client->carrier)
		err = h2_slot_trailers(s->client, (struct slice){p, used}, r->ext);
	if (err)
		return err;
	return r->state == CHUNK_DONE ? BODY_END : BODY_MORE;
}

static int take_plain(struct stream *s, const char *p, size_t n, size_t *ret_used)
{
	size_t used = s->resp.in == H1_BODY_LENGTH ? (size_t)MIN((uint64_t)n, s->resp.left) : n;

	int err;

	note_payload(s, (struct slice){p, used});
	*ret_used = used;
	err = by_event(s) ? put_payload(s, (struct slice){p, used}) : out_send(s, p, used, false);
	if (err)
		return err;
	if (s->resp.in != H1_BODY_LENGTH)
		return BODY_MORE;
	s->resp.left -= used;
	return s->resp.left ? BODY_MORE : BODY_END;
}

/* The last chunk of a body that we chunk ourselves. */
static void end_reframed(struct stream *s)
{
	if (s->resp.reframe && s->resp.out == H1_BODY_CHUNKED && !lag_active(s) &&
		out_send(s, "0\r\n\r\n", 5, false))
		s->close_client = true;
}

void copy_complete(struct stream *s)
{
	s->resp.done = true;
	end_reframed(s);
	/* What a lagging client still has to get ends by closing: events that it missed must not look
	 * complete. */
	if (lag_active(s)) {
		s->close_client = true;
		s->abort_client |= s->resp.out == H1_BODY_CLOSE;
	}
	stream_move(s, STREAM_DRAIN);
	stream_finish(s, SLUICE_BY_COMPLETE, NULL);
}

/* The client must see that this was not the end: no last chunk, too few bytes, or a reset where only the
 * close itself says that a body has ended. */
void copy_truncated(struct stream *s, enum sluice_end_by by, const char *detail)
{
	s->ctl->flags |= SLUICE_CTL_TRUNCATED;
	s->close_client = true;
	s->abort_client = s->resp.out == H1_BODY_CLOSE;
	s->up_spoilt = true;
	stream_move(s, STREAM_DRAIN);
	stream_finish(s, by, detail);
}

void copy_broken(struct stream *s)
{
	log_error("stream %llu: the kernel found a gap in the upstream's bytes; it is ended",
		(unsigned long long)s->ctl->id);
	copy_truncated(s, SLUICE_BY_INTERNAL, "gap");
}

/* False: the stream left COPY. */
static bool body_in(struct stream *s, const char *p, size_t n)
{
	struct sluice_ctl *c = s->ctl;
	size_t used;
	int result;

	c->bytes_in += n;
	c->last_in_ns = loop_now_ns(s->env->loop);
	if (s->resp.in == H1_BODY_CHUNKED)
		result = take_chunked(s, p, n, &used);
	else
		result = take_plain(s, p, n, &used);
	if (s->resp.events)
		note_events(s, c->last_in_ns);
	if (likely(result == BODY_MORE))
		return true;
	if (result == BODY_END) {
		s->up_spoilt |= used < n;
		copy_complete(s);
	} else if (result == BODY_BAD) {
		s->env->totals->bad_responses++;
		copy_truncated(s, SLUICE_BY_BAD_RESPONSE, h1_rule_label(s->resp.chunk.bad));
	} else {
		stream_lost(s, result);
	}
	return false;
}

static void upstream_ended(struct stream *s, ssize_t err)
{
	uint64_t now = loop_now_ms(s->env->loop);

	/* In a sockmap an end can be seen before the bytes in front of it (kern/splice.h, splice_left). */
	if (s->hooked && err == 0 &&
		(int64_t)splice_left(s->env->splice, slots_number(&s->env->slots, s->ctl)) > 0) {
		if (!s->end_wait_ms)
			s->end_wait_ms = now + END_WAIT_MS;
		if (now < s->end_wait_ms)
			task_next_turn(s->env->loop, &s->again);
		else
			copy_broken(s);
		return;
	}
	if (s->resp.in == H1_BODY_CLOSE && err == 0)
		copy_complete(s);
	else
		copy_truncated(s, SLUICE_BY_UPSTREAM, err ? "reset" : "closed before the end");
}

/* May more be read while the client lags? */
static bool has_room(const struct stream *s)
{
	size_t pending = backlog_len(&s->to_client);

	if (!pending)
		return true;
	if (!s->resp.stream || s->route->slow == SLOW_BLOCK)
		return false;
	if (lag_active(s))
		return true;
	/* The read that filled the socket may leave more than a small limit: policy drop gets to work with
	 * the next one, and would wait for the client for ever. */
	return pending < s->route->slow_bytes + STREAM_READ_BYTES;
}

static bool too_slow(const struct stream *s)
{
	return s->route->slow == SLOW_CLOSE && s->resp.stream &&
	       backlog_len(&s->to_client) >= s->route->slow_bytes;
}

void copy_close_slow(struct stream *s, const char *detail)
{
	s->ctl->flags |= SLUICE_CTL_TRUNCATED;
	s->close_client = true;
	s->abort_client = true;
	stream_end(s, SLUICE_BY_SLOW, detail);
}

/* Bytes that the verdict passed to us. False: they are not a seamless piece of the body. */
static bool note_passed(struct stream *s, size_t n)
{
	s->up.readable = true; /* a short read says nothing here: only EAGAIN does */
	if (splice_took(s->env->splice, slots_number(&s->env->slots, s->ctl), n) == 0)
		return true;
	copy_broken(s);
	return false;
}

void copy_pump(struct stream *s)
{
	size_t room = s->resp.stream ? STREAM_READ_BYTES : SCRATCH_BYTES;

	for (int reads = 0; s->up.readable && has_room(s); reads++) {
		ssize_t n;

		if (reads == READS_A_TURN) {
			task_next_turn(s->env->loop, &s->again);
			return;
		}
		n = wire_recv(&s->up, s->env->scratch, room);
		if (n == -EAGAIN)
			break;
		if (n <= 0) {
			upstream_ended(s, n);
			return;
		}
		if (unlikely(s->hooked) && !note_passed(s, (size_t)n))
			return;
		if (!body_in(s, s->env->scratch, (size_t)n))
			return;
		if (unlikely(too_slow(s))) {
			copy_close_slow(s, "bytes");
			return;
		}
	}
	lane_try(s);
}

void copy_begin(struct stream *s, struct slice rest)
{
	const struct route_timeouts *t = &s->route->timeouts;

	stream_move(s, STREAM_COPY);
	if (t->max_age_ms) {
		/* +/- 10 %, so that streams that began together do not end together. */
		uint64_t spread = t->max_age_ms / 5;

		s->max_age_ms =
			loop_now_ms(s->env->loop) + t->max_age_ms - spread / 2 + rng_below(spread + 1);
	}
	if (s->env->draining)
		drain_stream(s);
	deadline_arm(s);
	if (rest.n && !body_in(s, rest.p, rest.n))
		return;
	buf_reset(&s->resp_in);
	copy_pump(s);
}

void copy_on_client(struct stream *s);
void copy_on_client(struct stream *s)
{
	int done;

	if (!s->req.done && !send_pump(s))
		return;
	if (!s->client->wire.writable || !backlog_len(&s->to_client))
		return;
	done = out_flush(s);
	if (done < 0)
		stream_lost(s, done);
	else if (done > 0)
		copy_pump(s);
}

void copy_on_upstream(struct stream *s);
void copy_on_upstream(struct stream *s)
{
	if (unlikely(stream_sends(s)) && s->up.writable && !send_pump(s))
		return;
	copy_pump(s);
}
