/* END: whoever ended it, the upstream is let go, the line is logged, the client's connection goes on or
 * closes. And the answers that the relay gives in an upstream's stead. */
#include "base/clock.h"
#include "base/rng.h"
#include "stream/h2_conn.h"
#include <stdio.h>

void stream_free_task(struct task *t);
void stream_free_task(struct task *t)
{
	struct stream *s = container_of(t, struct stream, free_task);
	struct env *env = s->env;

	if (s->ctl_private) {
		free(s->ctl);
	} else {
		env->by_slot[slots_number(&env->slots, s->ctl) - env->slots.first] = NULL;
		slots_give(&env->slots, s->ctl);
	}
	generation_unref(s->gen);
	slab_give(&env->streams, s);
}

static void close_tls(struct stream *s, enum lease_end how)
{
	/* To a tunnel's upstream the client's end was passed on when it came: any other is none. */
	if (s->up.tls && how != LEASE_FAILED && s->ctl->status != 101)
		tls_shutdown(s->up.tls);
	wire_drop_tls(&s->up);
}

void stream_drop_upstream(struct stream *s, enum lease_end how)
{
	int fd = s->up.source.fd;

	if (!lane_unhook(s, s->resp.done) && how == LEASE_REUSE)
		how = LEASE_CLOSED;
	if (s->waiting) {
		upstreams_wait_cancel(&s->waiter);
		s->waiting = false;
	}
	if (fd >= 0) {
		loop_del(s->env->loop, &s->up.source);
		if (how == LEASE_REUSE)
			s->lease.tls = s->up.tls;
		else
			close_tls(s, how);
		s->up = (struct wire){.source = {.fd = -1, .on_ready = stream_upstream_ready}};
		if (how != LEASE_REUSE)
			close(fd);
	}
	if (s->lease.server)
		upstreams_return(&s->lease, how, how == LEASE_REUSE ? fd : -1);
	s->lease.idle_fd = -1;
	s->lease.tls = NULL;
	s->up_connected = false;
}

void stream_release_upstream(struct stream *s)
{
	bool reuse = s->up.source.fd >= 0 && s->resp.done && s->up_keep && !s->up_spoilt &&
		     !stream_sends(s) && !s->req.abandoned && !s->up.fin && !s->up.dead &&
		     (!s->up.readable || s->hooked || s->up.tls) && !s->env->draining;

	stream_drop_upstream(s, reuse ? LEASE_REUSE : LEASE_CLOSED);
}

static void free_parts(struct stream *s)
{
	buf_reset(&s->req_head);
	buf_reset(&s->resp_in);
	buf_reset(&s->kept);
	backlog_reset(&s->to_up);
	backlog_reset(&s->to_client);
	event_queue_free(s->queue);
	s->queue = NULL;
}

static void log_end(struct stream *s)
{
	struct log_end end = {
		.by = s->end_by,
		.phase = stream_state_name(s->phase),
		.detail = s->detail,
		.request = stream_log_request(s),
		.now_ns = loop_now_ns(s->env->loop),
	};

	access_log_end(&s->env->log, s->ctl, &end);
}

/* What a reset or a close tells in HTTP/1, RST_STREAM tells in HTTP/2. */
static void let_slot_go(struct stream *s, bool whole)
{
	bool ours =
		s->end_by == SLUICE_BY_SLOW || s->end_by == SLUICE_BY_ADMIN || s->end_by == SLUICE_BY_DRAIN;
	bool clean = whole && !s->abort_client && !(s->ctl->flags & SLUICE_CTL_TRUNCATED);

	uint64_t stall = s->route ? s->route->timeouts.stall_ms : 10 * MS_PER_S;

	if (clean)
		h2_slot_finish(s->client, stall);
	else
		h2_slot_release(s->client, s->end_by == SLUICE_BY_SLOW || s->end_by == SLUICE_BY_CLIENT,
			ours ? H2_CANCEL : H2_INTERNAL_ERROR);
}

static void let_client_go(struct stream *s)
{
	struct client *c = s->client;
	bool whole = s->end_by == SLUICE_BY_COMPLETE || s->end_by == SLUICE_BY_REFUSED ||
		     s->end_by == SLUICE_BY_NO_UPSTREAM || s->end_by == SLUICE_BY_TIMEOUT ||
		     s->end_by == SLUICE_BY_OVERLOAD || s->end_by == SLUICE_BY_BAD_RESPONSE;

	if (c->carrier)
		let_slot_go(s, whole);
	else if (s->end_by == SLUICE_BY_CLIENT)
		client_close(c, c->wire.dead || s->abort_client ? CLIENT_RESET : CLIENT_CLOSE);
	else if (s->abort_client)
		client_close(c, s->end_by == SLUICE_BY_SLOW ? CLIENT_RESET : CLIENT_RESET_WHEN_SENT);
	else if (!s->req.done || s->req.abandoned) {
		if (!whole) /* as CLIENT_CUT */
			wire_drop_tls(&c->wire);
		client_close(c, CLIENT_LINGER);
	} else if (s->close_client || !whole || !s->keep_alive)
		client_close(c, whole ? CLIENT_CLOSE : CLIENT_CUT);
	else
		client_next(c);
}

/* Part of the answer is lost with this end: nothing may follow it on the connection, and where only a close
 * says that a body has ended, a close would be a lie. */
static void cut(struct stream *s, enum sluice_end_by by)
{
	s->close_client = true;
	s->abort_client |= s->resp.out == H1_BODY_CLOSE;
	if (by != SLUICE_BY_CLIENT)
		s->ctl->flags |= SLUICE_CTL_TRUNCATED;
}

