#include "load_worker.h"
#include "base/clock.h"
#include <netinet/in.h>
#include <stdio.h>

#define OPENING_MAX   64	      /* streams being opened at once, per process: a ramp, not a SYN flood */
#define HEAD_LIMIT_NS (15 * NS_PER_S) /* a stream without a response head by then has failed */
#define CHECK_MS      20	      /* how often the window and the ramp's limit are looked at */

void worker_note(struct worker *w, const char *why)
{
	struct load_result *r = w->result;

	if (!r->why[0])
		snprintf(r->why, sizeof(r->why), "%s", why);
}

void worker_open_more(struct worker *w)
{
	/* A stream that fails at once comes back here: the loop below goes on then. */
	if (w->ramping)
		return;
	w->ramping = true;
	while (w->next < w->count && w->opening < OPENING_MAX) {
		struct load_stream *s = &w->streams[w->next++];
		int err;

		w->opening++;
		if (!w->result->open_first_ns)
			w->result->open_first_ns = clock_mono_ns();
		err = load_conn_want(s->conn, s);
		if (err)
			load_stream_fail(s, load_conn_error(err));
	}
	w->ramping = false;
}

/* Fails the streams whose response head did not come in time. They were opened in order. */
static void check_ramp(struct worker *w, uint64_t now)
{
	while (w->oldest < w->next) {
		struct load_stream *s = &w->streams[w->oldest];

		if (s->state == STREAM_WAIT || s->state == STREAM_HEAD) {
			if (now - s->begin_ns < HEAD_LIMIT_NS)
				return;
			load_conn_give_up(s->conn, s, "no response head within 15 s");
		}
		w->oldest++;
	}
}

void worker_again(struct worker *w, struct load_stream *s)
{
	s->next_again = w->again_list;
	w->again_list = s;
	task_defer(w->loop, &w->again);
}

static void on_again(struct task *t)
{
	struct worker *w = container_of(t, struct worker, again);
	struct load_stream *s = w->again_list;

	w->again_list = NULL;
	while (s) {
		struct load_stream *next = s->next_again;
		int err;

		load_conn_drop(s->conn, s);
		err = load_conn_want(s->conn, s);
		if (err)
			load_stream_fail(s, load_conn_error(err));
		s = next;
	}
}

/* Closes or stops as many streams as should have been by now. */
static void change_streams(struct worker *w, uint64_t now, uint64_t start, uint64_t stop)
{
	const struct load_settings *set = w->settings;
	uint64_t due = 0;

	if (set->mode == LOAD_ABORT && start)
		due = now >= stop
			      ? w->count
			      : (uint64_t)((double)w->count * (double)(now - start) / (double)(stop - start));
	else if (set->mode == LOAD_STALL && start)
		due = set->stalled * (w->first + w->count) / set->streams -
		      set->stalled * w->first / set->streams;
	for (; w->changed < MIN(due, w->next); w->changed++) {
		/* Stopped streams lie among reading ones, on their connections too. */
		uint64_t at = set->mode == LOAD_STALL ? w->changed * w->count / due : w->changed;
		struct load_stream *s = &w->streams[at];

		if (s->state != STREAM_OPEN)
			continue;
		if (set->mode == LOAD_STALL) {
			load_conn_stall(s->conn, s);
			continue;
		}
		w->shared->aborts[s->tag - 1] = clock_mono_ns();
		load_conn_drop(s->conn, s);
	}
}

static void on_check(struct timer *t)
{
	struct worker *w = container_of(t, struct worker, check);
	uint64_t now = clock_mono_ns();
	uint64_t stop = w->settings->pause ? w->shared->pause_stop_ns : w->shared->stop_ns;

	if (w->shared->quit || (stop && now > stop + LOAD_DRAIN_NS)) {
		loop_stop(w->loop);
		return;
	}
	check_ramp(w, now);
	/* Streams stop reading in the second window, after one in which all read. */
	change_streams(w, now,
		w->settings->mode == LOAD_STALL ? w->shared->pause_start_ns : w->shared->start_ns, stop);
	timer_in(w->loop, t, CHECK_MS);
}

