#include "proto/h2_meter.h"

enum {
	DATA,
	HEADERS,
	PRIORITY,
	RST_STREAM,
	SETTINGS,
	PUSH_PROMISE,
	PING,
	GOAWAY,
	WINDOW_UPDATE,
	CONTINUATION
};
enum { PRIORITY_UPDATE = 0x10 }; /* RFC 9218 7.1 */
enum { END_STREAM = 0x1, ACK = 0x1, PADDED = 0x8, WITH_PRIORITY = 0x20 };

/* A block needs two at most (RFC 7541 4.2). */
#define MAX_TABLE_UPDATES 4

bool h2_bucket_take(struct h2_bucket *b, unsigned per_s, uint64_t now_ms)
{
	uint64_t drained = now_ms > b->at_ms ? (now_ms - b->at_ms) * per_s : 0;

	b->level = b->level > drained ? b->level - drained : 0;
	b->at_ms = now_ms;
	b->level += 1000;
	return b->level <= (uint64_t)per_s * 1000;
}

void h2_bucket_credit(struct h2_bucket *b, unsigned n)
{
	b->level -= MIN(b->level, (uint64_t)n * 1000);
}

void h2_meter_init(struct h2_meter *m, const struct h2_limits *limits, struct h2_stats *stats,
	bool (*is_cancel)(void *arg, int32_t id), void *arg)
{
	*m = (struct h2_meter){
		.limits = limits, .stats = stats, .is_cancel = is_cancel, .arg = arg, .skip = H2_PREFACE_LEN};
}

static enum h2_reason check(bool ok, enum h2_reason otherwise)
{
	return ok ? H2_REASON_NONE : otherwise;
}

static enum h2_reason reset_came(struct h2_meter *m, int32_t id, uint64_t now)
{
	m->stats->resets_in++;
	if (m->is_cancel(m->arg, id)) {
		m->stats->cancels_in++;
		return H2_REASON_NONE;
	}
	return check(h2_bucket_take(&m->resets, m->limits->resets_per_s, now), H2_REASON_RESETS);
}

/* The frame's header is whole. Says where to look in its payload. */
static enum h2_reason frame_begin(struct h2_meter *m, uint64_t now)
{
	const struct h2_limits *limits = m->limits;
	const uint8_t *h = m->header;
	uint32_t id = ((uint32_t)(h[5] & 0x7f) << 24) | ((uint32_t)h[6] << 16) | ((uint32_t)h[7] << 8) | h[8];

	m->left = ((uint32_t)h[0] << 16) | ((uint32_t)h[1] << 8) | h[2];
	m->type = h[3];
	m->flags = h[4];
	m->phase = H2_METER_SKIP;
	m->stats->frames_in++;
	switch (m->type) {
	case DATA:
		if (m->flags & END_STREAM)
			return H2_REASON_NONE;
		if (m->left == 0)
			return check(h2_bucket_take(&m->empty_data, limits->empty_data_per_s, now),
				H2_REASON_EMPTY_DATA);
		if (m->flags & PADDED)
			m->phase = H2_METER_PADDING;
		return H2_REASON_NONE;
	case HEADERS:
		m->continuations = m->updates = 0;
		m->block_start = true;
		m->pad = 0;
		m->pad_due = m->flags & PADDED;
		m->skip = (m->flags & PADDED ? 1 : 0) + (m->flags & WITH_PRIORITY ? 5 : 0);
		m->phase = H2_METER_PRIORITY;
		return H2_REASON_NONE;
	case CONTINUATION:
		m->phase = m->block_start ? H2_METER_UPDATES : H2_METER_SKIP;
		m->pad = 0;
		return check(++m->continuations <= limits->continuations, H2_REASON_CONTINUATIONS);
	case RST_STREAM:
		return reset_came(m, (int32_t)id, now);
	case SETTINGS: /* acks of what was never sent are a flood too */
		m->stats->settings_in += !(m->flags & ACK);
		return check(h2_bucket_take(&m->settings, limits->settings_per_s, now), H2_REASON_SETTINGS);
	case PING:
		m->stats->pings_in += !(m->flags & ACK);
		return check(h2_bucket_take(&m->pings, limits->pings_per_s, now), H2_REASON_PINGS);
	case WINDOW_UPDATE:
		m->stats->window_updates_in++;
		return check(h2_bucket_take(&m->window_updates, limits->window_updates_per_s, now),
			H2_REASON_WINDOW_UPDATES);
	case PRIORITY:
	case PRIORITY_UPDATE:
		return check(
			h2_bucket_take(&m->priorities, limits->priorities_per_s, now), H2_REASON_PRIORITIES);
	case GOAWAY:
		m->stats->goaways_in++;
		break;
	default:
		break;
	}
	return check(h2_bucket_take(&m->unknown, limits->unknown_per_s, now), H2_REASON_UNKNOWN_FRAMES);
}

