/* SPLICE and SETTLE: the kernel carries the body, and the ways into that and out of it. The protocol is
 * kern/splice.h's; here is when each step is taken. A stream is hooked once, and then goes COPY -> SPLICE ->
 * SETTLE -> COPY as often as it takes. */
#include "policy/lane.h"
#include "base/clock.h"
#include "base/log.h"
#include "stream/stream.h"

#define UPSTREAM_COPY_EVENTS (EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET)
/* With EPOLLIN armed every redirected event would wake this process (kernel-facts.md, trap 9). */
#define UPSTREAM_SPLICE_EVENTS (EPOLLRDHUP | EPOLLET)
#define SETTLE_MS	       1 /* between looks whether the client's TCP has taken over what was redirected */
#define WATCH_MS	       1000 /* between looks whether a stream that receives also delivers */
#define WATCH_IDLE_MS	       8000 /* the same of one that has been silent for a while */
#define ROOM_MS		       2    /* the shortest wait for room in the client's queue */
#define ROOM_MAX_MS	       WATCH_IDLE_MS
#define STUCK_NS	       (2 * NS_PER_S)
#define MAX_PUNTS	       64 /* times the framing sent us back to copy: then the stream stays there */

static uint32_t slot_of(const struct stream *s)
{
	return slots_number(&s->env->slots, s->ctl);
}

uint64_t stream_last_in_ns(const struct stream *s)
{
	uint64_t copied = s->ctl->last_in_ns;

	if (!s->hooked)
		return copied;
	return MAX(copied, splice_last_ns(s->env->splice, slot_of(s)));
}

uint64_t stream_last_out_ns(const struct stream *s)
{
	/* What is redirected goes out within microseconds: the room rule sees to it. */
	return MAX(s->ctl->last_out_ns, s->hooked ? splice_last_ns(s->env->splice, slot_of(s)) : 0);
}

static void set_lane(struct stream *s, enum sluice_lane lane, enum sluice_lane_reason reason)
{
	if (s->ctl->lane != lane)
		s->ctl->flips++;
	s->ctl->lane = (uint8_t)lane;
	s->ctl->reason = (uint8_t)reason;
}

/* The first bytes of a body may have been the kernel's: the worker finds out when it looks. */
static void note_first(struct stream *s)
{
	struct sluice_flow f;

	if (s->ctl->first_event_ns)
		return;
	splice_state(s->env->splice, slot_of(s), &f);
	if (!f.first_ns)
		return;
	s->ctl->first_event_ns = f.first_ns;
	count_first_event(s);
}

enum sluice_lane lane_best_of(
	const struct stream *s, enum lane_choice asked, enum sluice_lane_reason *ret_reason)
{
	struct lane_facts f = {
		.asked = asked,
		.kernel = s->env->no_splice,
		.client_unix = s->client->is_unix,
		.upstream_unix = s->lease.addr.sa.sa_family == AF_UNIX,
		.tls = s->up.tls || client_is_tls(s->client),
		.h2 = s->client->carrier != NULL,
		.stream = s->resp.stream,
		.splice_downloads = s->route->splice_downloads,
		/* policy drop reframes while the client lags, and then no more */
		.transform = s->resp.reframe && !s->resp.drops,
		.endless = s->resp.in != H1_BODY_LENGTH,
		.left = s->resp.left,
	};

	return lane_choose(&f, ret_reason);
}

void lane_choose_for(struct stream *s)
{
	enum sluice_lane_reason reason;

	s->lane_best = lane_best_of(s, s->route->lane, &reason);
	set_lane(s, SLUICE_LANE_COPY, reason);
	s->ctl->flips = 0;
}

static enum sluice_framing framing_of(const struct stream *s)
{
	switch (s->resp.in) {
	case H1_BODY_CHUNKED:
		return SLUICE_BODY_CHUNKED;
	case H1_BODY_LENGTH:
		return SLUICE_BODY_LENGTH;
	default:
		return SLUICE_BODY_CLOSE;
	}
}

/* Where the body stands. Negative: the kernel cannot go on from there now; what changes that comes with an
 * event, but for -EBUSY: the client's queue drains below the kernel's mark without one. */
static int stands_at(struct stream *s, struct sluice_track *ret)
{
	struct splice *k = s->env->splice;
	int err = splice_track_make(ret, framing_of(s), s->resp.left,
		s->resp.in == H1_BODY_CHUNKED ? &s->resp.chunk : NULL, s->resp.events ? &s->resp.sse : NULL);

	if (err || !s->hooked)
		return err;
	if (splice_left(k, slot_of(s)))
		return -EAGAIN;
	return splice_roomy(k, slot_of(s)) ? 0 : -EBUSY;
}

/* Silence behind a spill must not keep the stream here. A client that takes its time costs a look ever more
 * rarely: after as long again as it has taken nothing. */
static void ask_later(struct stream *s)
{
	uint64_t now = loop_now_ms(s->env->loop), last = s->ctl->last_out_ns / NS_PER_MS;
	uint64_t wait = now > last ? now - last : 0;

	s->watch_ms = now + MIN(MAX(wait, (uint64_t)ROOM_MS), (uint64_t)ROOM_MAX_MS);
	deadline_arm(s);
}

