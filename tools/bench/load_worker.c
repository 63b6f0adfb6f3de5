#include "load_job.h"
#include "base/clock.h"
#include "event/loop.h"
#include "events.h"
#include "response.h"
#include <netinet/in.h>
#include <stdio.h>

#define OPENING_MAX   64	      /* connects under way at once, per process: a ramp, not a SYN flood */
#define HEAD_LIMIT_NS (15 * NS_PER_S) /* a stream without a response head by then has failed */
#define CHECK_MS      20	      /* how often the window and the ramp's limit are looked at */

enum stream_state { STREAM_CONNECT, STREAM_HEAD, STREAM_OPEN, STREAM_OVER };

struct load_stream {
	struct source source;
	struct worker *worker;
	uint64_t connect_ns;
	uint64_t window_events;
	struct response response;
	struct events events;
	struct sequence sequence;
	uint8_t state; /* enum stream_state */
};

struct worker {
	struct loop *loop;
	struct timer check;
	struct load_shared *shared;
	struct load_worker *mine;
	struct load_result *result;
	const struct load_settings *settings;
	const struct net_address *source; /* NULL: the kernel's choice */
	struct net_address source_address;
	struct load_stream *streams;
	uint64_t count; /* of `streams` */
	uint64_t next;	/* the next stream to open */
	uint64_t opening;
	uint64_t oldest; /* no stream before it is still opening */
	char request[1024];
	size_t request_n;
};

static char scratch[65536]; /* what one recv() brings; a worker has one thread */

static void open_more(struct worker *w);

static void stream_over(struct load_stream *s)
{
	if (s->source.fd >= 0) {
		loop_del(s->worker->loop, &s->source);
		close(s->source.fd);
	}
	s->source.fd = -1;
	s->state = STREAM_OVER;
	response_done(&s->response);
}

static void settled(struct worker *w)
{
	w->opening--;
	w->mine->settled++;
}

/* The stream ends here, with a reason for whoever reads the report. */
static void stream_fail(struct load_stream *s, const char *why)
{
	struct load_result *r = s->worker->result;
	bool was_open = s->state == STREAM_OPEN;

	if (!r->why[0])
		snprintf(r->why, sizeof(r->why), "%s", why);
	if (was_open)
		r->ended++;
	else
		r->failed++;
	stream_over(s);
	if (!was_open) {
		settled(s->worker);
		open_more(s->worker);
	}
}

static void on_head(struct load_stream *s, uint64_t now)
{
	struct load_result *r = s->worker->result;

	if (s->response.status != 200 || !s->response.event_stream) {
		char why[80];

		snprintf(why, sizeof(why), "the answer was %u%s", s->response.status,
			s->response.event_stream ? "" : ", not text/event-stream");
		stream_fail(s, why);
		return;
	}
	s->state = STREAM_OPEN;
	response_drop_head(&s->response);
	r->opened++;
	r->open_last_ns = now;
	hist_add(&r->head, now - s->connect_ns);
	settled(s->worker);
	open_more(s->worker);
}

static void on_event(struct load_stream *s, uint64_t now, uint64_t start, uint64_t stop)
{
	struct load_result *r = s->worker->result;
	const struct event *e = &s->events.now;

	s->worker->mine->live_events++;
	if (!e->seq || !e->t_ns || e->id != e->seq || !e->whole) {
		r->damaged++;
		return;
	}
	sequence_see(&s->sequence, e->seq);
	if (!start)
		return;
	if (now >= start && now < stop) {
		r->events++;
		r->bytes += e->bytes;
		s->window_events++;
	}
	/* By the time of sending, so that an event that took for ever counts with all of its time. */
	if (e->t_ns >= start && e->t_ns < stop)
		hist_add(&r->latency, now > e->t_ns ? now - e->t_ns : 0);
}

static void on_body(struct load_stream *s, struct slice body, uint64_t now)
{
	uint64_t start = s->worker->shared->start_ns, stop = s->worker->shared->stop_ns;

	while (body.n) {
		bool done;
		size_t used = events_next(&s->events, body.p, body.n, &done);

		if (done)
			on_event(s, now, start, stop);
		body.p += used;
		body.n -= used;
	}
}

static void on_bytes(struct load_stream *s, const char *p, size_t n, uint64_t now)
{
	while (n && s->state != STREAM_OVER) {
		struct slice body;
		size_t used = response_next(&s->response, p, n, &body);

		if (s->response.state == RESPONSE_BAD) {
			stream_fail(s, s->response.status ? "the chunked framing was broken"
							  : "no HTTP/1.1 head came");
			return;
		}
		if (s->state == STREAM_HEAD && s->response.status)
			on_head(s, now);
		if (s->state == STREAM_OVER)
			return;
		on_body(s, body, now);
		if (s->response.state == RESPONSE_END) {
			stream_fail(s, "a stream came to its end");
			return;
		}
		p += used;
		n -= used;
	}
}