static enum h2_reason padding_came(struct h2_meter *m, uint8_t padding, uint64_t now)
{
	m->phase = H2_METER_SKIP;
	if (padding + 1U < m->left)
		return H2_REASON_NONE;
	return check(h2_bucket_take(&m->padding, m->limits->empty_data_per_s, now), H2_REASON_PADDING);
}

static enum h2_reason block_byte(struct h2_meter *m, uint8_t c)
{
	if (m->phase == H2_METER_INTEGER) {
		if (!(c & 0x80))
			m->phase = H2_METER_UPDATES;
		return H2_REASON_NONE;
	}
	if ((c & 0xe0) != 0x20) {
		m->block_start = false;
		m->phase = H2_METER_SKIP;
		return H2_REASON_NONE;
	}
	if ((c & 0x1f) == 0x1f)
		m->phase = H2_METER_INTEGER;
	return check(++m->updates <= MAX_TABLE_UPDATES, H2_REASON_TABLE_UPDATES);
}

/* Some bytes of a payload. Returns how many were used. */
static size_t payload_read(
	struct h2_meter *m, const char *p, size_t n, uint64_t now, enum h2_reason *ret_reason)
{
	size_t used = 1;

	switch (m->phase) {
	case H2_METER_PRIORITY:
		if (m->pad_due)
			m->pad = (uint8_t)*p;
		m->pad_due = false;
		used = MIN(n, m->skip);
		m->skip -= (uint32_t)used;
		if (m->skip == 0)
			m->phase = H2_METER_UPDATES;
		break;
	case H2_METER_PADDING:
		*ret_reason = padding_came(m, (uint8_t)*p, now);
		break;
	case H2_METER_UPDATES:
	case H2_METER_INTEGER:
		if (m->left <= m->pad) {
			used = n;
			break;
		}
		*ret_reason = block_byte(m, (uint8_t)*p);
		break;
	default:
		used = n;
	}
	m->left -= (uint32_t)used;
	return used;
}

enum h2_reason h2_meter_read(struct h2_meter *m, const char *p, size_t n, uint64_t now_ms, size_t *ret_good)
{
	enum h2_reason reason = H2_REASON_NONE;
	size_t at = 0, frame = 0;

	while (at < n && !reason) {
		size_t take;

		if (m->phase == H2_METER_PREFACE) {
			take = MIN(n - at, m->skip);
			m->skip -= (uint32_t)take;
			if (m->skip == 0)
				m->phase = H2_METER_HEADER;
			at += take;
		} else if (m->phase == H2_METER_HEADER) {
			if (m->have == 0)
				frame = at;
			take = MIN(n - at, sizeof(m->header) - m->have);
			memcpy(m->header + m->have, p + at, take);
			m->have += (uint8_t)take;
			at += take;
			if (m->have < sizeof(m->header))
				break;
			m->have = 0;
			reason = frame_begin(m, now_ms);
		} else {
			at += payload_read(m, p + at, MIN(n - at, m->left), now_ms, &reason);
		}
		if (m->phase != H2_METER_PREFACE && m->phase != H2_METER_HEADER && m->left == 0)
			m->phase = H2_METER_HEADER;
	}
	*ret_good = reason ? frame : n;
	return reason;
}
