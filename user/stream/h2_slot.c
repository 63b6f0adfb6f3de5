/* A stream of an HTTP/2 connection as a wire: text of heads and bytes of bodies in, frames out. */
#include "base/clock.h"
#include "stream/h2_conn.h"

#define OUT_KEEP 512  /* bytes of an empty buffer */
#define CUT_MS	 1000 /* how long a client may take for the last bytes of a body that breaks off */

static struct h2_slot *slot_of(const struct client *c)
{
	return container_of(c, struct h2_slot, client);
}

static void slot_free_task(struct task *t)
{
	struct h2_slot *slot = container_of(t, struct h2_slot, client.free_task);

	slab_give(&slot->client.env->h2_slots, slot);
}

/* Both its stream and the session have let it go. */
static void slot_free(struct h2_slot *slot)
{
	struct client *c = &slot->client, *carrier = slot->conn->client;

	c->closed = true;
	list_remove(&c->link);
	list_remove(&slot->link);
	list_remove(&slot->dirty);
	timer_stop(&c->timer);
	task_cancel(&c->again);
	buf_reset(&c->in);
	backlog_reset(&slot->out);
	buf_reset(&slot->trailers);
	task_defer(c->env->loop, &c->free_task);
	if (list_empty(&slot->conn->slots) && !carrier->closed)
		task_defer(c->env->loop, &slot->conn->flush);
}

void h2_slot_mark(struct h2_slot *slot)
{
	list_remove(&slot->dirty);
	list_push_back(&slot->conn->dirty, &slot->dirty);
	task_defer(slot->client.env->loop, &slot->conn->flush);
}

/* ---- as a wire */

/* What the client sends comes through client.in. */
static ssize_t slot_recv(struct wire *w, void *p, size_t n)
{
	(void)p;
	(void)n;
	w->readable = false;
	return -EAGAIN;
}

/* All of it or nothing: a head must not be taken apart, and what is offered is never more than one read. */
static ssize_t slot_send(struct wire *w, const struct iovec *iov, size_t niov)
{
	struct h2_slot *slot = container_of(w, struct h2_slot, client.wire);
	size_t total = 0;

	if (slot->gone)
		return -EPIPE;
	if (backlog_len(&slot->out) >= H2_OUT_BYTES) {
		w->writable = false;
		return 0;
	}
	for (size_t i = 0; i < niov; i++) {
		int err = backlog_add(&slot->out, iov[i].iov_base, iov[i].iov_len);

		if (err)
			return err;
		total += iov[i].iov_len;
	}
	h2_slot_mark(slot);
	return (ssize_t)total;
}

static void slot_shut(struct wire *w)
{
	(void)w; /* tunnels only, and HTTP/2 has none here */
}

static const struct wire_ops slot_ops = {slot_recv, slot_send, slot_shut};

/* The client took what kept the stream waiting. */
static void on_slot_again(struct task *t)
{
	struct client *c = container_of(t, struct client, again);

	if (!c->stream)
		return;
	if (!backlog_len(&c->stream->to_client))
		out_blocked(c->stream, false);
	stream_client_ready(c->stream);
}

/* For the window that the rest of a whole response takes. */
static void wait_for_client(struct h2_slot *slot)
{
	struct client *c = &slot->client;

	slot->moved = false;
	if (slot->stall_ms)
		timer_in(c->env->loop, &c->timer, slot->stall_ms);
}

static void on_slot_timer(struct timer *t)
{
	struct h2_slot *slot = container_of(t, struct h2_slot, client.timer);

	if (slot->ended) {
		if (slot->moved || slot->told_end) {
			wait_for_client(slot);
			return;
		}
		slot->ended = false;
		slot->cut = true;
		slot->reset = H2_CANCEL;
	}
	backlog_reset(&slot->out);
	h2_slot_mark(slot);
}

struct h2_slot *h2_slot_new(struct h2_conn *conn, int32_t id)
{
	struct client *carrier = conn->client, *c;
	struct env *env = carrier->env;
	struct h2_slot *slot = slab_take(&env->h2_slots);