/* The kernel does not take the sockets. */
static void not_engaged(struct stream *s, int err)
{
	if (loop_mod(s->env->loop, &s->up.source, UPSTREAM_COPY_EVENTS)) {
		stream_end(s, SLUICE_BY_INTERNAL, "epoll");
	} else if (err != -EAGAIN) {
		/* Not for a reason that passes: these sockets cannot be spliced. */
		s->lane_best = SLUICE_LANE_COPY;
		s->ctl->reason = err == -ENOSPC ? SLUICE_REASON_MAP_FULL : SLUICE_REASON_KERNEL_SOCKETS;
	} else {
		ask_later(s);
	}
}

/* Bytes came to userspace while the kernel took over, and it may have carried some before them: the way back
 * is the usual one. */
static void not_resumed(struct stream *s)
{
	s->after = AFTER_READ;
	s->settle_ms = loop_now_ms(s->env->loop);
	stream_move(s, STREAM_SPLICE);
	stream_move(s, STREAM_SETTLE);
	task_next_turn(s->env->loop, &s->again);
}

void lane_try(struct stream *s)
{
	struct loop *loop = s->env->loop;
	struct splice *k = s->env->splice;
	struct sluice_track at;
	int err;

	if (s->lane_best != SLUICE_LANE_SPLICE || s->state != STREAM_COPY || stream_sends(s) || s->up.fin ||
		s->up.dead || s->up.readable || backlog_len(&s->to_client) || lag_active(s) ||
		s->resp.reframe)
		return;
	/* First what needs no change of events: changing them back makes an event, and that would end up here
	 * again. */
	err = stands_at(s, &at);
	if (err == -EBUSY)
		ask_later(s);
	if (err || loop_mod(loop, &s->up.source, UPSTREAM_SPLICE_EVENTS))
		return;
	if (s->hooked)
		err = splice_resume(k, slot_of(s), &at);
	else
		err = splice_engage(k, slot_of(s), s->up.source.fd, s->client->wire.source.fd, &at);
	if (err) {
		s->hooked ? not_resumed(s) : not_engaged(s, err);
		return;
	}
	s->hooked = true;
	set_lane(s, SLUICE_LANE_SPLICE, SLUICE_REASON_NONE);
	stream_move(s, STREAM_SPLICE);
	s->watch_ms = loop_now_ms(loop) + WATCH_MS;
	deadline_arm(s);
	/* A note of the time before we listened to it is not repeated. Not looked at from here: this may be
	 * deep in such a look. */
	if (splice_next(k, slot_of(s)) != SPLICE_CARRIED)
		task_next_turn(loop, &s->again);
}

/* ---- out of it */

static bool body_is_done(const struct stream *s)
{
	if (s->resp.in == H1_BODY_CHUNKED)
		return s->resp.chunk.state == CHUNK_DONE;
	return s->resp.in == H1_BODY_LENGTH && s->resp.left == 0;
}

static void arrive(struct stream *s)
{
	enum lane_after after = s->after;

	note_first(s);
	splice_track_take(s->env->splice, slot_of(s), &s->resp.chunk, &s->resp.sse, &s->resp.left);
	/* The upstream's FIN may be seen before the note of the body's end, which it does not make less of an
	 * end. */
	if (after == AFTER_END || body_is_done(s)) {
		copy_complete(s);
		return;
	}
	stream_move(s, STREAM_COPY);
	s->watch_ms = 0;
	s->gap_from_ns = 0; /* the verdict saw the last bytes */
	s->up.readable = true;
	if (loop_mod(s->env->loop, &s->up.source, UPSTREAM_COPY_EVENTS)) {
		stream_end(s, SLUICE_BY_INTERNAL, "epoll");
		return;
	}
	if (after == AFTER_DEADLINE)
		s->timer.on_fire(&s->timer);
	else {
		deadline_arm(s);
		copy_pump(s);
	}
}

/* Userspace may write only when all that was redirected has reached the client's TCP: else it would overtake.
 */
static void settle(struct stream *s)
{
	if (splice_drained(s->env->splice, slot_of(s))) {
		arrive(s);
		return;
	}
	if (s->route->timeouts.stall_ms &&
		loop_now_ms(s->env->loop) >= s->settle_ms + s->route->timeouts.stall_ms) {
		copy_close_slow(s, "stall");
		return;
	}
	timer_in(s->env->loop, &s->timer, SETTLE_MS);
}

/* `reason`: why userspace goes on with it, for AFTER_READ. */
static void leave(struct stream *s, enum lane_after after, enum sluice_lane_reason reason)
{
	s->after = after;
	s->settle_ms = loop_now_ms(s->env->loop);
	splice_disengage(s->env->splice, slot_of(s));
	/* What only comes to look at the end has not changed its lane. */
	if (after == AFTER_READ)
		set_lane(s, SLUICE_LANE_COPY, reason);
	else if (after == AFTER_DEADLINE)
		set_lane(s, SLUICE_LANE_COPY, SLUICE_REASON_WRITING);
	stream_move(s, STREAM_SETTLE);
	settle(s);
}

