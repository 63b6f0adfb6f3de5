/* An HTTP/2 connection: the socket's bytes to the session, the session's frames to the socket, in one write
 * per turn of the loop where that is possible. */
#include "stream/h2_conn.h"
#include "base/clock.h"
#include "base/log.h"

#define READ_BYTES   (16 * 1024)
#define READS_A_TURN 4
#define WRITE_BYTES  (16 * 1024) /* frames gathered for one write: a TLS record holds no more */
/* A turn that began with so many events is followed by another at once, without sleeping, and what that
 * brings for the same connection shares the write: half of what an event costs is the write. */
#define GATHER_EVENTS 2
#define NOTICE_MS     1000 /* between the first GOAWAY and the second: a round trip, with time to spare */

_Static_assert(READ_BYTES <= SCRATCH_BYTES && WRITE_BYTES <= SCRATCH_BYTES, "env->frames");

_Static_assert(
	SLUICE_H2_END_COUNT == H2_REASON_COUNT - 1 && (int)SLUICE_H2_END_RESETS == H2_REASON_RESETS - 1,
	"h2_ends.def is h2_reasons.def");
_Static_assert((int)SLUICE_H2_OTHER == H2_HTTP_1_1_REQUIRED + 1, "h2_codes.def is enum h2_code");

static unsigned code_row(uint32_t code)
{
	return MIN(code, (uint32_t)SLUICE_H2_OTHER);
}

/* ---- the session's calls */

static uint32_t on_request(void *arg, int32_t id, const struct h1_request *req, bool end, void **ret_user)
{
	struct h2_conn *conn = arg;
	struct h2_slot *slot;

	if (conn->client->env->draining && conn->ending)
		return H2_REFUSED_STREAM;
	slot = h2_slot_new(conn, id);
	if (!slot)
		return H2_REFUSED_STREAM;
	*ret_user = slot;
	conn->client->env->totals->h2_streams++;
	slot->request_done = end;
	list_remove(&conn->client->idle);
	if (!conn->noticed) /* else it is the second GOAWAY's, and this request crossed the first */
		timer_stop(&conn->client->timer);
	request_start_parsed(&slot->client, req);
	return 0;
}

/* The session has answered it; what is left to do is to count and to log. */
static void on_refused(void *arg, int32_t id, void *user, enum h1_rule rule)
{
	struct h2_conn *conn = arg;
	struct h2_slot *slot = user;

	if (slot) {
		conn->client->env->totals->refused[rule]++;
		if (slot->client.stream)
			stream_end(slot->client.stream, SLUICE_BY_REFUSED, h1_rule_label(rule));
		return;
	}
	slot = h2_slot_new(conn, id);
	if (!slot) {
		conn->client->env->totals->refused[rule]++;
		return;
	}
	slot->gone = true;
	request_refused(&slot->client, rule);
}

static void on_data(void *arg, void *user, const char *p, size_t n)
{
	struct h2_slot *slot = user;
	struct client *c = &slot->client;

	(void)arg;
	/* Bounded by the window: it is given back as the bytes are taken. */
	if (!c->stream)
		h2_slot_consumed(c, n);
	else if (buf_append(&c->in, p, n))
		stream_lost(c->stream, -ENOMEM);
	else
		stream_client_ready(c->stream);
}

static void on_end(void *arg, void *user)
{
	struct h2_slot *slot = user;

	(void)arg;
	slot->request_done = true;
	if (slot->client.stream)
		stream_client_ready(slot->client.stream);
}

static void on_closed(void *arg, void *user, uint32_t code, bool by_peer)
{
	(void)arg;
	(void)by_peer;
	h2_slot_lost(user, code != H2_NO_ERROR && code != H2_CANCEL);
}

static size_t on_pull(void *arg, void *user, char *to, size_t n, bool *ret_end)
{
	(void)arg;
	return h2_slot_pull(user, to, n, ret_end);
}

static void on_note(void *arg, enum h2_note note, uint32_t code)
{
	struct sluice_counters *t = ((struct h2_conn *)arg)->client->env->totals;

	switch (note) {
	case H2_NOTE_RESET_IN:
		t->h2_resets_received[code_row(code)]++;
		break;
	case H2_NOTE_RESET_OUT:
		t->h2_resets_sent[code_row(code)]++;
		break;
	case H2_NOTE_GOAWAY_IN:
		t->h2_goaways_received++;
		break;
	case H2_NOTE_GOAWAY_OUT:
		t->h2_goaways_sent[code_row(code)]++;
		break;
	case H2_NOTE_STALL:
		t->h2_stalls++;
		break;
	}
}

static const struct h2_events events = {
	.on_request = on_request,
	.on_refused = on_refused,
	.on_data = on_data,
	.on_end = on_end,
	.on_closed = on_closed,
	.pull = on_pull,
	.on_note = on_note,
};

