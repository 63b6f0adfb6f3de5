/* A stream on loopback for the self-test: origin <-> up | relay | client <-> reader, with a relay of a few
 * lines that moves only in loopback_turn(). Every byte of the stream is a function of its position. Private
 * to kern/. */
#ifndef SLUICE_KERN_LOOPBACK_H
#define SLUICE_KERN_LOOPBACK_H

#include "kern/splice.h"

struct loopback {
	struct splice *k;
	uint32_t slot;
	int origin, up, client, reader;
	uint64_t sent, received; /* by the origin (or by the relay itself), by the reader */
	uint64_t length;	 /* the body ends when so much was sent; 0: with the connection */
	bool wrong;		 /* the reader got a byte that was not sent at its place */
	bool copying;		 /* in userspace's hands */
	size_t held;
	char hold[8192];
};

/* Four sockets with a small send buffer towards the client. Negative errno; then loopback_close() is still
 * due.
 */
must_check int loopback_open(struct loopback *w, struct splice *k, uint32_t slot);
void loopback_close(struct loopback *w);
must_check int loopback_engage(struct loopback *w);
/* The origin sends n bytes. False when not all of them fit. */
bool loopback_send(struct loopback *w, size_t n);
/* The relay writes n bytes of the stream to the client by itself. */
bool loopback_write(struct loopback *w, size_t n);
/* The relay reads exactly n bytes and writes them on, before it engages. */
bool loopback_copy(struct loopback *w, size_t n);
void loopback_turn(struct loopback *w);
/* Turns until the reader has all that was sent, and it was right. */
bool loopback_expect(struct loopback *w, int ms);
/* Turns until the kernel carries again. */
bool loopback_resume(struct loopback *w, int ms);
/* Turns until recv() on the upstream says EOF, with no byte left. */
bool loopback_eof(struct loopback *w, int ms);
/* Turns until the body's end was seen by the verdict; then takes over and waits until drained. */
bool loopback_ended(struct loopback *w, int ms);

#endif
