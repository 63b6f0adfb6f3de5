/* The client of the HTTP/2 unit tests: frames made byte by byte, so that wrong ones can be; what the session
 * answers is read frame by frame. Beside it a small relay that notes what it was told and answers from
 * memory. Include once per binary. */
#ifndef SLUICE_TESTS_H2_CLIENT_H
#define SLUICE_TESTS_H2_CLIENT_H

#include "base/buf.h"
#include "proto/h2.h"
#include "h2_cases.h"
#include <nghttp2/nghttp2.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

enum { F_DATA, F_HEADERS, F_PRIORITY, F_RST, F_SETTINGS, F_PUSH, F_PING, F_GOAWAY, F_WINDOW, F_CONT };
enum { END_STREAM = 1, ACK = 1, END_HEADERS = 4, PADDED = 8 };

struct frame {
	uint8_t type, flags;
	int32_t id;
	size_t n;
	char payload[1 << 14];
};

struct told { /* of one stream, by the session */
	int32_t id;
	bool requested, end, ended, closed, by_peer;
	uint32_t code;
	unsigned closes, ends;
	enum h1_rule rule;
	struct h1_request req;
	char head[1 << 17]; /* the request, as it would go upstream */
	size_t head_len;
	struct buf body;
	/* what is answered */
	const char *give;
	size_t give_len;
	bool give_end;
	const char *trailers;
	unsigned pulls;
};

struct world {
	struct h2_session *s;
	struct h2_limits limits;
	struct buf out, in; /* to the session; from it, not yet read as frames */
	nghttp2_hd_inflater *inflater;
	struct told told[40];
	unsigned n;
	unsigned requests, refusals;
	enum h1_rule last_rule;
	uint32_t refuse_with;
	uint64_t now;
	int err;     /* of the last h2_recv() */
	size_t step; /* bytes that h2_recv() gets at once; 0: all */
	size_t room; /* of h2_pull_into() */
	struct frame f;
	unsigned notes[H2_NOTE_STALL + 1];
	uint32_t last_code[H2_NOTE_STALL + 1];
};

static inline struct told *told_of(struct world *w, int32_t id)
{
	for (unsigned i = 0; i < w->n; i++)
		if (w->told[i].id == id)
			return &w->told[i];
	return NULL;
}

static inline void copy_request(struct told *t, const struct h1_request *req);

static inline uint32_t on_request(
	void *arg, int32_t id, const struct h1_request *req, bool end, void **ret_user)
{
	struct world *w = arg;
	struct told *t = &w->told[MIN(w->n, ARRAY_LEN(w->told) - 1)];

	w->requests++;
	if (w->refuse_with)
		return w->refuse_with;
	if (w->n < ARRAY_LEN(w->told))
		w->n++;
	memset(t, 0, offsetof(struct told, req));
	t->id = id;
	t->requested = true;
	t->end = end;
	t->give = NULL;
	t->give_len = 0;
	t->give_end = false;
	t->trailers = NULL;
	t->pulls = 0;
	t->body.len = 0;
	copy_request(t, req);
	*ret_user = t;
	return 0;
}

static inline void on_refused(void *arg, int32_t id, void *user, enum h1_rule rule)
{
	struct world *w = arg;

	(void)id;
	w->refusals++;
	w->last_rule = rule;
	if (user)
		((struct told *)user)->rule = rule;
}

static inline void on_data(void *arg, void *user, const char *p, size_t n)
{
	struct told *t = user;

	(void)arg;
	assert_int_equal(buf_append(&t->body, p, n), 0);
}

static inline void on_end(void *arg, void *user)
{
	struct told *t = user;

	(void)arg;
	t->ended = true;
	t->ends++;
}

static inline void on_closed(void *arg, void *user, uint32_t code, bool by_peer)
{
	struct told *t = user;

	(void)arg;
	t->closed = true;
	t->closes++;
	t->code = code;
	t->by_peer = by_peer;
}

static inline size_t pull(void *arg, void *user, char *to, size_t n, bool *ret_end)
{
	struct world *w = arg;
	struct told *t = user;
	size_t take = MIN(n, t->give_len);

	t->pulls++;
	if (take)
		memcpy(to, t->give, take);
	t->give += take;
	t->give_len -= take;
	*ret_end = t->give_end && t->give_len == 0;
	if (*ret_end && t->trailers)
		*ret_end = h2_trailers(w->s, t->id, slice_of(t->trailers)) == 0;
	return take;
}

static inline void on_note(void *arg, enum h2_note note, uint32_t code)
{
	struct world *w = arg;

	w->notes[note]++;
	w->last_code[note] = code;
}

static const struct h2_events events = {on_request, on_refused, on_data, on_end, on_closed, pull, on_note};

/* ---- the client's frames */
static inline void put(struct world *w, const void *p, size_t n)
{
	assert_int_equal(buf_append(&w->out, p, n), 0);
}

