#include "base/clock.h"
#include "cli.h"
#include "commands.h"
#include "events.h"
#include "fetch.h"
#include "hist.h"
#include "response.h"
#include "term.h"
#include <signal.h>

#define BAR_MAX 14 /* characters; two for each power of ten from 1 us on */

struct watch {
	uint64_t events_wanted; /* 0: no limit */
	uint64_t opened_ns, last_ns;
	uint64_t damaged;
	struct response response;
	struct events events;
	struct sequence sequence;
	struct hist latency;
	bool said_head, done;
};

static volatile sig_atomic_t interrupted;

static void on_signal(int signo)
{
	(void)signo;
	interrupted = 1;
}

static void catch_signals(void)
{
	/* Without SA_RESTART: the wait ends, and the summary is still printed. */
	struct sigaction act = {.sa_handler = on_signal};

	sigaction(SIGINT, &act, NULL);
	sigaction(SIGTERM, &act, NULL);
}

static void print_head(struct watch *w, uint64_t now)
{
	const struct response *r = &w->response;
	struct slice type = response_field(r, SLICE("Content-Type")), via = response_field(r, SLICE("Via"));
	char took[TERM_NUMBER_MAX];

	printf("  %s%u%s  %.*s, head after %s", term_style(stdout, r->status == 200 ? TERM_GREEN : TERM_RED),
		r->status, term_style(stdout, TERM_PLAIN), SLICE_FMT(type),
		term_ns(now - w->opened_ns, took));
	if (via.n)
		printf(", via %.*s", SLICE_FMT(via));
	printf("\n\n  %s%8s  %10s  %-*s  %12s  %s%s\n", term_style(stdout, TERM_DIM), "event", "took",
		BAR_MAX, "", "since last", "data", term_style(stdout, TERM_PLAIN));
}

/* A logarithmic bar: 1 us is nothing, 1 s is nearly all of it. */
static const char *bar(uint64_t ns)
{
	static const char full[] = "||||||||||||||";
	size_t n = 0;

	for (uint64_t limit = 1000; limit <= ns && n < BAR_MAX; limit *= 10) {
		n++;
		if (ns >= limit * 3 && n < BAR_MAX)
			n++;
	}
	return full + BAR_MAX - n;
}

static enum term_style style_of(uint64_t ns)
{
	return ns < 5 * NS_PER_MS ? TERM_GREEN : ns < 100 * NS_PER_MS ? TERM_YELLOW : TERM_RED;
}

static void print_event(struct watch *w, const struct event *e, uint64_t now, uint64_t took)
{
	char text[TERM_NUMBER_MAX], since[TERM_NUMBER_MAX] = "-";
	int room = (int)term_width(stdout) - (8 + 2 + 10 + 2 + BAR_MAX + 2 + 12 + 4);
	int shown = MAX(MIN((int)e->data_len, room), 0);
	bool cut = shown < e->data_len || e->data_cut;

	if (cut && shown > 3)
		shown -= 3;
	if (w->last_ns)
		term_ns(now - w->last_ns, since);
	printf("  %8llu  %s%s%10s  %-*s%s  %12s  %s%.*s%s%s\n", (unsigned long long)e->seq,
		term_style(stdout, TERM_BOLD), term_style(stdout, style_of(took)), term_ns(took, text),
		BAR_MAX, bar(took), term_style(stdout, TERM_PLAIN), since, term_style(stdout, TERM_DIM),
		shown, e->data, cut ? "..." : "", term_style(stdout, TERM_PLAIN));
	fflush(stdout);
}

static void on_event(struct watch *w, uint64_t now)
{
	const struct event *e = &w->events.now;
	uint64_t took;

	if (!e->seq || !e->t_ns || e->id != e->seq || !e->whole) {
		w->damaged++;
		printf("  %sdamaged event: %.*s%s\n", term_style(stdout, TERM_RED), e->data_len, e->data,
			term_style(stdout, TERM_PLAIN));
		return;
	}
	took = now > e->t_ns ? now - e->t_ns : 0;
	sequence_see(&w->sequence, e->seq);
	hist_add(&w->latency, took);
	print_event(w, e, now, took);
	w->last_ns = now;
	w->done = w->events_wanted && w->latency.count >= w->events_wanted;
}

static void on_body(struct watch *w, struct slice body, uint64_t now)
{
	while (body.n && !w->done) {
		bool done;
		size_t used = events_next(&w->events, body.p, body.n, &done);

		if (done)
			on_event(w, now);
		body.p += used;
		body.n -= used;
	}
}