	if (!slot)
		return NULL;
	slot->conn = conn;
	slot->id = id;
	list_init(&slot->dirty);
	list_push_back(&conn->slots, &slot->link);
	c = &slot->client;
	c->env = env;
	c->carrier = carrier;
	c->wire = (struct wire){.source.fd = -1, .ops = &slot_ops, .writable = true};
	c->addr = carrier->addr;
	c->is_unix = carrier->is_unix;
	c->cookie = carrier->cookie;
	c->trusted = carrier->trusted;
	c->requests = carrier->requests++;
	c->first_byte_ns = loop_now_ns(env->loop);
	timer_init(&c->timer, on_slot_timer);
	task_init(&c->again, on_slot_again);
	task_init(&c->free_task, slot_free_task);
	list_init(&c->idle);
	list_push_back(&env->all_clients, &c->link);
	return slot;
}

/* ---- for the session */

/* How much of the text is a head; 0: not whole, which does not happen. */
static size_t head_len(const struct backlog *b)
{
	const char *p = b->buf.data + b->at;
	const char *end = backlog_len(b) ? memmem(p, backlog_len(b), "\r\n\r\n", 4) : NULL;

	return end ? (size_t)(end - p) + 4 : 0;
}

/* "HTTP/1.1 103 …": another head follows. */
static bool is_interim(struct slice head)
{
	return head.n > 9 && head.p[9] == '1';
}

/* The session cannot send what would make the response whole. */
static void spoil(struct h2_slot *slot)
{
	slot->cut = true;
	slot->ended = slot->told_end = false;
	slot->reset = H2_INTERNAL_ERROR;
	backlog_reset(&slot->out);
}

static bool has_trailers(const struct h2_slot *slot)
{
	return slot->trailers.len > 2;
}

static void give_heads(struct h2_slot *slot)
{
	while (!slot->has_head) {
		struct slice head = {slot->out.buf.data + slot->out.at, head_len(&slot->out)};
		bool bare = slot->ended && head.n == backlog_len(&slot->out) && !has_trailers(slot);

		if (!head.n)
			return;
		slot->has_head = !is_interim(head);
		slot->told_end = slot->has_head && bare;
		if (h2_head(slot->conn->session, slot->id, head, slot->told_end)) {
			spoil(slot);
			return;
		}
		if (slot->has_head && !slot->told_end)
			slot->body = h2_body(slot->conn->session, slot->id);
		slot->out.at += head.n;
	}
}

/* Broken off, and all was sent that could be: it is over, whenever the client comes to read of it. */
static void leave(struct h2_slot *slot)
{
	h2_reset(slot->conn->session, slot->id, slot->reset);
	h2_detach(slot->conn->session, slot->id);
	h2_slot_lost(slot, false);
}

/* All that the stream had was taken: it may go on. */
static void has_room(struct h2_slot *slot)
{
	struct client *c = &slot->client;

	/* What one event needs is kept for the next. */
	if (slot->out.buf.cap > OUT_KEEP)
		backlog_reset(&slot->out);
	slot->out.at = slot->out.buf.len = 0;
	if (c->wire.writable || !c->stream)
		return;
	c->wire.writable = true;
	task_next_turn(c->env->loop, &c->again);
}

size_t h2_slot_write(struct h2_slot *slot, char *to, size_t room)
{
	size_t n = backlog_len(&slot->out);
	bool end = false;

	if (!slot->body || slot->gone || slot->ended || slot->cut ||
		!h2_send_ahead(slot->conn->session, slot->body, n, to, room))
		return 0;
	(void)h2_slot_pull(slot, to + H2_FRAME_HEADER, n, &end);
	return H2_FRAME_HEADER + n;
}

