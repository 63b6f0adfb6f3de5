/* A stream as sluicectl shows it: its record, what its client's socket is found to hold at this moment, and
 * its rates since the last look. */
#ifndef SLUICE_CTL_ROW_H
#define SLUICE_CTL_ROW_H

#include "ctl/socks.h"
#include "view/view.h"

#define ROW_NEVER UINT64_MAX /* an age of what has not happened; a number that is not known */

struct row {
	const struct view_stream *s;
	const struct sock *sock; /* NULL: not looked for, or not found */
	uint64_t now_ns;
	uint64_t rate;	 /* bytes a second to the client; ROW_NEVER: not measured */
	uint64_t events; /* events in 1000 seconds; the same */
};

/* For how long bytes that wait in the client's socket have got no further, in ms; 0: none wait; ROW_NEVER:
 * not known. With unsent bytes, the time since TCP last sent any: the client's window is closed. With
 * unacknowledged ones that TCP had to send again, the time since its last ACK. Else the time since the last
 * byte was written: what waits is at least that old. */
uint64_t row_queue_ms(const struct row *r);
/* For how long the client has taken nothing although bytes wait for it, in the relay or in its socket. */
uint64_t row_lag_ms(const struct row *r);
/* Bytes that the client's socket has not taken. What the kernel saw with the last segment counts no more when
 * the socket is found empty. */
uint64_t row_pending(const struct row *r);
/* Bytes in the client's socket that TCP has not sent; ROW_NEVER: not known. Without the socket, as the
 * kernel's part saw them with the last segment. */
uint64_t row_unsent(const struct row *r);
uint64_t row_unacked(const struct row *r);
uint64_t row_srtt_us(const struct row *r);
/* ms from `then` to now; ROW_NEVER when `then` is 0 */
uint64_t row_age_ms(const struct row *r, uint64_t then_ns);

#endif