static bool carries(const struct stream *s)
{
	return s->state == STREAM_DECIDE || s->state == STREAM_COPY || s->state == STREAM_SPLICE ||
	       s->state == STREAM_SETTLE;
}

void stream_end(struct stream *s, enum sluice_end_by by, const char *detail)
{
	bool unsent = backlog_len(&s->to_client) > 0, used = s->lease.server != NULL;

	if (s->state == STREAM_END)
		return;
	if (unsent || carries(s))
		cut(s, by);
	/* A stream that was ending already keeps its reason, unless its client did not get to the end. */
	if (!s->end_by || unsent || by == SLUICE_BY_CLIENT || by == SLUICE_BY_SLOW) {
		if (s->state != STREAM_DRAIN && s->state != STREAM_REPLY)
			s->phase = s->state == STREAM_SETTLE ? STREAM_SPLICE : s->state;
		s->end_by = by;
		s->detail = detail;
	}
	stream_move(s, STREAM_END);
	timer_stop(&s->timer);
	task_cancel(&s->again);
	stream_release_upstream(s);
	if (by == SLUICE_BY_CLIENT && used)
		count_abort(s);
	log_end(s);
	count_end(s);
	if (s->counted_route)
		s->gen->routes[s->route - s->gen->settings->routes].streams--;
	free_parts(s);
	let_client_go(s);
	task_defer(s->env->loop, &s->free_task);
}

void stream_lost(struct stream *s, int err)
{
	bool memory = err == -ENOMEM || err == -ENOBUFS;

	/* There is no telling how much of the answer went out. */
	s->close_client = true;
	stream_end(s, memory ? SLUICE_BY_OVERLOAD : SLUICE_BY_CLIENT, memory ? "memory" : "send");
}

void stream_finish(struct stream *s, enum sluice_end_by by, const char *detail)
{
	s->end_by = by;
	s->detail = detail;
	stream_release_upstream(s);
	/* Half an event in the queue will never be whole: it is not waited for. */
	if (!backlog_len(&s->to_client)) {
		stream_end(s, by, detail);
		return;
	}
	s->progress_ms = loop_now_ms(s->env->loop);
	timer_in(s->env->loop, &s->timer, s->route ? MAX(s->route->timeouts.stall_ms, 1ULL) : 10 * MS_PER_S);
}

static void reply_with(
	struct stream *s, struct buf *out, int status, enum sluice_end_by by, const char *detail)
{
	int err;

	stream_drop_upstream(s, LEASE_CLOSED);
	stream_move(s, STREAM_REPLY);
	s->end_by = by;
	s->detail = detail;
	ctl_begin(s->ctl);
	s->ctl->status = (uint16_t)status;
	ctl_end(s->ctl);
	err = out_send(s, out->data, out->len, false);
	if (err < 0) {
		s->close_client = true;
		stream_lost(s, err);
		return;
	}
	s->ctl->head_ns = loop_now_ns(s->env->loop);
	stream_finish(s, by, detail);
}

void stream_reply(struct stream *s, int status, enum sluice_end_by by, const char *detail, const char *text)
{
	_cleanup_buf_ struct buf out = {0};
	int retry_after = status == 503 ? 1 + (int)rng_below(5)
					: 0; /* spread, so that a crowd does not return as one */

	/* A body that was not read to its end would be taken for the next request. */
	if (!s->req.done || s->req.abandoned)
		s->close_client = true;
	if (h1_write_error(&out, status, text, retry_after, s->keep_alive && !s->close_client, s->method)) {
		s->close_client = true;
		stream_end(s, by, detail);
		return;
	}
	reply_with(s, &out, status, by, detail);
}

/* 200 and nothing but `retry:`, so that an EventSource comes back instead of giving up for good. */
static void reply_retry(struct stream *s, enum sluice_end_by by, const char *detail)
{
	_cleanup_buf_ struct buf out = {0};
	struct h1_response *resp = &s->env->response;
	struct h1_reply reply = {.client_minor = s->minor,
		.framing = H1_BODY_CLOSE,
		.stream = true,
		.edits = s->route->response_edits};

	memset(resp, 0, offsetof(struct h1_response, fields));
	resp->status = 200;
	resp->reason = SLICE("OK");
	resp->minor = 1;
	resp->event_stream = true;
	resp->fields[0] = (struct h1_field){
		.name = SLICE("Content-Type"), .value = SLICE("text/event-stream"), .id = H1_F_CONTENT_TYPE};
	resp->nfields = 1;
	s->close_client = true;
	if (h1_write_response(&out, resp, &reply) ||
		buf_printf(&out, "retry: %llu\n\n", (unsigned long long)s->route->retry_ms)) {
		stream_end(s, by, detail);
		return;
	}
	reply_with(s, &out, 200, by, detail);
}

void stream_unreachable(struct stream *s, int status, enum sluice_end_by by, const char *detail)
{
	static const char text[] = "The upstream gave no usable answer.";

	if (!s->event_request || s->route->error_mode == ERROR_503) {
		/* 502 and 504 say what went wrong; where nobody was reached it is 503 with a time to come
		 * back. */
		stream_reply(s, status, by, detail, text);
		return;
	}
	if (s->route->error_mode == ERROR_RETRY && s->method != H1_HEAD) {
		reply_retry(s, by, detail);
		return;
	}
	s->close_client = true;
	s->abort_client = true;
	stream_end(s, by, detail);
}
