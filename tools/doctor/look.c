#include "doctor/look.h"
#include "base/clock.h"
#include <curl/curl.h>
#include <stdio.h>

#define CONNECT_MS 10000
#define TURN_MS	   1000 /* how long one wait may take: progress is shown in between */
#define REDIRECTS  5

struct look {
	struct observation *o;
	uint64_t start_ns;
	CURL *curl;
	struct curl_slist *headers;
	bool over;
	int err;
};

static int64_t now_ms(const struct look *l)
{
	return (int64_t)((clock_mono_ns() - l->start_ns) / NS_PER_MS);
}

static size_t on_head(char *p, size_t size, size_t n, void *arg)
{
	struct look *l = arg;
	struct slice line = {p, size * n};

	while (line.n && (line.p[line.n - 1] == '\r' || line.p[line.n - 1] == '\n'))
		line.n--;
	l->err = l->err ? l->err : observe_head_line(l->o, now_ms(l), line);
	return l->err ? 0 : size * n;
}

static size_t on_body(char *p, size_t size, size_t n, void *arg)
{
	struct look *l = arg;

	/* The body of a redirect that is followed is nobody's stream. */
	if (l->o->status >= 300 && l->o->status < 400)
		return size * n;
	l->err = l->err ? l->err : observe_body(l->o, now_ms(l), (struct slice){p, size * n});
	return l->err ? 0 : size * n;
}

static int on_request(void *arg, char *ip, char *local_ip, int port, int local_port)
{
	struct look *l = arg;

	(void)ip, (void)local_ip, (void)port, (void)local_port;
	l->o->sent_ms = now_ms(l);
	return CURL_PREREQFUNC_OK;
}

static int add_header(struct look *l, const char *header)
{
	struct curl_slist *more = curl_slist_append(l->headers, header);

	if (!more)
		return -ENOMEM;
	l->headers = more;
	return 0;
}