/* ---- frames out */

static void lost(struct h2_conn *conn, bool reset)
{
	conn->reset = reset;
	client_close(conn->client, reset ? CLIENT_RESET : CLIENT_CLOSE);
}

/* What the streams have: events as frames, straight into `to`, as far as they fit; the rest is told to the
 * session. Returns how many bytes of `to` it took. */
static size_t offer(struct h2_conn *conn, char *to, size_t room)
{
	size_t used = 0;

	while (!list_empty(&conn->dirty)) {
		struct h2_slot *slot = list_first(&conn->dirty, struct h2_slot, dirty);
		size_t n = conn->catching_up ? 0 : h2_slot_write(slot, to + used, room - used);

		list_remove(&slot->dirty);
		used += n;
		if (n)
			continue;
		list_push_back(&conn->offered, &slot->dirty);
		h2_slot_offer(slot);
	}
	return used;
}

/* Those that could not give all wait: their window is used up, or the socket is full. */
static void end_offer(struct h2_conn *conn)
{
	while (!list_empty(&conn->offered)) {
		struct h2_slot *slot = list_first(&conn->offered, struct h2_slot, dirty);

		list_remove(&slot->dirty);
		if (!backlog_len(&slot->out)) {
			/* It leaves when the windows know what went ahead. */
			if (slot->cut)
				h2_slot_mark(slot);
			continue;
		}
		slot->client.wire.writable = false;
		if (slot->client.stream)
			out_blocked(slot->client.stream, true);
	}
}

/* 1: all is written, 0: the socket is full, negative: broken. */
static int write_frames(struct h2_conn *conn)
{
	struct wire *w = &conn->client->wire;
	char *frames = conn->client->env->frames;
	int done = backlog_flush(&conn->out, w);

	while (done > 0) {
		struct iovec iov = {frames, 0};
		size_t ahead = offer(conn, frames, WRITE_BYTES);
		ssize_t n = 0, sent;

		if (WRITE_BYTES - ahead >= H2_PULL_MIN && h2_wants_pull(conn->session))
			n = h2_pull_into(conn->session, frames + ahead, WRITE_BYTES - ahead);
		if (n < 0)
			return (int)n;
		n += (ssize_t)ahead;
		if (n == 0) {
			if (!list_empty(&conn->dirty))
				continue;
			return 1;
		}
		iov.iov_len = (size_t)n;
		sent = wire_send(w, &iov, 1, iov.iov_len, false);
		if (sent < 0)
			return (int)sent;
		if (sent < n) {
			done = backlog_add(&conn->out, frames + sent, (size_t)(n - sent));
			return done ? done : 0;
		}
		/* It filled what there was room for, or that was all. */
		if ((size_t)n + H2_PULL_MIN <= WRITE_BYTES && list_empty(&conn->dirty))
			return 1;
	}
	return done;
}

/* Broken, or abuse: the session has a GOAWAY to send, and that is the end. */
static void broken(struct h2_conn *conn)
{
	enum h2_reason why = h2_why(conn->session);

	log_debug("HTTP/2 connection ends: %s", h2_reason_text(why));
	if (why)
		conn->client->env->totals->h2_ended[why - 1]++;
	conn->ending = true;
	timer_in(conn->client->env->loop, &conn->client->timer, NOTICE_MS);
	list_for_each_safe (node, &conn->slots)
		h2_slot_end(list_entry(node, struct h2_slot, link), true);
}

/* No stream is left: it may be closed, or wait for the next request. */
static void rest(struct h2_conn *conn)
{
	struct client *c = conn->client;

	if (conn->ending) {
		client_close(c, CLIENT_LINGER);
	} else if (c->env->draining) {
		h2_goaway(conn->session, H2_NO_ERROR);
		conn->ending = true;
		task_defer(c->env->loop, &conn->flush);
	} else if (list_empty(&c->idle)) {
		list_push_back(&c->env->idle_clients, &c->idle);
		/* Before its first request it has the time for a head. */
		if (c->requests)
			timer_in(c->env->loop, &c->timer, c->env->now->settings->client_keepalive_ms);
	}
}

static void on_flush(struct task *t)
{
	struct h2_conn *conn = container_of(t, struct h2_conn, flush);
	struct loop *loop = conn->client->env->loop;
	int done;

	if (!conn->gathers && loop_batch(loop) >= GATHER_EVENTS) {
		conn->gathers = true;
		task_next_turn(loop, t);
		return;
	}
	conn->gathers = false;
	done = write_frames(conn);
	end_offer(conn);
	if (done < 0) {
		lost(conn, true);
		return;
	}
	if (done > 0 && h2_is_done(conn->session)) {
		/* What nghttp2 finds by itself shows here. */
		if (!conn->ending)
			broken(conn);
		client_close(conn->client, CLIENT_LINGER);
		return;
	}
	/* Reading stopped while frames waited, and what came meanwhile makes no other edge. */
	if (done > 0 && conn->client->wire.readable && !conn->ending)
		task_next_turn(loop, &conn->client->again);
	if (done > 0 && list_empty(&conn->slots))
		rest(conn);
}

