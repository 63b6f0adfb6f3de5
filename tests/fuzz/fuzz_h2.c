/* Frames: whatever comes, the session stands, holds no more memory than its limit, tells of each stream once,
 * and passes on only requests that the relay may build upon; what it says back is whole frames. The first
 * byte of the input chooses how the rest is used. */
#include "fuzz.h"
#include "proto/h1_chars.h"
#include "proto/h1_fields.h"
#include "proto/h1_write.h"
#include "proto/h2.h"

#define STREAMS 64
#define MEMORY	(512 * 1024)

struct seen {
	int32_t id;
	bool open, ended, closed;
	bool has_length;
	uint64_t left;
	size_t given;
};

struct fuzz {
	struct h2_session *s;
	struct seen seen[STREAMS];
	unsigned n, depth;
	struct cuts cuts;
	uint8_t mode;
	/* the frames that came back */
	size_t left;
	uint8_t header[9];
	unsigned have;
	bool goaway;
};

/* The bytes of a request line and of fields, as h1_write_request puts them. */
static void check_request(const struct h1_request *req)
{
	struct h1_forward fwd = {.client_ip = SLICE("192.0.2.1"), .scheme = SLICE("https")};
	_cleanup_buf_ struct buf out = {0};
	struct h1_request again;
	struct h1_scan scan = {0};
	size_t len;

	must(req->http2 && req->minor == 1 && req->keep_alive && !req->absolute_form && !req->upgrade.n);
	must(req->nfields <= H1_MAX_FIELDS && h1_authority_ok(req->host));
	for (size_t i = 0; i < req->nfields; i++) {
		must(h1_is_token(req->fields[i].name) && h1_all(req->fields[i].value, H1_C_TEXT));
		must(req->fields[i].id == h1_field_lookup(req->fields[i].name));
		must(req->fields[i].id != H1_F_HOST && req->fields[i].id != H1_F_CONNECTION);
	}
	must(h1_write_request(&out, req, &fwd) == 0);
	if (out.len >= H1_MAX_HEAD || req->nfields > H1_MAX_FIELDS - 7)
		return;
	must(h1_scan(&scan, H1_REQUEST, out.data, out.len, &len) == H1_OK && len == out.len && !scan.skip);
	must(h1_request_parse(out.data, out.len, &again) == H1_OK);
	must(slice_eq(again.method_text, req->method_text) && slice_eq(again.path, req->path));
	must(slice_eq(again.query, req->query) && slice_eq(again.host, req->host));
	must(again.framing == req->framing && again.content_length == req->content_length);
}

static uint32_t on_request(void *arg, int32_t id, const struct h1_request *req, bool end, void **ret_user)
{
	struct fuzz *f = arg;
	struct seen *t = &f->seen[f->n % STREAMS];

	check_request(req);
	must(!end || req->framing == H1_BODY_NONE ||
		(req->framing == H1_BODY_LENGTH && !req->content_length));
	if (f->n >= STREAMS || (f->mode & 64 && f->n % 3 == 2))
		return H2_REFUSED_STREAM;
	*t = (struct seen){.id = id, .open = true, .ended = end};
	t->has_length = req->framing == H1_BODY_LENGTH;
	t->left = req->content_length;
	f->n++;
	*ret_user = t;
	return 0;
}

static void on_refused(void *arg, int32_t id, void *user, enum h1_rule rule)
{
	(void)arg;
	must(id > 0 && rule > H1_OK && rule < H1_RULE_COUNT);
	must(!user || ((struct seen *)user)->open);
}

static void on_data(void *arg, void *user, const char *p, size_t n)
{
	struct fuzz *f = arg;
	struct seen *t = user;

	must(t->open && !t->ended && (p || !n));
	must(!t->has_length || n <= t->left);
	t->left -= t->has_length ? n : 0;
	if (f->mode & 1)
		h2_consume(f->s, t->id, n);
}

static void on_end(void *arg, void *user)
{
	struct seen *t = user;

	(void)arg;
	must(t->open && !t->ended && (!t->has_length || t->left == 0));
	t->ended = true;
}

static void on_closed(void *arg, void *user, uint32_t code, bool by_peer)
{
	struct seen *t = user;

	(void)arg;
	(void)code;
	(void)by_peer;
	must(t->open && !t->closed);
	t->open = false;
	t->closed = true;
}

static size_t pull(void *arg, void *user, char *to, size_t n, bool *ret_end)
{
	struct fuzz *f = arg;
	struct seen *t = user;
	size_t give = cuts_next(&f->cuts, 3000, n);

	must(t->open && n > 0);
	if (t->given > 40000) {
		*ret_end = f->mode & 2;
		if (*ret_end && t->id % 4 == 3)
			*ret_end = h2_trailers(f->s, t->id, SLICE("X-Sum: 1\r\nb:\r\n\r\n")) == 0;
		return 0;
	}
	memset(to, 'd', give);
	t->given += give;
	return give;
}

static const struct h2_events events = {on_request, on_refused, on_data, on_end, on_closed, pull, NULL};