void lane_leave(struct stream *s, enum lane_after after)
{
	leave(s, after, SLUICE_REASON_LAGGING);
}

void settle_on_timeout(struct stream *s);
void settle_on_timeout(struct stream *s)
{
	settle(s);
}

/* Why bytes came to us instead of to the client. By the record's counters: `why` is the last segment's, and
 * behind a spill the next ones are held back for another reason. */
static enum sluice_lane_reason note_reason(struct stream *s)
{
	enum sluice_lane_reason reason = SLUICE_REASON_LAGGING;
	struct sluice_ctl *c = s->ctl;
	struct sluice_flow flow;

	splice_state(s->env->splice, slot_of(s), &flow);
	if (flow.spills != c->spills) {
		s->env->totals->spills += flow.spills - c->spills;
		c->spills = flow.spills;
		sndbuf_adapt(s);
	} else if (flow.punts != s->punts) {
		reason = SLUICE_REASON_FRAMING;
	}
	s->punts = flow.punts;
	if (s->punts > MAX_PUNTS)
		s->lane_best = SLUICE_LANE_COPY;
	return reason;
}

void lane_look(struct stream *s)
{
	switch (splice_next(s->env->splice, slot_of(s))) {
	case SPLICE_CARRIED:
		return;
	case SPLICE_READ:
		leave(s, AFTER_READ, note_reason(s));
		return;
	case SPLICE_ENDED:
		lane_leave(s, AFTER_END);
		return;
	case SPLICE_BROKEN:
		copy_broken(s);
		return;
	}
}

void splice_on_upstream(struct stream *s);
void splice_on_upstream(struct stream *s)
{
	/* EPOLLRDHUP may come before the verdict saw the last bytes: recv() tells in what order they are
	 * (trap 17). */
	if (s->up.fin || s->up.dead)
		lane_leave(s, AFTER_FIN);
}

/* The worker's totals follow what the kernel carries of this stream. */
static void fold_totals(struct stream *s, const struct sluice_flow *f)
{
	struct sluice_counters *t = s->env->totals;

	t->events += f->events - s->folded_events;
	t->bytes_out += f->redirected - s->folded_bytes;
	t->spliced_bytes += f->redirected - s->folded_bytes;
	s->folded_events = f->events;
	s->folded_bytes = f->redirected;
}

void lane_watch(struct stream *s, uint64_t now)
{
	struct splice *k = s->env->splice;
	uint64_t last = stream_last_in_ns(s) / NS_PER_MS;
	bool silent = now > last + 10 * WATCH_MS;
	struct sluice_flow flow;

	splice_state(k, slot_of(s), &flow);
	fold_totals(s, &flow);
	s->watch_ms = now + (silent ? WATCH_IDLE_MS : WATCH_MS);
	note_first(s);
	/* The verdict saw bytes since the last look: it is alive, and no question need be asked. */
	if (now <= last + WATCH_MS)
		return;
	if (splice_stuck(k, slot_of(s), now * NS_PER_MS) < STUCK_NS)
		return;
	log_warn("stream %llu: the kernel received and did not deliver for 2 s; back to the copy lane for "
		 "good",
		(unsigned long long)s->ctl->id);
	s->env->totals->watchdogs++;
	s->lane_best = SLUICE_LANE_COPY;
	leave(s, AFTER_READ, SLUICE_REASON_WATCHDOG);
}

void lane_on_note(void *arg, uint32_t slot)
{
	struct env *env = arg;
	struct stream *s = env->by_slot[slot - env->slots.first];

	if (s && s->state == STREAM_SPLICE)
		lane_look(s);
}

void lane_again(struct stream *s)
{
	if (s->state == STREAM_SPLICE)
		lane_look(s);
	else if (s->state == STREAM_SETTLE)
		settle(s);
}

/* ---- the end */

/* What the kernel counted becomes part of the record, once. */
static void fold_flow(struct stream *s)
{
	struct sluice_ctl *c = s->ctl;
	struct sluice_flow f;

	splice_state(s->env->splice, slot_of(s), &f);
	c->bytes_in += f.redirected;
	c->bytes_out += f.redirected;
	c->events += f.events;
	c->chunks += f.chunks;
	c->pending_max = MAX(c->pending_max, f.pending_max);
	c->last_in_ns = MAX(c->last_in_ns, f.last_ns);
	c->last_out_ns = MAX(c->last_out_ns, f.last_ns);
	note_first(s);
	fold_totals(s, &f);
}

bool lane_unhook(struct stream *s, bool complete)
{
	bool clean = false;

	if (!s->hooked)
		return true;
	/* Readers add the kernel's record while the slot is hooked: they must not see it counted twice. */
	ctl_begin(s->ctl);
	fold_flow(s);
	if (complete)
		clean = splice_release(s->env->splice, slot_of(s)) == 0;
	else
		splice_forget(s->env->splice, slot_of(s));
	ctl_end(s->ctl);
	s->hooked = false;
	return clean;
}