/* ---- bytes in */

/* False: it ended. */
static bool take(struct h2_conn *conn, const char *p, size_t n)
{
	int err = h2_recv(conn->session, p, n, loop_now_ms(conn->client->env->loop));

	task_defer(conn->client->env->loop, &conn->flush);
	if (err)
		broken(conn);
	return err == 0;
}

/* The session hears of all that went ahead of it. False: the socket is full, or broken. */
static bool catch_up(struct h2_conn *conn)
{
	int done;

	if (!h2_is_ahead(conn->session))
		return true;
	h2_tell_ahead(conn->session);
	conn->catching_up = true;
	done = write_frames(conn);
	end_offer(conn);
	conn->catching_up = false;
	if (done < 0)
		lost(conn, true);
	return done > 0;
}

void h2_conn_ready(struct client *c)
{
	struct h2_conn *conn = c->h2;

	if (c->wire.writable && backlog_len(&conn->out))
		task_defer(c->env->loop, &conn->flush);
	/* With frames that it does not take piling up, it is not asked for more of what makes frames. */
	for (int reads = 0; c->wire.readable && !conn->ending && !backlog_len(&conn->out); reads++) {
		ssize_t n;

		if (reads == READS_A_TURN) {
			task_next_turn(c->env->loop, &c->again);
			return;
		}
		if (!catch_up(conn))
			return;
		n = wire_recv(&c->wire, c->env->frames, READ_BYTES);
		if (n == -EAGAIN)
			break;
		if (n <= 0) {
			lost(conn, n < 0);
			return;
		}
		if (!take(conn, c->env->frames, (size_t)n))
			return;
	}
	if (c->wire.dead)
		lost(conn, true);
}

/* ---- its life */

void h2_conn_begin(struct client *c)
{
	const struct settings *s = c->env->now->settings;
	struct h2_conn *conn = calloc(1, sizeof(*conn));

	if (!conn || h2_new(&s->http2, &events, conn, &conn->session)) {
		free(conn);
		client_close(c, CLIENT_RESET);
		return;
	}
	conn->client = c;
	list_init(&conn->slots);
	list_init(&conn->dirty);
	list_init(&conn->offered);
	task_init(&conn->flush, on_flush);
	c->h2 = conn;
	c->env->totals->h2_connections++;
	c->env->totals->h2_connections_now++;
	c->first_byte_ns = 0;
	list_remove(&c->idle);
	timer_in(c->env->loop, &c->timer, s->client_head_ms);
	task_defer(c->env->loop, &conn->flush);
	if (c->in.len && take(conn, c->in.data, c->in.len))
		buf_reset(&c->in);
	if (!c->closed)
		h2_conn_ready(c);
}

void h2_conn_done(struct client *c)
{
	struct h2_conn *conn = c->h2;

	list_for_each_safe (node, &conn->slots)
		h2_slot_lost(list_entry(node, struct h2_slot, link), conn->reset);
	c->env->totals->h2_connections_now--;
	h2_free(conn->session);
	task_cancel(&conn->flush);
	backlog_reset(&conn->out);
	free(conn);
	c->h2 = NULL;
}

static void say_goodbye(struct h2_conn *conn)
{
	h2_goaway(conn->session, H2_NO_ERROR);
	conn->ending = list_empty(&conn->slots);
	task_defer(conn->client->env->loop, &conn->flush);
}

void h2_conn_timer(struct client *c)
{
	struct h2_conn *conn = c->h2;

	if (conn->ending)
		client_close(c, CLIENT_RESET);
	else if (conn->noticed || list_empty(&conn->slots)) {
		say_goodbye(conn);
		if (conn->ending)
			timer_in(c->env->loop, &c->timer, NOTICE_MS);
	}
}

void h2_conn_drain(struct client *c)
{
	struct h2_conn *conn = c->h2;

	if (list_empty(&conn->slots)) {
		say_goodbye(conn);
	} else {
		h2_shutdown_notice(conn->session);
		conn->noticed = true;
		task_defer(c->env->loop, &conn->flush);
	}
	timer_in(c->env->loop, &c->timer, NOTICE_MS);
}

void h2_conn_end(struct client *c)
{
	c->h2->ending = true;
	task_defer(c->env->loop, &c->h2->flush);
}
