/* A position in a body, between userspace's readers and the verdict's. The verdict's event table is made from
 * sse.c itself, so that the two cannot differ. */
#include "kern/kern.h"

_Static_assert((int)SLUICE_CHUNK_SIZE == (int)CHUNK_SIZE && (int)SLUICE_CHUNK_EXT == (int)CHUNK_EXT &&
		       (int)SLUICE_CHUNK_SIZE_LF == (int)CHUNK_SIZE_LF &&
		       (int)SLUICE_CHUNK_DATA == (int)CHUNK_DATA &&
		       (int)SLUICE_CHUNK_DATA_CR == (int)CHUNK_DATA_CR &&
		       (int)SLUICE_CHUNK_DATA_LF == (int)CHUNK_DATA_LF &&
		       (int)SLUICE_CHUNK_TRAILER == (int)CHUNK_TRAILER &&
		       (int)SLUICE_CHUNK_DONE == (int)CHUNK_DONE && (int)SLUICE_CHUNK_BAD == (int)CHUNK_BAD,
	"flow.h and chunk.h name the same places");

#define OTHER_FIELD 0xff

/* Every state of the scanner that differs in what it does next. The two of "some other field" come last. */
static const struct sse_scan sse_rows[] = {
	{.place = SSE_START},
	{.place = SSE_BOM, .bom = 1},
	{.place = SSE_BOM, .bom = 2},
	{.place = SSE_BOUNDARY},
	{.place = SSE_CR_BOUNDARY},
	{.place = SSE_LINE_START},
	{.place = SSE_LINE_START, .has_data = true},
	{.place = SSE_CR_LINE},
	{.place = SSE_CR_LINE, .has_data = true},
	{.place = SSE_IN_LINE, .name = 1},
	{.place = SSE_IN_LINE, .name = 2},
	{.place = SSE_IN_LINE, .name = 3},
	{.place = SSE_IN_LINE, .name = 4},
	{.place = SSE_IN_LINE, .name = 1, .has_data = true},
	{.place = SSE_IN_LINE, .name = 2, .has_data = true},
	{.place = SSE_IN_LINE, .name = 3, .has_data = true},
	{.place = SSE_IN_LINE, .name = 4, .has_data = true},
	{.place = SSE_IN_LINE, .name = OTHER_FIELD},
	{.place = SSE_IN_LINE, .name = OTHER_FIELD, .has_data = true},
};
#define FIRST_IDLE (ARRAY_LEN(sse_rows) - 2)

/* The row that acts like `s`; negative: none does. Fields that a place does not look at are left out. */
static int sse_row(const struct sse_scan *s)
{
	struct sse_scan key = {.place = s->place};

	if (s->place == SSE_BOM)
		key.bom = s->bom;
	if (s->place == SSE_IN_LINE)
		key.name = s->name;
	if (s->place == SSE_IN_LINE || s->place == SSE_LINE_START || s->place == SSE_CR_LINE)
		key.has_data = s->has_data;
	for (size_t i = 0; i < ARRAY_LEN(sse_rows); i++) {
		const struct sse_scan *r = &sse_rows[i];

		if (r->place == key.place && r->bom == key.bom && r->name == key.name &&
			r->has_data == key.has_data)
			return (int)i;
	}
	return -EINVAL;
}

/* The table's entry for one byte in one row. */
static int sse_entry(size_t row, uint8_t byte)
{
	struct sse_scan s = sse_rows[row];
	char c = (char)byte;
	int next;

	sse_feed(&s, &c, 1);
	next = sse_row(&s);
	return next < 0 || s.events > 1 ? -EINVAL : next | (int)(s.events << 7);
}