static void sum_up(struct worker *w)
{
	struct load_result *r = w->result;

	for (uint64_t i = 0; i < w->next; i++) {
		struct load_stream *s = &w->streams[i];

		r->lost += s->sequence.lost;
		r->repeated += s->sequence.repeated;
		r->comments += s->events.comments;
		if (s->state == STREAM_OPEN && !s->stalled && !s->window_events)
			r->silent++;
	}
	for (uint64_t i = 0; i < w->conn_count; i++)
		load_conn_close(&w->conns[i]);
}

/* Loopback has 28,000 ports per pair of addresses: each process calls from a loopback address of its own, so
 * that more streams fit. */
static void choose_source(struct worker *w, unsigned index)
{
	struct sockaddr_in *in = (struct sockaddr_in *)&w->source_address.addr;
	const struct sockaddr_in *to = (const struct sockaddr_in *)&w->settings->to.address.addr;

	if (to->sin_family != AF_INET || ntohl(to->sin_addr.s_addr) >> 24 != 127)
		return;
	*in = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(0x7F000001U + index)};
	w->source_address.len = sizeof(*in);
	w->source = &w->source_address;
}

int worker_make_request(struct worker *w, uint64_t tag)
{
	const struct net_url *to = &w->settings->to;
	char path[sizeof(to->path) + 32], *p = path;

	snprintf(path, sizeof(path), "%s", to->path);
	if (tag)
		snprintf(
			p + strlen(p), 32, "%ctag=%llu", strchr(p, '?') ? '&' : '?', (unsigned long long)tag);
	w->request.len = 0;
	if (w->settings->http == 2)
		return h2_request_block(&w->request, to->tls, to->host, path);
	return buf_printf(&w->request,
		"GET %s HTTP/1.1\r\nHost: %s\r\nAccept: text/event-stream\r\nCache-Control: no-cache\r\n\r\n",
		path, to->host);
}

/* Streams are dealt out to the connections beforehand, as evenly as it goes. */
static int make_streams(struct worker *w)
{
	uint64_t per = w->settings->per_connection;

	w->conn_count = (w->count + per - 1) / per;
	w->streams = calloc(MAX(w->count, 1ULL), sizeof(*w->streams));
	w->conns = calloc(MAX(w->conn_count, 1ULL), sizeof(*w->conns));
	if (!w->streams || !w->conns)
		return -ENOMEM;
	for (uint64_t i = 0; i < w->conn_count; i++) {
		struct load_conn *c = &w->conns[i];
		uint64_t from = i * w->count / w->conn_count, to = (i + 1) * w->count / w->conn_count;

		*c = (struct load_conn){.worker = w,
			.streams = w->streams + from,
			.count = (uint32_t)(to - from),
			.source.fd = -1};
		for (uint64_t k = from; k < to; k++) {
			w->streams[k].conn = c;
			w->streams[k].tag = w->first + k + 1;
		}
	}
	return 0;
}

static int run(struct worker *w)
{
	int err = loop_new(&w->loop);

	if (err)
		return err;
	timer_init(&w->check, on_check);
	task_init(&w->again, on_again);
	timer_in(w->loop, &w->check, CHECK_MS);
	worker_open_more(w);
	err = loop_run(w->loop);
	sum_up(w);
	loop_free(w->loop);
	return err;
}

int load_worker_run(const struct load_settings *settings, unsigned index, struct load_shared *shared)
{
	struct worker w = {.shared = shared, .settings = settings, .mine = &shared->workers[index]};
	uint64_t share = settings->streams / settings->processes;
	int err;

	w.result = &w.mine->result;
	w.count = share + (index < settings->streams % settings->processes ? 1 : 0);
	w.first = share * index + MIN((uint64_t)index, settings->streams % settings->processes);
	choose_source(&w, index);
	err = make_streams(&w);
	net_raise_fd_limit(w.conn_count + 64);
	if (!err)
		err = worker_make_request(&w, 0);
	if (!err && settings->to.tls)
		err = wire_client_context(settings->http, &w.tls);
	if (!err)
		err = run(&w);
	wire_context_free(&w.tls);
	buf_reset(&w.request);
	free(w.streams);
	free(w.conns);
	return err;
}
