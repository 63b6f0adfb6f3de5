#include "exporter/http.h"
#include "net/addr.h"
#include <microhttpd.h>
#include <stdio.h>

#define MAX_CONNECTIONS 256
#define MAX_OF_ONE_PEER 64
#define IDLE_SECONDS	10	    /* a connection on which nothing moves */
#define MEMORY_BYTES	(16 * 1024) /* of one connection: more head than that is 431 */

static const char index_page[] =
	"<!DOCTYPE html><html lang=\"en\"><meta charset=\"utf-8\"><title>sluice-exporter</title>"
	"<h1>sluice-exporter " SLUICE_VERSION "</h1><ul>"
	"<li><a href=\"/metrics\">/metrics</a>: OpenMetrics and Prometheus text"
	"<li><a href=\"/healthz\">/healthz</a>: this exporter runs"
	"<li><a href=\"/readyz\">/readyz</a>: a live sluice is there to be read</ul></html>\n";

/* ---- the daemon */

/* The view of the daemon that lives now: another one than last time is opened anew. */
static const struct view *look(struct http *h)
{
	if (h->view && view_alive(h->view))
		return h->view;
	page_view(&h->page, NULL);
	view_close(h->view);
	h->view = NULL;
	if (view_open(&h->where, &h->view, h->why, sizeof(h->why)))
		return NULL;
	page_view(&h->page, h->view);
	return h->view;
}

/* ---- answers */

static enum MHD_Result answer(
	struct MHD_Connection *c, unsigned status, const char *type, struct MHD_Response *r)
{
	enum MHD_Result ret = MHD_NO;

	if (!r)
		return MHD_NO;
	if (MHD_add_response_header(r, MHD_HTTP_HEADER_CONTENT_TYPE, type) == MHD_YES &&
		MHD_add_response_header(r, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store") == MHD_YES &&
		(status != MHD_HTTP_METHOD_NOT_ALLOWED ||
			MHD_add_response_header(r, MHD_HTTP_HEADER_ALLOW, "GET, HEAD") == MHD_YES))
		ret = MHD_queue_response(c, status, r);
	MHD_destroy_response(r);
	return ret;
}

static enum MHD_Result say(struct MHD_Connection *c, unsigned status, const char *text)
{
	return answer(c, status, "text/plain; charset=utf-8",
		MHD_create_response_from_buffer(strlen(text), (void *)text, MHD_RESPMEM_MUST_COPY));
}

static enum MHD_Result on_index(struct http *h, struct MHD_Connection *c)
{
	(void)h;
	return answer(c, MHD_HTTP_OK, "text/html; charset=utf-8",
		MHD_create_response_from_buffer(
			sizeof(index_page) - 1, (void *)index_page, MHD_RESPMEM_PERSISTENT));
}

static enum MHD_Result on_health(struct http *h, struct MHD_Connection *c)
{
	(void)h;
	return say(c, MHD_HTTP_OK, "ok\n");
}

static enum MHD_Result on_ready(struct http *h, struct MHD_Connection *c)
{
	char text[300];

	if (look(h))
		return say(c, MHD_HTTP_OK, "ready\n");
	snprintf(text, sizeof(text), "not ready: %s\n", h->why);
	return say(c, MHD_HTTP_SERVICE_UNAVAILABLE, text);
}

static enum MHD_Result on_metrics(struct http *h, struct MHD_Connection *c)
{
	const char *accept = MHD_lookup_connection_value(c, MHD_HEADER_KIND, MHD_HTTP_HEADER_ACCEPT);
	struct text t = {.format = text_negotiate(accept)};
	struct MHD_Response *r;

	if (page_write(&h->page, look(h), &t)) {
		buf_reset(&t.out);
		return say(c, MHD_HTTP_INTERNAL_SERVER_ERROR, "out of memory\n");
	}
	/* The page is the response's from here on: a slow reader keeps nobody waiting for it. */
	r = MHD_create_response_from_buffer(t.out.len, t.out.data, MHD_RESPMEM_MUST_FREE);
	if (!r)
		buf_reset(&t.out);
	return answer(c, MHD_HTTP_OK, text_content_type(t.format), r);
}

static const struct page_row {
	const char *path;
	enum MHD_Result (*run)(struct http *h, struct MHD_Connection *c);
} pages[] = {
	{"/", on_index},
	{"/metrics", on_metrics},
	{"/healthz", on_health},
	{"/readyz", on_ready},
};

static enum MHD_Result on_request(void *arg, struct MHD_Connection *c, const char *url, const char *method,
	const char *version, const char *body, size_t *body_size, void **state)
{
	static char begun;

	(void)version;
	(void)body;
	/* The first call comes with the head, the next with each piece of a body, the last with none. */
	if (!*state) {
		*state = &begun;
		return MHD_YES;
	}
	if (*body_size) {
		*body_size = 0;
		return MHD_YES;
	}
	if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 && strcmp(method, MHD_HTTP_METHOD_HEAD) != 0)
		return say(c, MHD_HTTP_METHOD_NOT_ALLOWED, "GET and HEAD are served here\n");
	for (size_t i = 0; i < ARRAY_LEN(pages); i++)
		if (strcmp(pages[i].path, url) == 0)
			return pages[i].run(arg, c);
	return say(c, MHD_HTTP_NOT_FOUND, "there are /metrics, /healthz and /readyz\n");
}

/* ---- life */

int http_start(struct http *h, const char *address, unsigned *ret_port)
{
	struct sockaddr_any addr;
	const union MHD_DaemonInfo *info;
	unsigned flags = MHD_USE_EPOLL_INTERNAL_THREAD;
	int err = addr_parse(address, &addr);

	if (err || addr.sa.sa_family == AF_UNIX)
		return -EINVAL;
	if (addr.sa.sa_family == AF_INET6)
		flags |= MHD_USE_IPv6;
	errno = 0;
	h->daemon = MHD_start_daemon(flags, 0, NULL, NULL, on_request, h, MHD_OPTION_SOCK_ADDR, &addr.sa,
		MHD_OPTION_CONNECTION_LIMIT, (unsigned)MAX_CONNECTIONS, MHD_OPTION_PER_IP_CONNECTION_LIMIT,
		(unsigned)MAX_OF_ONE_PEER, MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)IDLE_SECONDS,
		MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)MEMORY_BYTES, MHD_OPTION_END);
	if (!h->daemon)
		return errno ? -errno : -EIO;
	info = MHD_get_daemon_info(h->daemon, MHD_DAEMON_INFO_BIND_PORT);
	*ret_port = info ? info->port : 0;
	return 0;
}

void http_stop(struct http *h)
{
	if (h->daemon)
		MHD_stop_daemon(h->daemon);
	page_view(&h->page, NULL);
	page_done(&h->page);
	view_close(h->view);
}