int track_table(uint8_t cls[512], uint8_t *next, size_t rows, size_t classes, uint8_t *ret_idle)
{
	size_t used = 0;

	if (ARRAY_LEN(sse_rows) > rows || rows > 128)
		return -EINVAL;
	for (int byte = 0; byte < 256; byte++) {
		uint8_t column[ARRAY_LEN(sse_rows)];
		size_t c;

		for (size_t row = 0; row < ARRAY_LEN(column); row++) {
			int entry = sse_entry(row, (uint8_t)byte);

			if (entry < 0)
				return entry;
			column[row] = (uint8_t)entry;
		}
		/* Bytes that do the same in every row share a class. */
		for (c = 0; c < used; c++) {
			size_t row = 0;

			while (row < ARRAY_LEN(column) && next[row * classes + c] == column[row])
				row++;
			if (row == ARRAY_LEN(column))
				break;
		}
		if (c == classes)
			return -EINVAL;
		if (c == used) {
			for (size_t row = 0; row < ARRAY_LEN(column); row++)
				next[row * classes + c] = column[row];
			used++;
		}
		cls[byte] = (uint8_t)c;
	}
	/* What is no byte keeps each row. */
	if (used == classes)
		return -EINVAL;
	for (size_t row = 0; row < ARRAY_LEN(sse_rows); row++)
		next[row * classes + used] = (uint8_t)row;
	memset(cls + 256, (int)used, 256);
	/* The verdict skips what has no line end in these rows: it must not matter there. */
	for (size_t row = FIRST_IDLE; row < ARRAY_LEN(sse_rows); row++)
		for (int byte = 0; byte < 256; byte++)
			if (byte != '\n' && byte != '\r' && next[row * classes + cls[byte]] != row)
				return -EINVAL;
	*ret_idle = FIRST_IDLE;
	return 0;
}

static int chunk_place(const struct chunk_reader *r, struct sluice_track *t)
{
	switch ((enum chunk_state)r->state) {
	case CHUNK_SIZE:
		t->digits = r->digits;
		break;
	case CHUNK_SIZE_LF:
	case CHUNK_DATA:
	case CHUNK_DATA_CR:
	case CHUNK_DATA_LF:
	case CHUNK_DONE:
		break;
	default:
		return -EAGAIN;
	}
	t->chunk = r->state;
	t->left = r->state == CHUNK_DONE ? 0 : r->left;
	return 0;
}

int splice_track_make(struct sluice_track *ret, enum sluice_framing framing, uint64_t left,
	const struct chunk_reader *r, const struct sse_scan *s)
{
	struct sluice_track t = {.framing = (uint8_t)framing, .chunk = SLUICE_CHUNK_DATA};
	int row;

	if (framing == SLUICE_BODY_CHUNKED) {
		int err = r ? chunk_place(r, &t) : -EINVAL;

		if (err)
			return err;
	} else if (framing == SLUICE_BODY_LENGTH) {
		t.left = left;
		if (!left)
			t.chunk = SLUICE_CHUNK_DONE;
	}
	if (s) {
		row = sse_row(s);
		if (row < 0)
			return row;
		t.scan = 1;
		t.sse = (uint8_t)row;
	}
	*ret = t;
	return 0;
}

/* `paid`: payload bytes that the kernel sent on since the reader last stood here. */
static void chunk_take(const struct sluice_track *t, struct chunk_reader *r, uint64_t paid)
{
	r->state = t->chunk;
	r->left = t->left;
	r->digits = t->digits;
	r->overhead -= MIN(r->overhead, paid);
	r->ext = 0;
	r->line = 0;
	r->quoted = 0;
}

static void sse_take(const struct sluice_track *t, struct sse_scan *s)
{
	const struct sse_scan *row = &sse_rows[MIN(t->sse, ARRAY_LEN(sse_rows) - 1)];

	s->place = row->place;
	s->bom = row->bom;
	s->name = row->name;
	s->has_data = row->has_data;
}

void splice_track_take(
	struct splice *k, uint32_t slot, struct chunk_reader *r, struct sse_scan *s, uint64_t *left)
{
	struct seat *seat = &k->seats[slot];
	struct sluice_flow f;

	splice_state(k, slot, &f);
	/* Nothing was redirected since userspace last said where it is: the caller's readers stand right. */
	if (!f.segments || f.adopted != k->ctl[slot].consumed || seat->taken != f.adopted)
		return;
	if (r && f.track.framing == SLUICE_BODY_CHUNKED)
		chunk_take(&f.track, r, f.payload - seat->payload);
	seat->payload = f.payload;
	if (s && f.track.scan)
		sse_take(&f.track, s);
	if (left && f.track.framing == SLUICE_BODY_LENGTH)
		*left = f.track.left;
}
