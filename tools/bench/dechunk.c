#include "dechunk.h"

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/* The size line is over: a chunk begins, or with size 0 the trailer. */
static enum dechunk_state size_done(struct dechunk *d)
{
	if (!d->digits)
		return DECHUNK_BAD;
	d->digits = 0;
	d->line = 0;
	if (!d->left)
		return DECHUNK_TRAILER;
	d->chunks++;
	return DECHUNK_DATA;
}

static enum dechunk_state in_size(struct dechunk *d, char c)
{
	int v = hex_value(c);

	if (v >= 0) {
		if (d->digits == 15)
			return DECHUNK_BAD;
		d->left = d->left << 4 | (unsigned)v;
		d->digits++;
		return DECHUNK_SIZE;
	}
	/* Until the LF nothing but the CR may come here, unless an extension begins. */
	return (c == '\r' || c == ';') && d->digits ? DECHUNK_EXT : DECHUNK_BAD;
}

static enum dechunk_state in_after(struct dechunk *d, char c)
{
	if (!d->line) {
		d->line = 1;
		return c == '\r' ? DECHUNK_AFTER : DECHUNK_BAD;
	}
	d->line = 0;
	return c == '\n' ? DECHUNK_SIZE : DECHUNK_BAD;
}

static enum dechunk_state in_trailer(struct dechunk *d, char c)
{
	if (c == '\n') {
		bool last = d->line == 0;

		d->line = 0;
		return last ? DECHUNK_END : DECHUNK_TRAILER;
	}
	if (c != '\r' && d->line < UINT16_MAX)
		d->line++;
	return DECHUNK_TRAILER;
}

static enum dechunk_state on_byte(struct dechunk *d, char c)
{
	switch ((enum dechunk_state)d->state) {
	case DECHUNK_SIZE:
		return in_size(d, c);
	case DECHUNK_EXT:
		return c == '\n' ? size_done(d) : DECHUNK_EXT;
	case DECHUNK_AFTER:
		return in_after(d, c);
	case DECHUNK_TRAILER:
		return in_trailer(d, c);
	default:
		return (enum dechunk_state)d->state;
	}
}

size_t dechunk_next(struct dechunk *d, const char *p, size_t n, struct slice *ret_payload)
{
	size_t used = 0;

	*ret_payload = (struct slice){NULL, 0};
	while (used < n && d->state != DECHUNK_DATA && d->state != DECHUNK_END && d->state != DECHUNK_BAD)
		d->state = (uint8_t)on_byte(d, p[used++]);
	if (d->state == DECHUNK_DATA && used < n) {
		size_t take = (size_t)MIN((uint64_t)(n - used), d->left);

		*ret_payload = (struct slice){p + used, take};
		used += take;
		d->left -= take;
		if (!d->left)
			d->state = DECHUNK_AFTER;
	}
	return used;
}