/* What came back is a run of whole frames, SETTINGS first (a connection that was never one gets GOAWAY
 * alone), nothing behind the last. */
static void check_frames(struct fuzz *f, const char *p, size_t n)
{
	while (n) {
		size_t take = f->left ? (n < f->left ? n : f->left) : 1;

		must(!f->goaway || f->left);
		if (f->left) {
			f->left -= take;
		} else {
			f->header[f->have++] = (uint8_t)*p;
			if (f->have == 9) {
				f->have = 0;
				f->left =
					(size_t)f->header[0] << 16 | (size_t)f->header[1] << 8 | f->header[2];
				must(f->left <= 16384 && f->header[3] <= 9 && !(f->header[5] & 0x80));
			}
		}
		p += take;
		n -= take;
	}
}

static void drain(struct fuzz *f)
{
	static char room[20000];
	size_t size = f->mode & 4 ? H2_PULL_MIN : sizeof(room);

	for (unsigned turns = 0; turns < 2000; turns++) {
		char *exact = malloc(size);
		ssize_t n;

		must(exact);
		n = h2_pull_into(f->s, exact, size);
		must(n >= 0 && (size_t)n <= size);
		check_frames(f, exact, (size_t)n);
		free(exact);
		if (n == 0)
			return;
	}
	must(!"frames without end");
}

static void catch_up(struct fuzz *f)
{
	if (!h2_is_ahead(f->s))
		return;
	h2_tell_ahead(f->s);
	drain(f);
	must(!h2_is_ahead(f->s));
}

static void send_ahead(struct fuzz *f, unsigned turn)
{
	struct seen *t = f->n ? &f->seen[(turn + turn / 8) % f->n] : NULL;
	struct h2_stream *body = t && t->open ? h2_body(f->s, t->id) : NULL;
	size_t n = 1 + turn * 37 % 9000, before = h2_window(f->s, t ? t->id : 1);
	char *frame;

	if (!body)
		return;
	frame = calloc(1, H2_FRAME_HEADER + n);
	must(frame);
	if (h2_send_ahead(f->s, body, n, frame, H2_FRAME_HEADER + n)) {
		must(n < before && h2_window(f->s, t->id) == before - n);
		check_frames(f, frame, H2_FRAME_HEADER + n);
	}
	free(frame);
}

static void answer(struct fuzz *f, unsigned turn)
{
	static const struct slice heads[] = {
		{"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n", 52},
		{"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n", 41},
		{"HTTP/1.1 404 Not Found\r\nX: y\r\nConnection: close\r\n\r\n", 51},
	};
	struct seen *t = f->n ? &f->seen[turn % f->n] : NULL;
	int err;

	if (!t || !t->open)
		return;
	switch ((turn + f->mode) % 8) {
	case 0:
	case 1:
	case 2:
		err = h2_head(f->s, t->id, heads[turn % 3], turn % 3 == 2);
		must(err == 0 || err == -ENOENT || err == -ENOBUFS || err == -ENOMEM);
		break;
	case 3:
	case 4:
		h2_resume(f->s, t->id);
		break;
	case 5:
		catch_up(f);
		if (f->mode & 8)
			h2_reset(f->s, t->id, H2_CANCEL);
		break;
	case 6:
		if (f->mode & 16)
			h2_shutdown_notice(f->s);
		break;
	default:
		if (f->mode & 32 && turn > 20)
			h2_goaway(f->s, H2_NO_ERROR);
		break;
	}
	must(h2_window(f->s, t->id) <= 0x7fffffff);
}

static unsigned open_streams(const struct fuzz *f)
{
	unsigned n = 0;

	for (unsigned i = 0; i < f->n; i++)
		n += f->seen[i].open;
	return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct h2_limits limits = H2_LIMITS_DEFAULT;
	struct fuzz f = {.cuts = cuts_of(data, size)};
	unsigned turn = 0;
	uint64_t now = 1000;

	if (size < 1)
		return 0;
	f.mode = data[0];
	limits.memory = MEMORY;
	limits.max_streams = 40;
	must(h2_new(&limits, &events, &f, &f.s) == 0);
	if (!(f.mode & 128))
		must(h2_recv(f.s, H2_PREFACE, H2_PREFACE_LEN, now) == 0);
	for (size_t at = 1; at < size; turn++) {
		size_t n = cuts_next(&f.cuts, f.mode & 2 ? 40 : 2000, size - at);
		char *part = exact_copy(data + at, n);
		int err;

		catch_up(&f);
		err = h2_recv(f.s, part, n, now += turn % 5);

		free(part);
		at += n;
		must((err < 0) == (h2_why(f.s) != H2_REASON_NONE) || err == 0);
		must(h2_stats(f.s)->memory_max <= MEMORY + 65536);
		answer(&f, turn);
		send_ahead(&f, turn);
		if (turn % 3)
			drain(&f);
		must(h2_streams(f.s) >= open_streams(&f) || h2_is_done(f.s));
	}
	drain(&f);
	must(f.have == 0 && f.left == 0);
	h2_free(f.s);
	return 0;
}
