/* Event streams: cuts change nothing; a client written after the WHATWG's steps counts the same events; and a
 * heartbeat, put wherever sse_heartbeat allows one, changes nothing that this client sees. */
#include "fuzz.h"
#include "proto/sse.h"

/* What a client has seen. */
struct seen {
	uint64_t events, hash; /* hash: of the data, type and last id of each event, in order */
};

struct client {
	struct seen seen;
	char data[4096], type[4096], id[4096]; /* inputs are shorter */
	size_t data_n, type_n, id_n;
};

static void hash_bytes(uint64_t *h, const char *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		*h = (*h ^ (unsigned char)p[i]) * 0x100000001b3ULL;
	*h = (*h ^ n) * 0x100000001b3ULL;
}

static void dispatch(struct client *c)
{
	if (c->data_n) {
		c->seen.events++;
		hash_bytes(&c->seen.hash, c->data, c->data_n - 1); /* without its last LF */
		hash_bytes(&c->seen.hash, c->type, c->type_n);
		hash_bytes(&c->seen.hash, c->id, c->id_n);
	}
	c->data_n = c->type_n = 0;
}

static void field(struct client *c, const char *line, size_t n)
{
	const char *colon = memchr(line, ':', n);
	size_t name = colon ? (size_t)(colon - line) : n;
	const char *value = colon ? colon + 1 : line + n;
	size_t len = (size_t)(line + n - value);

	if (len && *value == ' ')
		value++, len--;
	if (name == 4 && memcmp(line, "data", 4) == 0) {
		memcpy(c->data + c->data_n, value, len);
		c->data_n += len;
		c->data[c->data_n++] = '\n';
	} else if (name == 5 && memcmp(line, "event", 5) == 0) {
		memcpy(c->type, value, len);
		c->type_n = len;
	} else if (name == 2 && memcmp(line, "id", 2) == 0 && !memchr(value, 0, len)) {
		memcpy(c->id, value, len);
		c->id_n = len;
	}
}

static struct seen client_read(const char *p, size_t n)
{
	static struct client c;
	size_t at = n >= 3 && memcmp(p, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;

	c = (struct client){0};
	while (at < n) {
		size_t len = 0;

		while (at + len < n && p[at + len] != '\r' && p[at + len] != '\n')
			len++;
		if (at + len == n)
			break; /* an unfinished line */
		if (len)
			field(&c, p + at, len);
		else
			dispatch(&c);
		at += len + 1;
		if (p[at - 1] == '\r' && at < n && p[at] == '\n')
			at++;
	}
	return c.seen;
}

static struct sse_scan feed_pieces(const char *p, size_t n, struct cuts *cuts, size_t max_piece)
{
	struct sse_scan s;

	sse_init(&s);
	for (size_t at = 0; at < n;) {
		size_t len = cuts_next(cuts, max_piece, n - at);
		char *part = exact_copy(p + at, len);

		sse_feed(&s, part, len);
		free(part);
		at += len;
	}
	return s;
}

static void must_be_same(const struct sse_scan *a, const struct sse_scan *b)
{
	must(a->events == b->events && a->place == b->place && a->has_data == b->has_data);
	must(a->place != SSE_IN_LINE || a->name == b->name);
}

static void check_last_end(const char *p, size_t n, const struct sse_scan *whole)
{
	struct sse_scan s, part;
	size_t end;

	sse_init(&s);
	end = sse_feed_last_end(&s, p, n);
	must_be_same(&s, whole);
	sse_init(&part);
	sse_feed(&part, p, end);
	must(end == 0 || part.place == SSE_BOUNDARY || part.place == SSE_CR_BOUNDARY);
	must(part.events == whole->events); /* no event ends behind it */
}

static void check_until_end(const char *p, size_t n, const struct sse_scan *whole)
{
	struct sse_scan s;
	size_t at = 0;
	bool ended = true;

	sse_init(&s);
	while (at < n) {
		uint64_t before = s.events;
		size_t used = sse_feed_until_end(&s, p + at, n - at, &ended);

		must(used > 0 && used <= n - at && s.events <= before + 1);
		must(ended ? s.place == SSE_BOUNDARY || s.place == SSE_CR_BOUNDARY : used == n - at);
		at += used;
	}
	must_be_same(&s, whole);
}

/* Puts one heartbeat behind byte `at`, if one may be put there. */
static void check_heartbeat(const char *p, size_t n, size_t at, struct seen expected)
{
	struct sse_scan s;
	struct slice beat;
	char *with;
	struct seen seen;

	sse_init(&s);
	sse_feed(&s, p, at);
	beat = sse_heartbeat(&s);
	if (!beat.n)
		return;
	with = malloc(n + beat.n);
	must(with);
	memcpy(with, p, at);
	memcpy(with + at, beat.p, beat.n);
	memcpy(with + at + beat.n, p + at, n - at);
	seen = client_read(with, n + beat.n);
	must(seen.events == expected.events && seen.hash == expected.hash);
	sse_feed(&s, beat.p, beat.n); /* the position is as it was: a second one may follow */
	must(slice_eq(sse_heartbeat(&s), beat));
	sse_feed(&s, p + at, n - at);
	must(s.events == expected.events);
	free(with);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *p = (const char *)data;
	struct cuts cuts = cuts_of(data, size);
	struct sse_scan whole, pieces;
	struct seen seen;

	if (size > 2048)
		return 0;
	sse_init(&whole);
	sse_feed(&whole, p, size);
	pieces = feed_pieces(p, size, &cuts, 1);
	must_be_same(&whole, &pieces);
	pieces = feed_pieces(p, size, &cuts, 30);
	must_be_same(&whole, &pieces);
	seen = client_read(p, size);
	must(seen.events == whole.events);
	check_last_end(p, size, &whole);
	check_until_end(p, size, &whole);
	for (size_t at = 0; at <= size && size <= 512; at++)
		check_heartbeat(p, size, at, seen);
	return 0;
}
