/* The server: libmicrohttpd in one thread, woken by its sockets and by a tick each second. */
#include "status/status.h"
#include "base/clock.h"
#include "base/list.h"
#include "base/log.h"
#include <microhttpd.h>
#include <poll.h>
#include <stdio.h>
#include <sys/random.h>

#define TICK_MS	    1000
#define STALL_S	    10		/* a client that takes no byte for so long is dropped */
#define CONN_BYTES  (32 * 1024) /* of memory per connection */
#define NONCE_BYTES 16
#define EVENT_BEGIN "retry: 1000\ndata: "

/* A snapshot as an event, shared by those who are being sent it. */
struct event {
	unsigned refs;
	uint64_t seq;
	struct buf text;
};

struct server {
	struct MHD_Daemon *mhd;
	struct snapshot snapshot;
	struct event *latest; /* NULL: none yet */
	uint64_t seq;
	struct list viewers;
	bool remote;
};

/* One open event stream. It is sent whole events, each time the latest: a client that is slow skips some, and
 * has at most one waiting. */
struct viewer {
	struct list link;
	struct server *server;
	struct MHD_Connection *connection;
	struct event *event; /* being sent; NULL: none */
	size_t at;
	uint64_t seen; /* seq of the last one that was begun */
	bool suspended;
};

static void event_put(struct event *e)
{
	if (!e || --e->refs)
		return;
	buf_reset(&e->text);
	free(e);
}

static int take_snapshot(struct server *v)
{
	struct event *e = calloc(1, sizeof(*e));
	int err = e ? buf_append(&e->text, EVENT_BEGIN, sizeof(EVENT_BEGIN) - 1) : -ENOMEM;

	err = err ? err : snapshot_take(&v->snapshot, clock_mono_ns(), &e->text);
	err = err ? err : buf_append(&e->text, "\n\n", 2);
	if (err) {
		if (e)
			buf_reset(&e->text);
		free(e);
		return err;
	}
	e->refs = 1;
	e->seq = ++v->seq;
	event_put(v->latest);
	v->latest = e;
	return 0;
}

/* ---- the event stream */

static ssize_t read_events(void *arg, uint64_t pos, char *to, size_t room)
{
	struct viewer *w = arg;
	struct event *latest = w->server->latest;
	size_t n;

	(void)pos;
	if (!w->event && latest && latest->seq > w->seen) {
		latest->refs++;
		w->event = latest;
		w->at = 0;
		w->seen = latest->seq;
	}
	if (!w->event) {
		MHD_suspend_connection(w->connection);
		w->suspended = true;
		return 0;
	}
	n = MIN(room, w->event->text.len - w->at);
	memcpy(to, w->event->text.data + w->at, n);
	w->at += n;
	if (w->at == w->event->text.len) {
		event_put(w->event);
		w->event = NULL;
	}
	return (ssize_t)n;
}

static void viewer_free(void *arg)
{
	struct viewer *w = arg;

	list_remove(&w->link);
	event_put(w->event);
	free(w);
}

static struct MHD_Response *events_response(struct server *v, struct MHD_Connection *c)
{
	struct viewer *w = calloc(1, sizeof(*w));
	struct MHD_Response *r;

	if (!w)
		return NULL;
	*w = (struct viewer){.server = v, .connection = c, .seen = v->seq};
	list_init(&w->link);
	/* The first one after a pause is taken at once, and has no rates; others wait for the tick. */
	if (list_empty(&v->viewers)) {
		snapshot_forget(&v->snapshot);
		w->seen = take_snapshot(v) ? v->seq : v->seq - 1;
	} else {
		w->seen = v->latest ? v->latest->seq - 1 : v->seq;
	}
	list_push_back(&v->viewers, &w->link);
	r = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, CONN_BYTES / 2, read_events, w, viewer_free);
	if (!r) {
		viewer_free(w);
		return NULL;
	}
	MHD_add_response_header(r, "Content-Type", "text/event-stream");
	MHD_add_response_header(r, "Cache-Control", "no-store, no-transform");
	MHD_add_response_header(r, "X-Accel-Buffering", "no");
	return r;
}

/* ---- the page */

static int make_nonce(char out[2 * NONCE_BYTES + 1])
{
	unsigned char random[NONCE_BYTES];

	if (getrandom(random, sizeof(random), 0) != sizeof(random))
		return -EIO;
	for (size_t i = 0; i < sizeof(random); i++)
		snprintf(out + 2 * i, 3, "%02x", random[i]);
	return 0;
}

static struct MHD_Response *page_response(void)
{
	char nonce[2 * NONCE_BYTES + 1], policy[512];
	struct buf page = {0};
	struct MHD_Response *r;

	if (make_nonce(nonce) || page_make(nonce, &page)) {
		buf_reset(&page);
		return NULL;
	}
	r = MHD_create_response_from_buffer(page.len, page.data, MHD_RESPMEM_MUST_FREE);
	if (!r) {
		buf_reset(&page);
		return NULL;
	}
	snprintf(policy, sizeof(policy),
		"default-src 'none'; script-src 'nonce-%s'; style-src 'nonce-%s'; connect-src 'self'; "
		"img-src data:; "
		"base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
		nonce, nonce);
	MHD_add_response_header(r, "Content-Type", "text/html; charset=utf-8");
	MHD_add_response_header(r, "Content-Security-Policy", policy);
	MHD_add_response_header(r, "Cache-Control", "no-store");
	MHD_add_response_header(r, "Referrer-Policy", "no-referrer");
	return r;
}