static inline void put_u8(struct world *w, unsigned v)
{
	put(w, &(uint8_t){(uint8_t)v}, 1);
}

static inline void put_u32(struct world *w, uint32_t v)
{
	put(w, (uint8_t[]){(uint8_t)(v >> 24), (uint8_t)(v >> 16), (uint8_t)(v >> 8), (uint8_t)v}, 4);
}

static inline void frame_header(struct world *w, size_t n, unsigned type, unsigned flags, int32_t id)
{
	put(w, (uint8_t[]){(uint8_t)(n >> 16), (uint8_t)(n >> 8), (uint8_t)n, (uint8_t)type, (uint8_t)flags},
		5);
	put_u32(w, (uint32_t)id);
}

static inline void frame(struct world *w, unsigned type, unsigned flags, int32_t id, const void *p, size_t n)
{
	frame_header(w, n, type, flags, id);
	if (n)
		put(w, p, n);
}

static inline void hpack_text(struct buf *b, const char *p, size_t n)
{
	size_t rest = n;
	uint8_t c = (uint8_t)MIN(n, 127);

	assert_int_equal(buf_append(b, &c, 1), 0);
	if (n >= 127) {
		for (rest -= 127; rest >= 128; rest >>= 7)
			assert_int_equal(buf_append(b, &(uint8_t){(uint8_t)(rest | 0x80)}, 1), 0);
		assert_int_equal(buf_append(b, &(uint8_t){(uint8_t)rest}, 1), 0);
	}
	assert_int_equal(buf_append(b, p, n), 0);
}

/* Literal without indexing, no Huffman: byte for byte what was asked for. */
static inline void hpack(struct buf *b, struct slice name, struct slice value)
{
	assert_int_equal(buf_append(b, "", 1), 0);
	hpack_text(b, name.p, name.n);
	hpack_text(b, value.p, value.n);
}

/* "name\1value\2name\1value", see h2_cases.h. */
static inline void hpack_list(struct buf *b, struct slice list)
{
	while (list.n) {
		const char *stop = memchr(list.p, 2, list.n), *mark;
		size_t n = stop ? (size_t)(stop - list.p) : list.n;

		mark = memchr(list.p, 1, n);
		assert_non_null(mark);
		hpack(b, (struct slice){list.p, (size_t)(mark - list.p)},
			(struct slice){mark + 1, n - 1 - (size_t)(mark - list.p)});
		n += stop != NULL;
		list.p += n;
		list.n -= n;
	}
}

static inline void headers_list(struct world *w, int32_t id, unsigned flags, struct slice list)
{
	_cleanup_buf_ struct buf b = {0};

	hpack_list(&b, list);
	frame(w, F_HEADERS, flags | END_HEADERS, id, b.data, b.len);
}

static inline void headers(struct world *w, int32_t id, unsigned flags, const char *list)
{
	headers_list(w, id, flags, slice_of(list));
}

static inline void get(struct world *w, int32_t id)
{
	headers(w, id, END_STREAM, H2_GET);
}

static inline void data(struct world *w, int32_t id, unsigned flags, const char *text)
{
	frame(w, F_DATA, flags, id, text, strlen(text));
}

static inline void rst(struct world *w, int32_t id, uint32_t code)
{
	frame_header(w, 4, F_RST, 0, id);
	put_u32(w, code);
}

static inline void window(struct world *w, int32_t id, uint32_t n)
{
	frame_header(w, 4, F_WINDOW, 0, id);
	put_u32(w, n);
}

static inline void setting(struct world *w, unsigned key, uint32_t value)
{
	frame_header(w, 6, F_SETTINGS, 0, 0);
	put_u8(w, key >> 8);
	put_u8(w, key);
	put_u32(w, value);
}

/* Lets the session read all that was put. */
static inline int feed(struct world *w)
{
	size_t step = w->step ? w->step : w->out.len;

	w->err = 0;
	for (size_t at = 0; at < w->out.len && !w->err; at += step)
		w->err = h2_recv(w->s, w->out.data + at, MIN(step, w->out.len - at), w->now);
	w->out.len = 0;
	return w->err;
}

/* ---- what comes back */
static inline void drain(struct world *w)
{
	static char room[1 << 16];
	ssize_t n;

	do {
		n = h2_pull_into(w->s, room, w->room);
		assert_true(n >= 0);
		assert_int_equal(buf_append(&w->in, room, (size_t)n), 0);
	} while (n > 0);
}

/* The next frame, of those that came; false: no more. */
static inline bool next_frame(struct world *w)
{
	const uint8_t *h = (const uint8_t *)w->in.data;
	size_t n;

	drain(w);
	h = (const uint8_t *)w->in.data;
	if (w->in.len < 9)
		return false;
	n = (size_t)h[0] << 16 | (size_t)h[1] << 8 | h[2];
	assert_true(n <= sizeof(w->f.payload));
	assert_true(w->in.len >= 9 + n);
	w->f.type = h[3];
	w->f.flags = h[4];
	w->f.id = (int32_t)((uint32_t)h[5] << 24 | (uint32_t)h[6] << 16 | (uint32_t)h[7] << 8 | h[8]);
	w->f.n = n;
	memcpy(w->f.payload, h + 9, n);
	buf_drop(&w->in, 9 + n);
	return true;
}

