#include "load_report.h"
#include "base/clock.h"
#include "cli.h"
#include "commands.h"
#include "term.h"
#include "wire.h"
#include <poll.h>

struct load_options {
	const char *to;
	uint64_t streams, processes, http, per_connection;
	double seconds, warmup;
	bool json, tls;
};

static int parse_to(const struct cli *cli, const char *text, struct net_url *ret)
{
	int err = net_url_parse(text, ret);

	if (err == -EADDRNOTAVAIL)
		return cli_wrong(cli, "to", "a host that resolves", text);
	if (err)
		return cli_wrong(cli, "to", "http://HOST:PORT/PATH or https://", text);
	return 0;
}

/* Waits for all streams to be open or failed. */
static int wait_open(struct load_job *job, const struct load_options *o)
{
	uint64_t n;

	while ((n = load_job_settled(job)) < o->streams) {
		int err = load_job_check(job);

		if (err)
			return err;
		term_progress((double)n / (double)o->streams, "opening streams: %llu of %llu",
			(unsigned long long)n, (unsigned long long)o->streams);
		poll(NULL, 0, 50);
	}
	return 0;
}

static int wait_seconds(struct load_job *job, double seconds, const char *what)
{
	uint64_t begin = clock_mono_ns(), events = load_job_live_events(job);
	double passed = 0;

	while (passed < seconds) {
		int err = load_job_check(job);

		if (err)
			return err;
		poll(NULL, 0, (int)MIN((seconds - passed) * 1000 + 1, 100.0));
		passed = (double)(clock_mono_ns() - begin) / 1e9;
		term_progress(passed / seconds, "%s: %.1f of %.1f s, %.0f events/s", what, passed, seconds,
			(double)(load_job_live_events(job) - events) / passed);
	}
	return 0;
}

static int run(const struct load_options *o, const struct load_settings *settings, struct load_result *ret)
{
	struct load_job *job;
	int err = load_job_start(settings, &job);

	if (err)
		return err;
	err = wait_open(job, o);
	if (!err)
		err = wait_seconds(job, o->warmup, "warming up");
	if (!err) {
		load_job_measure(job, o->seconds);
		err = wait_seconds(job, o->seconds, "measuring");
	}
	if (!err)
		err = load_job_finish(job, ret);
	load_job_free(job);
	term_progress_done();
	return err;
}

int command_load(int argc, char **argv)
{
	static struct load_result result; /* large: it holds histograms */
	struct load_options o = {.streams = 1000, .processes = 1, .http = 1, .seconds = 10, .warmup = 2};
	const struct cli_option options[] = {
		{"to", CLI_TEXT, &o.to, "URL", "the stream to open, http:// or https:// (must be given)", 0,
			0, 0, true},
		CLI_SWITCH("tls", CLI_ON, &o.tls, "TLS 1.3 with " WIRE_TLS_SUITE ", as https:// does"),
		CLI_RANGE("http", CLI_COUNT, &o.http, "1|2",
			"HTTP/1.1, or HTTP/2: with TLS by ALPN, without by prior knowledge (1)", 1, 2),
		CLI_RANGE("streams-per-connection", CLI_COUNT, &o.per_connection, "N",
			"HTTP/2: streams that share a connection (50)", 1, 10000),
		CLI_RANGE("streams", CLI_COUNT, &o.streams, "N", "streams to open (1000)", 1, 1e7),
		CLI_RANGE("seconds", CLI_NUMBER, &o.seconds, "S", "how long to measure (10)", 0.1, 1e6),
		CLI_RANGE("warmup", CLI_NUMBER, &o.warmup, "S", "how long before that (2)", 0, 1e6),
		CLI_RANGE("processes", CLI_COUNT, &o.processes, "P", "share the streams (1)", 1,
			LOAD_PROCESSES_MAX),
		CLI_SWITCH("json", CLI_ON, &o.json, "print JSON in place of the table"),
	};
	const struct cli cli = {"load",
		"opens event streams of sluice-bench origin and judges order, loss and latency", options,
		ARRAY_LEN(options)};
	struct load_settings settings = {0};
	int err = cli_parse(&cli, argc, argv);

	if (!err)
		err = parse_to(&cli, o.to, &settings.to);
	if (err)
		return err < 0 ? 2 : 0;
	if (o.http == 1 && o.per_connection > 1)
		return cli_wrong(&cli, "streams-per-connection", "1 with HTTP/1.1", "more"), 2;
	settings.to.tls |= o.tls;
	settings.http = (unsigned)o.http;
	settings.per_connection = o.per_connection ? o.per_connection : o.http == 2 ? 50 : 1;
	settings.streams = o.streams;
	settings.processes = MIN(o.processes, o.streams);
	err = run(&o, &settings, &result);
	if (err) {
		fprintf(stderr, "sluice-bench load: %s\n", strerror(-err));
		return 1;
	}
	if (o.json)
		load_report_json(stdout, &result, o.seconds);
	else
		load_report_table(stdout, &result, o.to, o.seconds);
	return load_result_good(&result) ? 0 : 1;
}
