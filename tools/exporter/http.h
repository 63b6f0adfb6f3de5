/* The exporter's web server: one thread, no connection waits for another. Libmicrohttpd does HTTP. */
#ifndef SLUICE_EXPORTER_HTTP_H
#define SLUICE_EXPORTER_HTTP_H

#include "exporter/page.h"

struct MHD_Daemon;

struct http {
	struct MHD_Daemon *daemon;
	struct view_params where;
	struct view *view; /* NULL: nobody runs */
	struct page page;
	char why[256]; /* there is no view */
};

/* Listens on `address` ("127.0.0.1:9808", "[::]:9808") and serves until http_stop(). *ret_port: what was
 * bound. -EINVAL: no address; -EADDRINUSE and the like. h->where and h->page.top are set before. */
must_check int http_start(struct http *h, const char *address, unsigned *ret_port);
void http_stop(struct http *h);

#endif