static inline uint32_t f_u32(const struct world *w, size_t at)
{
	const uint8_t *p = (const uint8_t *)w->f.payload + at;

	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* Throws away frames until one of that type (and stream, if id >= 0) comes. */
static inline bool find_frame(struct world *w, unsigned type, int32_t id)
{
	while (next_frame(w))
		if (w->f.type == type && (id < 0 || w->f.id == id))
			return true;
	return false;
}

static inline void expect_rst(struct world *w, int32_t id, uint32_t code)
{
	assert_true(find_frame(w, F_RST, id));
	assert_int_equal(f_u32(w, 0), code);
}

static inline void expect_goaway(struct world *w, enum h2_reason why)
{
	assert_true(find_frame(w, F_GOAWAY, 0));
	assert_int_equal(f_u32(w, 4), h2_reason_code(why));
	assert_string_equal(h2_reason_label(h2_why(w->s)), h2_reason_label(why));
	assert_false(next_frame(w));
	assert_true(h2_is_done(w->s));
}

/* The header block of the last frame as "name: value\n…". */
static inline const char *decoded(struct world *w)
{
	static char text[1 << 16];
	size_t at = 0, used = 0;

	while (at <= w->f.n) {
		nghttp2_nv nv;
		int flags = 0;
		ssize_t n = nghttp2_hd_inflate_hd2(
			w->inflater, &nv, &flags, (const uint8_t *)w->f.payload + at, w->f.n - at, 1);

		assert_true(n >= 0);
		at += (size_t)n;
		if (flags & NGHTTP2_HD_INFLATE_EMIT)
			used += (size_t)snprintf(text + used, sizeof(text) - used, "%.*s: %.*s\n",
				(int)nv.namelen, (const char *)nv.name, (int)nv.valuelen,
				(const char *)nv.value);
		if (flags & NGHTTP2_HD_INFLATE_FINAL) {
			nghttp2_hd_inflate_end_headers(w->inflater);
			break;
		}
	}
	text[used] = 0;
	return text;
}

/* ---- a world */
static inline void copy_request(struct told *t, const struct h1_request *req)
{
	char *to = t->head;

	/* Slices die with the call: kept as offsets into a text of our own. */
	t->req = *req;
	to += sprintf(to, "%.*s %.*s", SLICE_FMT(req->method_text), SLICE_FMT(req->path));
	if (req->query.p)
		to += sprintf(to, "?%.*s", SLICE_FMT(req->query));
	to += sprintf(to, "\nhost: %.*s\n", SLICE_FMT(req->host));
	for (size_t i = 0; i < req->nfields; i++)
		to += sprintf(
			to, "%.*s: %.*s\n", SLICE_FMT(req->fields[i].name), SLICE_FMT(req->fields[i].value));
	t->head_len = (size_t)(to - t->head);
}

static inline struct world *world_with(const struct h2_limits *limits)
{
	struct world *w = calloc(1, sizeof(*w));

	assert_non_null(w);
	w->limits = limits ? *limits : (struct h2_limits)H2_LIMITS_DEFAULT;
	w->now = 1000;
	w->room = 1 << 14;
	assert_int_equal(nghttp2_hd_inflate_new(&w->inflater), 0);
	assert_int_equal(h2_new(&w->limits, &events, w, &w->s), 0);
	return w;
}

static inline void preface(struct world *w)
{
	put(w, H2_PREFACE, H2_PREFACE_LEN);
	frame_header(w, 0, F_SETTINGS, 0, 0);
}

/* Both sides have acknowledged the other's settings. */
static inline void greet(struct world *w)
{
	preface(w);
	frame_header(w, 0, F_SETTINGS, ACK, 0);
	assert_int_equal(feed(w), 0);
	while (next_frame(w))
		;
}

static inline struct world *world_new(void)
{
	struct world *w = world_with(NULL);

	greet(w);
	return w;
}

static inline void world_free(struct world *w)
{
	h2_free(w->s);
	nghttp2_hd_inflate_del(w->inflater);
	for (size_t i = 0; i < ARRAY_LEN(w->told); i++)
		buf_reset(&w->told[i].body);
	buf_reset(&w->in);
	buf_reset(&w->out);
	free(w);
}

static inline int answer(struct world *w, int32_t id, const char *head, bool end)
{
	return h2_head(w->s, id, slice_of(head), end);
}

static inline void give(struct world *w, int32_t id, const char *text, bool end)
{
	struct told *t = told_of(w, id);

	assert_non_null(t);
	t->give = text;
	t->give_len = strlen(text);
	t->give_end = end;
	h2_resume(w->s, id);
}

#endif