void h2_slot_offer(struct h2_slot *slot)
{
	if (slot->gone)
		return;
	if (!slot->has_head) {
		give_heads(slot);
		if (!backlog_len(&slot->out)) {
			backlog_reset(&slot->out);
			has_room(slot);
		}
	}
	if (slot->cut && !backlog_len(&slot->out)) {
		/* The windows first: behind the reset they could not be told any more. */
		if (slot->body && h2_body_is_ahead(slot->conn->session, slot->body))
			h2_resume(slot->conn->session, slot->id);
		else
			leave(slot);
	} else if (slot->has_head && !slot->told_end && (backlog_len(&slot->out) || slot->ended))
		h2_resume(slot->conn->session, slot->id);
}

/* All of the body was taken. False: it cannot be ended as it should. */
static bool end_body(struct h2_slot *slot)
{
	if (has_trailers(slot) && h2_trailers(slot->conn->session, slot->id, buf_slice(&slot->trailers)))
		spoil(slot);
	return slot->ended;
}

size_t h2_slot_pull(struct h2_slot *slot, char *to, size_t n, bool *ret_end)
{
	struct backlog *out = &slot->out;
	size_t take = MIN(n, backlog_len(out));

	if (!take && !slot->ended)
		return 0;
	if (take)
		memcpy(to, out->buf.data + out->at, take);
	out->at += take;
	slot->moved |= take > 0;
	if (take && slot->client.stream) /* it has not stalled */
		slot->client.stream->ctl->last_out_ns = loop_now_ns(slot->client.env->loop);
	if (backlog_len(out))
		return take;
	if (slot->ended)
		*ret_end = slot->told_end = end_body(slot);
	if (slot->cut)
		h2_slot_mark(slot);
	has_room(slot);
	return take;
}

/* ---- ends */

/* The stream has let it go. False: so has the session. */
static bool part(struct h2_slot *slot)
{
	slot->client.stream = NULL;
	if (slot->gone)
		slot_free(slot);
	else
		h2_slot_mark(slot);
	return !slot->gone;
}

void h2_slot_finish(struct client *c, uint64_t stall_ms)
{
	struct h2_slot *slot = slot_of(c);

	if (!part(slot))
		return;
	slot->ended = true;
	slot->stall_ms = stall_ms;
	wait_for_client(slot);
}

void h2_slot_release(struct client *c, bool at_once, uint32_t code)
{
	struct h2_slot *slot = slot_of(c);

	if (!part(slot))
		return;
	slot->cut = true;
	slot->reset = code;
	if (at_once)
		backlog_reset(&slot->out);
	else
		timer_in(c->env->loop, &c->timer, CUT_MS);
}

void h2_slot_end(struct h2_slot *slot, bool reset)
{
	struct client *c = &slot->client;

	c->wire.fin = true;
	c->wire.dead = reset;
	if (c->stream)
		stream_client_ready(c->stream);
	/* A stream that was flushing its last bytes does not mind an end, but this is one of both sides. */
	c->wire.dead = true;
	if (c->stream)
		stream_client_ready(c->stream);
}

void h2_slot_lost(struct h2_slot *slot, bool reset)
{
	slot->gone = true;
	if (slot->client.stream)
		h2_slot_end(slot, reset);
	else
		slot_free(slot);
}

int h2_slot_trailers(struct client *c, struct slice read, size_t total)
{
	struct buf *b = &slot_of(c)->trailers;
	size_t fresh = total - b->len;

	/* The final CRLF alone, in one piece: so nearly every body ends. */
	if (fresh == 2 && total == 2 && read.p[read.n - 1] == '\n')
		return 0;
	return buf_append(b, read.p + read.n - fresh, fresh);
}

void h2_slot_consumed(struct client *c, size_t n)
{
	struct h2_slot *slot = slot_of(c);

	if (slot->gone || !n)
		return;
	h2_consume(slot->conn->session, slot->id, n);
	task_defer(c->env->loop, &slot->conn->flush);
}

bool h2_slot_request_ended(const struct client *c)
{
	return slot_of(c)->request_done;
}