static struct MHD_Response *text_response(const char *text)
{
	struct MHD_Response *r =
		MHD_create_response_from_buffer(strlen(text), (void *)text, MHD_RESPMEM_PERSISTENT);

	if (r)
		MHD_add_response_header(r, "Content-Type", "text/plain; charset=utf-8");
	return r;
}

/* ---- requests */

static struct MHD_Response *answer(
	struct server *v, struct MHD_Connection *c, const char *url, const char *method, unsigned *ret_status)
{
	const char *host = MHD_lookup_connection_value(c, MHD_HEADER_KIND, "Host");

	*ret_status = MHD_HTTP_OK;
	if (!v->remote && !(host && status_host_is_safe(slice_of(host)))) {
		*ret_status = MHD_HTTP_FORBIDDEN;
		return text_response("The status page answers to an IP address or localhost in Host only.\n");
	}
	if (strcmp(method, "GET") != 0) {
		*ret_status = MHD_HTTP_METHOD_NOT_ALLOWED;
		return text_response("GET only.\n");
	}
	if (strcmp(url, "/") == 0)
		return page_response();
	if (strcmp(url, "/events") == 0)
		return events_response(v, c);
	*ret_status = MHD_HTTP_NOT_FOUND;
	return text_response("There are / and /events.\n");
}

static enum MHD_Result on_request(void *arg, struct MHD_Connection *c, const char *url, const char *method,
	const char *version, const char *body, size_t *body_size, void **state)
{
	static int begun;
	struct MHD_Response *r;
	enum MHD_Result done;
	unsigned status;

	(void)version, (void)body;
	/* The first call is for the head alone; a body is read and thrown away. */
	if (!*state) {
		*state = &begun;
		return MHD_YES;
	}
	if (*body_size) {
		*body_size = 0;
		return MHD_YES;
	}
	r = answer(arg, c, url, method, &status);
	if (!r)
		return MHD_NO;
	MHD_add_response_header(r, "X-Content-Type-Options", "nosniff");
	MHD_add_response_header(r, "Cross-Origin-Resource-Policy", "same-origin");
	done = MHD_queue_response(c, status, r);
	MHD_destroy_response(r);
	return done;
}

/* ---- turning */

static void tick(struct server *v)
{
	if (list_empty(&v->viewers) || take_snapshot(v))
		return;
	list_for_each (node, &v->viewers) {
		struct viewer *w = list_entry(node, struct viewer, link);

		if (w->suspended) {
			w->suspended = false;
			MHD_resume_connection(w->connection);
		}
	}
}

static void turn(struct server *v)
{
	const union MHD_DaemonInfo *info = MHD_get_daemon_info(v->mhd, MHD_DAEMON_INFO_EPOLL_FD);
	struct pollfd wait = {.fd = info->epoll_fd, .events = POLLIN};
	uint64_t next_ms = clock_mono_ns() / NS_PER_MS + TICK_MS;
	pid_t parent = getppid();

	while (getppid() == parent) {
		uint64_t now_ms = clock_mono_ns() / NS_PER_MS;
		MHD_UNSIGNED_LONG_LONG until = next_ms > now_ms ? next_ms - now_ms : 0, own;

		if (MHD_get_timeout(v->mhd, &own) == MHD_YES)
			until = MIN(until, own);
		poll(&wait, 1, (int)until);
		MHD_run(v->mhd);
		now_ms = clock_mono_ns() / NS_PER_MS;
		if (now_ms >= next_ms) {
			tick(v);
			/* After a stop of this process no ticks are made up for. */
			next_ms = MAX(next_ms + TICK_MS, now_ms);
		}
	}
}

static void on_mhd_log(void *arg, const char *fmt, va_list ap)
{
	char line[256];

	(void)arg;
	vsnprintf(line, sizeof(line), fmt, ap);
	log_debug("status page: %s", line);
}

int status_serve(const struct status_params *p)
{
	struct server v = {.remote = p->remote};
	int err = snapshot_init(&v.snapshot, &p->source);

	if (err)
		return err;
	list_init(&v.viewers);
	v.mhd = MHD_start_daemon(MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG, 0, NULL, NULL,
		on_request, &v, MHD_OPTION_EXTERNAL_LOGGER, on_mhd_log, NULL, MHD_OPTION_LISTEN_SOCKET, p->fd,
		MHD_OPTION_CONNECTION_LIMIT, (unsigned)STATUS_CLIENTS, MHD_OPTION_CONNECTION_TIMEOUT,
		(unsigned)STALL_S, MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONN_BYTES, MHD_OPTION_END);
	if (!v.mhd) {
		snapshot_done(&v.snapshot);
		return -EIO;
	}
	turn(&v);
	/* Suspended connections keep MHD_stop_daemon from its work; the process ends anyway. */
	return 0;
}
