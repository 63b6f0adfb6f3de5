/* Bytes to the client: straight into its socket, and a backlog only for what that did not take. */
#include "stream/stream.h"

#define BACKLOG_KEEP 1024 /* an empty backlog bigger than this gives its memory back */

void backlog_reset(struct backlog *b)
{
	buf_reset(&b->buf);
	b->at = 0;
}

int backlog_add(struct backlog *b, const void *p, size_t n)
{
	/* Moving the rest down costs least when most of it has gone. */
	if (b->at && b->at >= b->buf.len / 2) {
		buf_drop(&b->buf, b->at);
		b->at = 0;
	}
	return buf_append(&b->buf, p, n);
}

int backlog_flush(struct backlog *b, struct wire *w)
{
	while (backlog_len(b)) {
		struct iovec rest = {b->buf.data + b->at, backlog_len(b)};
		ssize_t n = wire_send(w, &rest, 1, rest.iov_len, false);

		if (n < 0)
			return (int)n;
		b->at += (size_t)n;
		if (!w->writable)
			break;
	}
	if (backlog_len(b))
		return 0;
	b->at = b->buf.len = 0;
	if (b->buf.cap > BACKLOG_KEEP)
		backlog_reset(b);
	return 1;
}

static void note_sent(struct stream *s, size_t n)
{
	s->ctl->bytes_out += n;
	s->ctl->last_out_ns = loop_now_ns(s->env->loop);
	s->env->totals->bytes_out += n;
	s->env->totals->copied_bytes += n;
	if (unlikely(s->hooked))
		splice_wrote(s->env->splice, slots_number(&s->env->slots, s->ctl), n, 0);
}

static void note_pending(struct stream *s)
{
	size_t pending = backlog_len(&s->to_client) + (s->queue ? event_queue_bytes(s->queue) : 0);

	s->ctl->pending = (uint32_t)pending;
	s->ctl->pending_max = MAX(s->ctl->pending_max, s->ctl->pending);
}

void out_blocked(struct stream *s, bool blocked)
{
	struct sluice_ctl *c = s->ctl;

	note_pending(s);
	if (blocked == !!(c->flags & SLUICE_CTL_BLOCKED))
		return;
	c->blocked_since_ns = blocked ? loop_now_ns(s->env->loop) : 0;
	c->flags ^= SLUICE_CTL_BLOCKED;
	if (s->state == STREAM_COPY)
		deadline_arm(s);
	if (blocked)
		sndbuf_adapt(s);
}

/* What the socket took of `n`; a full socket is 0. */
static ssize_t try_send(struct stream *s, const struct iovec *iov, size_t niov, size_t n, bool more)
{
	ssize_t sent = backlog_len(&s->to_client) ? 0 : wire_send(&s->client->wire, iov, niov, n, more);

	if (sent > 0)
		note_sent(s, (size_t)sent);
	return sent;
}

static int keep_rest(struct stream *s, const struct iovec *iov, size_t niov, size_t sent)
{
	for (size_t i = 0; i < niov; i++) {
		size_t skip = MIN(sent, iov[i].iov_len);
		int err;

		sent -= skip;
		err = backlog_add(&s->to_client, (char *)iov[i].iov_base + skip, iov[i].iov_len - skip);
		if (err)
			return err;
	}
	out_blocked(s, true);
	return 0;
}

static int send_all(struct stream *s, const struct iovec *iov, size_t niov, size_t n, bool more)
{
	ssize_t sent = try_send(s, iov, niov, n, more);

	if (sent < 0)
		return (int)sent;
	return (size_t)sent == n ? 0 : keep_rest(s, iov, niov, (size_t)sent);
}

int out_send(struct stream *s, const char *p, size_t n, bool more)
{
	struct iovec iov = {(void *)p, n};

	return n ? send_all(s, &iov, 1, n, more) : 0;
}

int out_payload(struct stream *s, const char *p, size_t n)
{
	char head[CHUNK_HEAD_MAX];
	struct iovec iov[3] = {{head, 0}, {(void *)p, n}, {(void *)"\r\n", 2}};

	if (!n)
		return 0;
	if (s->resp.out != H1_BODY_CHUNKED)
		return out_send(s, p, n, false);
	iov[0].iov_len = chunk_write_head(head, n);
	return send_all(s, iov, 3, iov[0].iov_len + n + 2, false);
}

int out_flush(struct stream *s)
{
	size_t before = backlog_len(&s->to_client);
	int done = backlog_flush(&s->to_client, &s->client->wire);

	if (before > backlog_len(&s->to_client))
		note_sent(s, before - backlog_len(&s->to_client));
	if (done < 0)
		return done;
	if (done && s->queue) {
		int err = lag_refill(s);

		if (err)
			return err;
		done = backlog_len(&s->to_client) == 0;
	}
	out_blocked(s, !done);
	return done;
}
