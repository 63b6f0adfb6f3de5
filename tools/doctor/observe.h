/* What one look at a stream saw: the response's head, and when which bytes came. Filled by feeding it, with
 * no I/O of its own, so that tests write down a stream's timing as it was. Times are milliseconds since the
 * look began. */
#ifndef SLUICE_DOCTOR_OBSERVE_H
#define SLUICE_DOCTOR_OBSERVE_H

#include "base/slice.h"
#include "proto/sse.h"

#define OBSERVE_NEVER	  (-1)	/* a time at which nothing happened */
#define OBSERVE_MAX_BURST 65536 /* bursts kept; what comes behind them is counted in the totals only */
#define OBSERVE_MAX_FIELD 256	/* header fields kept */
#define OBSERVE_BURST_MS  30	/* bytes that come closer together than this are one burst */

enum observe_end {
	OBSERVE_OPEN,	/* still open when the look ended */
	OBSERVE_CLEAN,	/* ended as its framing says */
	OBSERVE_CUT,	/* broken off: reset, or closed in front of the end that its framing promised */
	OBSERVE_FAILED, /* there was no connection or no HTTP: nothing to judge */
};

enum observe_framing { OBSERVE_BY_CLOSE, OBSERVE_BY_LENGTH, OBSERVE_BY_CHUNKS, OBSERVE_BY_FRAMES };

struct observe_field {
	char *name, *value;
};

/* Bytes that came (nearly) together. */
struct observe_burst {
	int64_t at_ms, last_ms; /* first and last byte */
	uint64_t bytes;
	uint32_t events, comments;
};

struct observation {
	char *url;	/* where the answer came from: behind redirects */
	char *redirect; /* the first Location that was followed; NULL: none */
	unsigned redirects;
	int redirect_status;
	int64_t sent_ms;  /* the request (the last one, behind redirects) */
	int64_t head_ms;  /* the head's end */
	int64_t body_ms;  /* the first byte of the body */
	int64_t event_ms; /* the end of the first event */
	int64_t end_ms;	  /* the stream's end, or that of the look */
	enum observe_end end;
	char *error; /* why it was cut or failed, in the library's words */
	int status;  /* 0: no head */
	int http;    /* 10, 11, 20 */
	struct observe_field *fields;
	size_t nfields;
	struct observe_burst *bursts;
	size_t nbursts;
	uint64_t bytes, events, comments;
	struct sse_scan scan;
};

void observe_init(struct observation *o);
void observe_done(struct observation *o);
/* One line of a response's head without its line end: a status line begins a new head, an empty line ends it.
 */
must_check int observe_head_line(struct observation *o, int64_t at_ms, struct slice line);
/* Bytes of the body as they came, behind chunks and compression. */
must_check int observe_body(struct observation *o, int64_t at_ms, struct slice bytes);

/* The value of the first field of that name, NULL when there is none. */
const char *observe_field(const struct observation *o, const char *name);
/* Some field of that name holds this text, without regard to case. */
bool observe_field_has(const struct observation *o, const char *name, const char *text);
enum observe_framing observe_framing(const struct observation *o);
/* Ended inside an event, which the client then drops (WHATWG HTML 9.2.6). */
bool observe_mid_event(const struct observation *o);
/* The longest time without a byte behind the head, the one in front of the end included; *ret_at is its
 * start. */
int64_t observe_longest_silence(const struct observation *o, int64_t *ret_at);
/* Without a byte when the stream ended, or when the look did. */
int64_t observe_last_silence(const struct observation *o);

#endif
