/* Chunked bodies: however the bytes are cut, payload, position and verdict are the same; a second decoder,
 * written the slow way, agrees with what was accepted; and the payload written again as chunks reads as
 * itself. */
#include "fuzz.h"
#include "proto/chunk.h"

struct decoded {
	char *payload;
	size_t n, used;
	struct chunk_reader reader;
};

static void decode(const char *p, size_t n, struct cuts *cuts, size_t max_piece, struct decoded *ret)
{
	*ret = (struct decoded){.payload = exact_copy(p, n)};
	chunk_init(&ret->reader);
	while (ret->used < n && ret->reader.state != CHUNK_DONE && ret->reader.state != CHUNK_BAD) {
		size_t left = n - ret->used, len = max_piece ? cuts_next(cuts, max_piece, left) : left;
		char *part = exact_copy(p + ret->used, len);
		struct chunk_step step = chunk_next(&ret->reader, part, len);

		must(step.used <= len && step.payload.n <= step.used);
		must(step.used == len || ret->reader.state != CHUNK_SIZE || ret->reader.digits);
		if (step.payload.n) {
			must(step.payload.p >= part && step.payload.p + step.payload.n <= part + step.used);
			memcpy(ret->payload + ret->n, step.payload.p, step.payload.n);
		} else {
			must(step.used == len || ret->reader.state == CHUNK_DONE ||
				ret->reader.state == CHUNK_BAD);
		}
		ret->n += step.payload.n;
		ret->used += step.used;
		free(part);
	}
	must((ret->reader.state == CHUNK_BAD) == (ret->reader.bad != H1_OK));
}

static void must_be_same(const struct decoded *a, const struct decoded *b)
{
	must(a->n == b->n && a->used == b->used && a->reader.state == b->reader.state);
	must(a->reader.bad == b->reader.bad && a->reader.left == b->reader.left);
	must(a->reader.chunks == b->reader.chunks && a->reader.overhead == b->reader.overhead);
	must(memcmp(a->payload, b->payload, a->n) == 0);
}

/* The length of the line at `at`, and that it ends in CRLF. */
static size_t line_at(const char *p, size_t at, size_t n)
{
	const char *lf = memchr(p + at, '\n', n - at);

	must(lf && lf > p + at && lf[-1] == '\r');
	return (size_t)(lf - (p + at)) - 1;
}

/* Reads a body that the reader called whole. Agrees on every byte or aborts. */
static void decode_again(const char *p, size_t n, const struct decoded *d)
{
	size_t at = 0, got = 0;

	for (;;) {
		size_t line = line_at(p, at, n);
		char text[32] = "";
		unsigned long long size;
		char *end;

		memcpy(text, p + at, MIN(line, sizeof(text) - 1));
		must(strspn(text, "0123456789abcdefABCDEF") > 0);
		size = strtoull(text, &end, 16);
		must(*end == '\0' || *end == ';' || end == text + sizeof(text) - 1);
		at += line + 2;
		if (size == 0)
			break;
		must(size <= n - at && got + size <= d->n);
		must(memcmp(p + at, d->payload + got, size) == 0);
		got += size;
		at += size;
		must(p[at] == '\r' && p[at + 1] == '\n');
		at += 2;
	}
	must(got == d->n);
	for (size_t line = line_at(p, at, n); line; line = line_at(p, at, n)) {
		const char *colon = memchr(p + at, ':', line);

		must(colon && colon > p + at && !memchr(p + at, '\r', line) && !memchr(p + at, 0, line));
		must(strncasecmp(p + at, "content-length:", 15) != 0 && strncasecmp(p + at, "host:", 5) != 0);
		must(strncasecmp(p + at, "transfer-encoding:", 18) != 0);
		at += line + 2;
	}
	must(at + 2 == d->used);
}

static void write_again(const struct decoded *d, struct cuts *cuts)
{
	char *out = malloc(d->n * (CHUNK_HEAD_MAX + 3) + 16), *to = out;
	struct decoded again;

	must(out);
	for (size_t at = 0; at < d->n;) {
		size_t len = cuts_next(cuts, 40, d->n - at);

		to += chunk_write_head(to, len);
		memcpy(to, d->payload + at, len);
		memcpy(to + len, "\r\n", 2);
		to += len + 2;
		at += len;
	}
	memcpy(to, "0\r\n\r\n", 5);
	decode(out, (size_t)(to - out) + 5, cuts, 7, &again);
	must(again.reader.state == CHUNK_DONE && again.n == d->n &&
		memcmp(again.payload, d->payload, d->n) == 0);
	must(again.used == (size_t)(to - out) + 5);
	free(again.payload);
	free(out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cuts cuts = cuts_of(data, size);
	struct decoded whole, other;

	decode((const char *)data, size, &cuts, 0, &whole);
	decode((const char *)data, size, &cuts, 1, &other);
	must_be_same(&whole, &other);
	free(other.payload);
	decode((const char *)data, size, &cuts, 19, &other);
	must_be_same(&whole, &other);
	free(other.payload);
	if (whole.reader.state == CHUNK_DONE)
		decode_again((const char *)data, size, &whole);
	write_again(&whole, &cuts);
	free(whole.payload);
	return 0;
}