static int begin(struct look *l, const struct look_params *p)
{
	/* What EventSource sends (WHATWG HTML 9.2.2). */
	static const char *const own[] = {"Accept: text/event-stream", "Cache-Control: no-cache",
		"User-Agent: sluicectl-doctor/" SLUICE_VERSION};
	int err = 0;

	l->curl = curl_easy_init();
	for (size_t i = 0; i < ARRAY_LEN(own) && !err; i++)
		err = add_header(l, own[i]);
	for (size_t i = 0; p->headers && p->headers[i] && !err; i++)
		err = add_header(l, p->headers[i]);
	if (!l->curl || err)
		return -ENOMEM;
	curl_easy_setopt(l->curl, CURLOPT_URL, p->url);
	curl_easy_setopt(l->curl, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(l->curl, CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(l->curl, CURLOPT_HTTPHEADER, l->headers);
	curl_easy_setopt(l->curl, CURLOPT_ACCEPT_ENCODING, "gzip, deflate, br");
	curl_easy_setopt(l->curl, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS);
	curl_easy_setopt(l->curl, CURLOPT_FOLLOWLOCATION, 1L);
	curl_easy_setopt(l->curl, CURLOPT_MAXREDIRS, (long)REDIRECTS);
	curl_easy_setopt(l->curl, CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_MS);
	curl_easy_setopt(l->curl, CURLOPT_FRESH_CONNECT, 1L);
	curl_easy_setopt(l->curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(l->curl, CURLOPT_NOPROXY, "*");
	curl_easy_setopt(l->curl, CURLOPT_SSL_VERIFYPEER, p->insecure ? 0L : 1L);
	curl_easy_setopt(l->curl, CURLOPT_SSL_VERIFYHOST, p->insecure ? 0L : 2L);
	curl_easy_setopt(l->curl, CURLOPT_HEADERFUNCTION, on_head);
	curl_easy_setopt(l->curl, CURLOPT_HEADERDATA, l);
	curl_easy_setopt(l->curl, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(l->curl, CURLOPT_WRITEDATA, l);
	curl_easy_setopt(l->curl, CURLOPT_PREREQFUNCTION, on_request);
	curl_easy_setopt(l->curl, CURLOPT_PREREQDATA, l);
	curl_easy_setopt(l->curl, CURLOPT_PRIVATE, l);
	return 0;
}

static enum observe_end end_of(const struct look *l, CURLcode code)
{
	if (code == CURLE_OK || code == CURLE_TOO_MANY_REDIRECTS)
		return OBSERVE_CLEAN;
	/* Without a request on the wire nothing was asked; a body that cannot be decoded is cut as well. */
	if (l->o->sent_ms == OBSERVE_NEVER)
		return OBSERVE_FAILED;
	if (l->o->head_ms == OBSERVE_NEVER && code != CURLE_GOT_NOTHING && code != CURLE_RECV_ERROR)
		return OBSERVE_FAILED;
	return OBSERVE_CUT;
}

static void finish(struct look *l, CURLcode code)
{
	l->over = true;
	l->o->end_ms = now_ms(l);
	l->o->end = end_of(l, code);
	if (l->o->end == OBSERVE_CUT || l->o->end == OBSERVE_FAILED)
		l->o->error = strdup(curl_easy_strerror(code));
}

static void progress(uint64_t at_ms, uint64_t ms, const struct observation *o)
{
	if (isatty(STDERR_FILENO))
		fprintf(stderr, "\r  looking: %llu of %llu s, %llu events\033[K",
			(unsigned long long)at_ms / 1000, (unsigned long long)ms / 1000,
			(unsigned long long)o->events);
}

static int watch(CURLM *multi, struct look *looks, size_t n, uint64_t ms)
{
	uint64_t until = clock_mono_ns() + ms * NS_PER_MS, now;
	int running = 1, left;
	CURLMsg *msg;

	while (running && (now = clock_mono_ns()) < until) {
		uint64_t rest = (until - now + NS_PER_MS - 1) / NS_PER_MS;

		if (curl_multi_perform(multi, &running) ||
			(running && curl_multi_poll(multi, NULL, 0, (int)MIN(rest, TURN_MS), NULL)))
			return -ENOMEM;
		while ((msg = curl_multi_info_read(multi, &left))) {
			struct look *l = NULL;

			curl_easy_getinfo(msg->easy_handle, CURLINFO_PRIVATE, (char **)&l);
			if (msg->msg == CURLMSG_DONE && l)
				finish(l, msg->data.result);
		}
		progress(ms - MIN(rest, ms), ms, looks[0].o);
	}
	if (isatty(STDERR_FILENO))
		fprintf(stderr, "\r\033[K");
	for (size_t i = 0; i < n; i++)
		if (!looks[i].over) {
			looks[i].o->end_ms = now_ms(&looks[i]);
			looks[i].o->end =
				looks[i].o->sent_ms == OBSERVE_NEVER ? OBSERVE_FAILED : OBSERVE_OPEN;
			if (looks[i].o->end == OBSERVE_FAILED)
				looks[i].o->error = strdup("no connection in this time");
		}
	return 0;
}

static void end(struct look *l, CURLM *multi)
{
	char *url = NULL;

	if (l->curl) {
		curl_easy_getinfo(l->curl, CURLINFO_EFFECTIVE_URL, &url);
		l->o->url = url ? strdup(url) : NULL;
		curl_multi_remove_handle(multi, l->curl);
		curl_easy_cleanup(l->curl);
	}
	curl_slist_free_all(l->headers);
}

int look_at(const struct look_params *params, size_t n, uint64_t ms, struct observation *ret)
{
	struct look looks[LOOK_MAX] = {0};
	CURLM *multi = curl_multi_init();
	int err = multi ? 0 : -ENOMEM;

	for (size_t i = 0; i < n && i < LOOK_MAX; i++) {
		observe_init(&ret[i]);
		looks[i] = (struct look){.o = &ret[i], .start_ns = clock_mono_ns()};
		err = err ? err : begin(&looks[i], &params[i]);
		if (!err && curl_multi_add_handle(multi, looks[i].curl))
			err = -ENOMEM;
	}
	if (!err)
		err = watch(multi, looks, n, ms);
	for (size_t i = 0; i < n && i < LOOK_MAX; i++) {
		err = err ? err : looks[i].err;
		end(&looks[i], multi);
	}
	curl_multi_cleanup(multi);
	return err;
}