static void on_connected(struct load_stream *s)
{
	struct worker *w = s->worker;
	ssize_t n = send(s->source.fd, w->request, w->request_n, MSG_NOSIGNAL);

	if (n != (ssize_t)w->request_n) {
		char why[80];

		snprintf(why, sizeof(why), "cannot connect: %s", n < 0 ? strerror(errno) : "short send");
		stream_fail(s, why);
		return;
	}
	s->state = STREAM_HEAD;
	if (loop_mod(w->loop, &s->source, EPOLLIN | EPOLLRDHUP))
		stream_fail(s, "out of memory");
}

static void on_ready(struct source *source, uint32_t events)
{
	struct load_stream *s = container_of(source, struct load_stream, source);
	ssize_t n;

	(void)events;
	if (s->state == STREAM_CONNECT) {
		on_connected(s);
		return;
	}
	n = recv(source->fd, scratch, sizeof(scratch), 0);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n < 0)
		stream_fail(s, errno == ECONNRESET ? "a stream was reset" : strerror(errno));
	else if (n == 0)
		stream_fail(s, "a stream was closed");
	else
		on_bytes(s, scratch, (size_t)n, clock_mono_ns());
}

static int stream_open(struct load_stream *s)
{
	struct worker *w = s->worker;
	int err;

	s->connect_ns = clock_mono_ns();
	if (!w->result->open_first_ns)
		w->result->open_first_ns = s->connect_ns;
	err = net_connect(&w->settings->to.address, w->source, &s->source.fd);
	if (err)
		return err;
	s->source.on_ready = on_ready;
	return loop_add(w->loop, &s->source, EPOLLOUT);
}

static void open_more(struct worker *w)
{
	while (w->next < w->count && w->opening < OPENING_MAX) {
		struct load_stream *s = &w->streams[w->next++];
		int err;

		*s = (struct load_stream){.worker = w, .source.fd = -1};
		response_init(&s->response);
		w->opening++;
		err = stream_open(s);
		if (err) {
			/* As stream_fail(), but without coming back here: this loop goes on. */
			if (!w->result->why[0])
				snprintf(w->result->why, sizeof(w->result->why), "cannot connect: %s",
					strerror(-err));
			w->result->failed++;
			stream_over(s);
			settled(w);
		}
	}
}

/* Fails the streams whose response head did not come in time. They were opened in order. */
static void check_ramp(struct worker *w, uint64_t now)
{
	while (w->oldest < w->next) {
		struct load_stream *s = &w->streams[w->oldest];

		if (s->state == STREAM_CONNECT || s->state == STREAM_HEAD) {
			if (now - s->connect_ns < HEAD_LIMIT_NS)
				return;
			stream_fail(s, "no response head within 15 s");
		}
		w->oldest++;
	}
}

static void on_check(struct timer *t)
{
	struct worker *w = container_of(t, struct worker, check);
	uint64_t now = clock_mono_ns(), stop = w->shared->stop_ns;

	if (w->shared->quit || (stop && now > stop + LOAD_DRAIN_NS)) {
		loop_stop(w->loop);
		return;
	}
	check_ramp(w, now);
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
		if (s->state == STREAM_OPEN && !s->window_events)
			r->silent++;
		stream_over(s);
	}
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

int load_worker_run(const struct load_settings *settings, unsigned index, struct load_shared *shared)
{
	struct worker w = {.shared = shared, .settings = settings, .mine = &shared->workers[index]};
	uint64_t share = settings->streams / settings->processes;
	int n, err;

	w.result = &w.mine->result;
	w.count = share + (index < settings->streams % settings->processes ? 1 : 0);
	net_raise_fd_limit(w.count + 64);
	n = snprintf(w.request, sizeof(w.request),
		"GET %s HTTP/1.1\r\nHost: %s\r\nAccept: text/event-stream\r\nCache-Control: no-cache\r\n\r\n",
		settings->to.path, settings->to.host);
	w.request_n = (size_t)n;
	choose_source(&w, index);
	w.streams = calloc(w.count ? w.count : 1, sizeof(*w.streams));
	if (!w.streams)
		return -ENOMEM;
	err = loop_new(&w.loop);
	if (!err) {
		timer_init(&w.check, on_check);
		timer_in(w.loop, &w.check, CHECK_MS);
		open_more(&w);
		err = loop_run(w.loop);
		sum_up(&w);
		loop_free(w.loop);
	}
	free(w.streams);
	return err;
}
