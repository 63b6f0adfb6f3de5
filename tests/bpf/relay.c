/* The rig's relay: the copy lane, and the hand-off as docs/KERNEL.md has it. */
#include "rig.h"
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>

void relay_position(const struct relay *r, struct sluice_track *ret)
{
	int err = splice_track_make(ret, r->framing, r->left, &r->chunk, r->scan ? &r->sse : NULL);

	if (err)
		ret->chunk = SLUICE_CHUNK_BAD;
}

/* Follows n bytes of the body; returns how many belong to it. */
static size_t follow(struct relay *r, const char *p, size_t n)
{
	uint64_t before = r->sse.events;
	size_t used = 0;

	if (r->framing == SLUICE_BODY_CHUNKED) {
		while (used < n && r->chunk.state != CHUNK_DONE) {
			struct chunk_step s = chunk_next(&r->chunk, p + used, n - used);

			if (r->scan)
				sse_feed(&r->sse, s.payload.p, s.payload.n);
			used += s.used;
			if (r->chunk.state == CHUNK_BAD) {
				r->error = -EPROTO;
				break;
			}
		}
	} else {
		used = r->framing == SLUICE_BODY_LENGTH ? (size_t)MIN((uint64_t)n, r->left) : n;
		if (r->scan)
			sse_feed(&r->sse, p, used);
		r->left -= r->framing == SLUICE_BODY_LENGTH ? used : 0;
	}
	r->events += r->sse.events - before;
	return used;
}

static bool body_done(const struct relay *r)
{
	return (r->framing == SLUICE_BODY_CHUNKED && r->chunk.state == CHUNK_DONE) ||
	       (r->framing == SLUICE_BODY_LENGTH && r->left == 0);
}

static bool copy_read(struct relay *r)
{
	size_t used;
	ssize_t n;

	assert_return_code(buf_reserve(&r->held, r->read_max), 0);
	n = recv(r->up, r->held.data + r->held.len, r->read_max, 0);
	if (n < 0 && errno == EAGAIN)
		return false;
	if (n < 0) {
		r->error = -errno;
		return true;
	}
	if (n == 0) {
		if (splice_left(r->k, r->slot))
			return false;
		r->eof = true;
		return true;
	}
	if (splice_took(r->k, r->slot, (size_t)n)) {
		r->error = -EBADMSG;
		return true;
	}
	r->copied += (uint64_t)n;
	used = follow(r, r->held.data + r->held.len, (size_t)n);
	r->held.len += used;
	r->beyond += (size_t)n - used;
	return true;
}

static bool copy_write(struct relay *r)
{
	ssize_t n = send(r->client, r->held.data, r->held.len, MSG_NOSIGNAL);

	if (n < 0 && errno == EAGAIN)
		return false;
	if (n < 0) {
		r->error = -errno;
		return true;
	}
	splice_wrote(r->k, r->slot, (size_t)n, 0);
	buf_drop(&r->held, (size_t)n);
	return true;
}

/* Takes over from the kernel: from here on bytes come to recv(). */
void relay_disengage(struct relay *r)
{
	if (!r->engaged)
		return;
	splice_disengage(r->k, r->slot);
	splice_track_take(r->k, r->slot, &r->chunk, r->scan ? &r->sse : NULL, &r->left);
	r->engaged = false;
	r->draining = true;
}

void relay_look(struct relay *r)
{
	if (!r->engaged)
		return;
	switch (splice_next(r->k, r->slot)) {
	case SPLICE_CARRIED:
		break;
	case SPLICE_BROKEN:
		r->error = -EBADMSG;
		break;
	case SPLICE_READ:
		r->spills++;
		relay_disengage(r);
		break;
	case SPLICE_ENDED:
		relay_disengage(r);
		break;
	}
}

static void on_note(void *ctx, uint32_t slot)
{
	struct relay *r = ctx;

	if (slot == r->slot)
		relay_look(r);
}

/* Back to the kernel, or to it for the first time. */
static bool try_engage(struct relay *r)
{
	struct sluice_track at;
	int err;

	relay_position(r, &at);
	if (at.chunk == SLUICE_CHUNK_BAD || at.chunk == SLUICE_CHUNK_DONE || !r->may_engage)
		return false;
	if (!splice_hooked(r->k, r->slot)) {
		err = splice_engage(r->k, r->slot, r->up, r->client, &at);
		if (err == -EOPNOTSUPP || err == -EAGAIN || err == -EPIPE)
			return false;
		assert_return_code(err, -err);
		r->engages++;
		r->engaged = true;
		return true;
	}
	if (r->may_resume ? !r->may_resume(r) : !splice_roomy(r->k, r->slot))
		return false;
	err = splice_resume(r->k, r->slot, &at);
	if (err == -EAGAIN) {
		splice_track_take(r->k, r->slot, &r->chunk, r->scan ? &r->sse : NULL, &r->left);
		r->draining = true;
		return false;
	}
	assert_return_code(err, -err);
	r->resumes++;
	r->engaged = true;
	return true;
}

/* One step of the copy lane; false: nothing to do now. */
static bool copy_step(struct relay *r)
{
	if (r->draining) {
		if (!splice_drained(r->k, r->slot))
			return false;
		r->draining = false;
	}
	if (r->held.len)
		return copy_write(r);
	if (body_done(r)) {
		r->ended = true;
		return false;
	}
	if (copy_read(r))
		return true;
	return try_engage(r);
}

bool relay_inject(struct relay *r, const char *p, size_t n)
{
	uint64_t end = clock_mono_ns() + NS_PER_S;

	relay_disengage(r);
	while (!splice_drained(r->k, r->slot))
		if (clock_mono_ns() > end)
			return false;
	r->draining = false;
	if (r->held.len || send(r->client, p, n, MSG_NOSIGNAL) != (ssize_t)n)
		return false;
	splice_wrote(r->k, r->slot, n, n);
	return true;
}

bool relay_turn(struct relay *r, int ms)
{
	struct pollfd p[3] = {
		{.fd = r->up, .events = POLLRDHUP},
		{.fd = r->client, .events = POLLRDHUP},
		{.fd = r->shared ? -1 : splice_notes_fd(r->k, 0), .events = POLLIN},
	};
	int n;

	if (r->error || r->ended || r->eof)
		return false;
	if (!r->engaged) {
		if (copy_step(r))
			return true;
		if (r->error || r->ended || r->eof)
			return false;
		if (!r->draining) {
			/* Behind a hang-up readiness never ends: then only a timer helps. */
			p[r->held.len ? 1 : 0].events = r->held.len ? POLLOUT : POLLIN;
			p[r->held.len ? 0 : 1].fd = -1;
		} else {
			p[0].fd = p[1].fd = -1;
			ms = MIN(ms, 1);
		}
	}
	n = poll(p, ARRAY_LEN(p), ms);
	if (n <= 0)
		return false;
	r->wakeups++;
	if (p[2].revents)
		splice_notes_read(r->k, 0, on_note, r);
	if (r->engaged && (p[0].revents || p[1].revents)) {
		if (p[1].revents & (POLLHUP | POLLERR))
			r->error = -EPIPE;
		else if (p[1].revents & POLLRDHUP)
			r->error = -ECONNRESET;
		relay_disengage(r);
	}
	return true;
}