/* NULL to go on, else why the stream is over. */
static const char *on_bytes(struct watch *w, const char *p, size_t n, uint64_t now)
{
	while (n && !w->done) {
		struct slice body;
		size_t used = response_next(&w->response, p, n, &body);

		if (w->response.status && !w->said_head) {
			print_head(w, now);
			w->said_head = true;
			if (w->response.status != 200 || !w->response.event_stream)
				return "this is no event stream";
		}
		if (w->response.state == RESPONSE_BAD)
			return "the answer's framing was broken";
		on_body(w, body, now);
		if (w->response.state == RESPONSE_END)
			return "the stream came to its end";
		p += used;
		n -= used;
	}
	return NULL;
}

static const char *follow(struct watch *w, struct fetch *f, uint64_t deadline)
{
	static char bytes[65536];

	while (!w->done && !interrupted) {
		ssize_t n = fetch_read(f, bytes, sizeof(bytes), deadline);
		const char *over = NULL;

		if (n == -ETIMEDOUT || n == -EINTR)
			return NULL;
		if (n < 0)
			return wire_error((int)n);
		if (n == 0)
			return response_eof(&w->response) ? "the stream came to its end"
							  : "the stream broke off";
		over = on_bytes(w, bytes, (size_t)n, clock_mono_ns());
		if (over)
			return over;
	}
	return NULL;
}

static void print_summary(const struct watch *w)
{
	const struct hist *h = &w->latency;
	char a[TERM_NUMBER_MAX], b[TERM_NUMBER_MAX], c[TERM_NUMBER_MAX];

	if (!h->count) {
		printf("\n  %sno event arrived%s\n", term_style(stdout, TERM_RED),
			term_style(stdout, TERM_PLAIN));
		return;
	}
	printf("\n  %s%s events%s, %llu lost, %llu repeated, %llu damaged; half within %s, the slowest %s\n",
		term_style(stdout, TERM_BOLD), term_count(h->count, a), term_style(stdout, TERM_PLAIN),
		(unsigned long long)w->sequence.lost, (unsigned long long)w->sequence.repeated,
		(unsigned long long)w->damaged, term_ns(hist_quantile(h, 0.5), b), term_ns(h->max, c));
}

static bool good(const struct watch *w)
{
	return w->latency.count && w->latency.count >= w->events_wanted && !w->sequence.lost &&
	       !w->sequence.repeated && !w->damaged;
}

int command_watch(int argc, char **argv)
{
	static struct watch w; /* large: it holds a histogram */
	const char *to = NULL, *over = NULL;
	double seconds = 0;
	const struct cli_option options[] = {
		{"to", CLI_TEXT, &to, "URL", "the stream to open, http:// or https:// (must be given)", 0, 0,
			0, true},
		CLI_RANGE(
			"events", CLI_COUNT, &w.events_wanted, "N", "end after N events (0: never)", 0, 1e15),
		CLI_RANGE("seconds", CLI_NUMBER, &seconds, "S", "end after S seconds (0: never)", 0, 1e9),
	};
	const struct cli cli = {"watch",
		"shows the events of one stream as they arrive, and the time each took", options,
		ARRAY_LEN(options)};
	struct net_url url;
	uint64_t deadline;
	_cleanup_(fetch_close) struct fetch f = FETCH_NONE;
	int err = cli_parse(&cli, argc, argv);

	if (err)
		return err < 0 ? 2 : 0;
	if (net_url_parse(to, &url))
		return cli_wrong(&cli, "to", "http://HOST:PORT/PATH or https://", to), 2;
	catch_signals();
	response_init(&w.response);
	w.opened_ns = clock_mono_ns();
	deadline = seconds > 0 ? w.opened_ns + (uint64_t)(seconds * 1e9) : UINT64_MAX;
	printf("%s%s%s\n", term_style(stdout, TERM_BOLD), to, term_style(stdout, TERM_PLAIN));
	err = fetch_open(&url, "Accept: text/event-stream\r\nCache-Control: no-cache\r\n", deadline, &f);
	if (err)
		over = wire_error(err);
	else
		over = follow(&w, &f, deadline);
	if (over)
		printf("\n  %s%s%s\n", term_style(stdout, TERM_YELLOW), over, term_style(stdout, TERM_PLAIN));
	print_summary(&w);
	response_done(&w.response);
	return good(&w) ? 0 : 1;
}
